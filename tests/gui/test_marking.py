"""Pictures are rated, left out and held out where they are, by keys and many together."""

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEventLoop, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QDialogButtonBox
from pytestqt.qtbot import QtBot

from app.models.picture_rows import Role
from app.views.dataset_page import DatasetPage
from app.views.main_window import MainWindow
from core.data.marks import TOO_MANY
from core.project.layout import Project
from tests.conftest import fill
from tests.gui.conftest import dataset_page, open_project


@pytest.fixture
def page(faked: MainWindow) -> DatasetPage:
    faked.activateWindow()
    faked.show_page("Dataset")
    found = dataset_page(faked)
    found._choose(1)
    found.grid.setFocus()
    return found


ALT = Qt.KeyboardModifier.AltModifier


def rest(page: DatasetPage) -> None:
    """Until the thread has written."""
    while page._model._files.busy:
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 50)


def said(page: DatasetPage, project: Project, what: str = "pictures") -> dict[str, object]:
    rest(page)
    return json.loads(project.marks_file.read_bytes())[what]


def choose(page: DatasetPage, qtbot: QtBot, count: int) -> None:
    """So many, from the second on."""
    for _ in range(count - 1):
        qtbot.keyClick(page.grid, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert page.grid.chosen_rows() == list(range(1, count + 1))


def shown(page: DatasetPage, words: str) -> list[str]:
    page.search.words.setText(words)
    page.search.apply()
    return [one.path.stem for one in page.shown.pictures]


def test_keys_rate_all_that_are_chosen_and_one_step_back_undoes_it(
    faked: MainWindow, page: DatasetPage, project: Project, qtbot: QtBot
) -> None:
    choose(page, qtbot, 2)
    qtbot.keyClick(page.grid, Qt.Key.Key_4, ALT)
    assert said(page, project) == {f"images/p0{n}.png": {"rating": 4} for n in (1, 2)}
    assert page.shown.index(1).data(Role.MARK) == ("4 ★", False)
    assert "4 stars" in page.shown.index(1).data(Qt.ItemDataRole.AccessibleTextRole)
    assert shown(page, "rating>3") == ["p01", "p02"]
    rest(page)
    assert faked.undo.text() == "Undo: Rated 2 pictures 4 of 5"
    faked.undo.trigger()
    rest(page)
    assert not project.marks_file.exists()
    assert page.shown.index(1).data(Role.MARK) == ("", False)
    faked.redo.trigger()
    assert len(said(page, project)) == 2
    shown(page, "")
    page._choose(1)
    page.grid.setFocus()
    qtbot.keyClick(page.grid, Qt.Key.Key_0, ALT)
    assert list(said(page, project)) == ["images/p02.png"]


def test_a_mark_of_another_program_stays(page: DatasetPage, project: Project, qtbot: QtBot) -> None:
    project.marks_file.write_text('{"pictures": {"images/p05.png": {"rating": 5}}}')
    qtbot.keyClick(page.grid, Qt.Key.Key_U)
    assert said(page, project) == {
        "images/p01.png": {"unused": True},
        "images/p05.png": {"rating": 5},
    }
    assert shown(page, "unused") == ["p01"]
    assert shown(page, "unused OR rating=5") == ["p01", "p05"]


def rgb(colour: QColor) -> tuple[int, int, int]:
    return colour.red(), colour.green(), colour.blue()


def test_what_is_not_used_is_paler(page: DatasetPage, qtbot: QtBot) -> None:
    page._choose(0)
    place = page.grid.visualRect(page.shown.index(1))

    def colour() -> QColor:
        drawn: QImage = page.grid.viewport().grab().toImage()
        return drawn.pixelColor(place.left() + 12, place.top() + 12)

    qtbot.waitUntil(lambda: not page.shown.index(1).data(Qt.ItemDataRole.DecorationRole).isNull())
    before = colour()
    path = page.shown.picture(1).path
    page._model.marking.set("x", {path: page._model.marking.said.of(path)._replace(unused=True)})
    after = colour()
    assert max(abs(a - b) for a, b in zip(rgb(before), rgb(after), strict=True)) > 30


def test_more_held_out_than_learnt_is_a_finding(
    faked: MainWindow, page: DatasetPage, qtbot: QtBot
) -> None:
    choose(page, qtbot, 4)
    qtbot.keyClick(page.grid, Qt.Key.Key_O)
    model = faked.studio.dataset
    assert [f.path.stem for f in model.findings.all if f.summary == TOO_MANY] == [
        f"p0{n}" for n in (1, 2, 3, 4)
    ]
    faked.studio.dataset.rescan()
    qtbot.waitUntil(lambda: not model.busy)
    assert sum(f.summary == TOO_MANY for f in model.findings.all) == 4
    assert shown(page, "heldout name:p01") == ["p01"]
    faked.undo.trigger()
    assert not any(f.summary == TOO_MANY for f in model.findings.all)


def test_marks_are_undone_after_a_restart_but_not_another_programs(
    faked: MainWindow, page: DatasetPage, project: Project, qtbot: QtBot
) -> None:
    project.marks_file.write_text('{"pictures":{"images/p05.png":{"rating":5}}}')
    before = project.marks_file.read_bytes()
    choose(page, qtbot, 2)
    qtbot.keyClick(page.grid, Qt.Key.Key_4, ALT)
    qtbot.keyClick(page.grid, Qt.Key.Key_U)
    rest(page)
    faked.studio.workspace.close()
    open_project(faked, qtbot, project)
    assert faked.undo.text() == "Undo: Left 2 pictures out"
    assert page.shown.index(1).data(Role.MARK)[1]
    faked.undo.trigger()
    rest(page)
    assert not page.shown.index(1).data(Role.MARK)[1]
    assert said(page, project)["images/p01.png"] == {"rating": 4}
    faked.undo.trigger()
    rest(page)
    assert project.marks_file.read_bytes() == before
    faked.redo.trigger()
    rest(page)
    now = {**said(page, project), "images/p02.png": {"rating": 1}, "images/p00.png": {"rating": 3}}
    project.marks_file.write_text(json.dumps({"pictures": now}))
    faked.undo.trigger()
    rest(page)
    del now["images/p01.png"]
    assert said(page, project) == now
    assert "marks.json has been changed by another program since" in faked.messages.text


def test_the_best_come_first(page: DatasetPage, project: Project, qtbot: QtBot) -> None:
    qtbot.keyClick(page.grid, Qt.Key.Key_2, ALT)
    page._choose(4)
    qtbot.keyClick(page.grid, Qt.Key.Key_5, ALT)
    page.search.order.setCurrentText("Best rated first")
    page.search.apply()
    assert [one.path.stem for one in page.shown.pictures][:3] == ["p04", "p01", "p00"]


def test_folders_are_given_repeats_without_another_name(
    faked: MainWindow, project: Project, qtbot: QtBot
) -> None:
    fill(project.images / "10_often", 2)
    open_project(faked, qtbot, project, pictures=8)
    faked.show_page("Dataset")
    page = dataset_page(faked)
    faked.studio.actions["dataset.repeats"].trigger()
    dialog = page.repeats
    assert dialog is not None
    often = project.images / "10_often"
    assert list(dialog.boxes) == [project.images, often]
    assert dialog.boxes[often].accessibleName() == f"Repeats of {Path('images/10_often')}"
    assert dialog.boxes[often].text() == "as named: 1"  # no run heeds names yet
    dialog.boxes[often].setValue(3)
    buttons = dialog.findChild(QDialogButtonBox)
    assert isinstance(buttons, QDialogButtonBox)
    qtbot.mouseClick(buttons.button(QDialogButtonBox.StandardButton.Ok), Qt.MouseButton.LeftButton)
    assert said(page, project, "folders") == {"images/10_often": 3}
    faked.undo.trigger()
    rest(page)
    assert not project.marks_file.exists()
    assert often.is_dir()


def test_a_damaged_file_is_told_and_stays(
    faked: MainWindow, page: DatasetPage, project: Project, qtbot: QtBot
) -> None:
    project.marks_file.write_text("{")
    qtbot.keyClick(page.grid, Qt.Key.Key_3, ALT)
    rest(page)
    assert "marks.json" in faked.messages.text
    assert project.marks_file.read_text() == "{"
