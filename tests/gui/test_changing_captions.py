"""Many captions changed at once: shown before, written, undone."""

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.views.main_window import MainWindow
from app.views.rewording_dialog import ADD, REMOVE, RENAME, REPLACE, RewordingDialog
from core.project.layout import Project
from tests.gui.conftest import dataset_page

TEXTS = ("fox, red", "fox, blue, night", "Whale, red", "", "owl (night)", "fox\r\nsecond line")


@pytest.fixture
def page(faked: MainWindow, project: Project, qtbot: QtBot):
    for n, text in enumerate(TEXTS):
        (project.images / f"p{n:02}.txt").write_bytes(text.encode())
    faked.show_page("Dataset")
    faked.studio.dataset.rescan()
    rows = faked.studio.dataset.rows
    qtbot.waitUntil(
        lambda: rows.pictures[0].caption == "fox, red" and not faked.studio.dataset.busy
    )
    return dataset_page(faked)


def opened(page, way: int, find: str, by: str = "") -> RewordingDialog:
    page.reword()
    dialog = page.dialog
    dialog.way.setCurrentIndex(way)
    dialog.words.setText(find)
    dialog.by.setText(by)
    dialog.work_out()
    return dialog


def texts(project: Project) -> list[str]:
    return [(project.images / f"p{n:02}.txt").read_bytes().decode() for n in range(6)]


def test_what_would_change_is_shown_and_nothing_else_is_written(page, project: Project) -> None:
    dialog = opened(page, REPLACE, "NIGHT", "dusk")
    table = dialog.table.model()
    shown = [[table.index(r, c).data() for c in range(3)] for r in range(table.rowCount())]
    assert shown == [
        ["p01.png", "fox, blue, night", "fox, blue, dusk"],
        ["p04.png", "owl (night)", "owl (dusk)"],
    ]
    assert dialog.change.text() == "Change 2 captions"
    dialog.same_case.setChecked(True)
    assert not dialog.changes
    assert dialog.said.text() == "No caption would change."
    assert not dialog.change.isEnabled()
    dialog.reject()
    assert texts(project) == list(TEXTS)


def test_all_are_written_and_come_back_byte_for_byte(
    page, faked: MainWindow, project: Project, qtbot: QtBot
) -> None:
    opened(page, RENAME, "red", "crimson").change.click()
    wanted = ["fox, crimson", TEXTS[1], "Whale, crimson", *TEXTS[3:]]
    qtbot.waitUntil(lambda: texts(project) == wanted)
    assert "Changed 2 captions" in faked.messages.text
    opened(page, REPLACE, "fox", "wolf").change.click()
    qtbot.waitUntil(lambda: texts(project)[5] == "wolf\r\nsecond line")  # line ends stay
    faked.undo.trigger()
    faked.undo.trigger()
    qtbot.waitUntil(lambda: texts(project) == list(TEXTS))


def test_several_chosen_ones_are_meant_alone(page, project: Project, qtbot: QtBot) -> None:
    page.grid.choose(0)
    model = page.grid.selectionModel()
    model.select(page.shown.index(3), model.SelectionFlag.Select)
    dialog = opened(page, ADD, "inkstyle")
    assert dialog.scope.currentText() == "The 2 chosen pictures"
    dialog.in_front.setChecked(True)
    dialog.change.click()
    qtbot.waitUntil(lambda: texts(project)[3] == "inkstyle")
    assert texts(project)[0] == "inkstyle, fox, red"
    assert texts(project)[1] == TEXTS[1]


def test_what_is_searched_for_is_what_changes(page, project: Project, qtbot: QtBot) -> None:
    page.search.words.setText("tag:red")
    page.search.apply()
    dialog = opened(page, ADD, "warm")
    assert dialog.scope.currentText() == "All 2 pictures shown"
    dialog.change.click()
    qtbot.waitUntil(lambda: texts(project)[2] == "Whale, red, warm")
    assert texts(project)[1] == TEXTS[1]


def test_tags_are_listed_and_can_be_taken(page, project: Project, qtbot: QtBot) -> None:
    dialog = opened(page, REMOVE, "")
    listed = [dialog.tags.item(n).text() for n in range(dialog.tags.count())]
    assert listed[:2] == ["fox  3", "red  2"]
    dialog.tags.itemClicked.emit(dialog.tags.item(1))
    assert dialog.words.text() == "red"
    dialog.change.click()
    qtbot.waitUntil(lambda: texts(project)[:3] == ["fox", TEXTS[1], "Whale"])


def test_what_is_no_expression_is_said(page) -> None:
    dialog = opened(page, REPLACE, "(", "x")
    assert dialog.changes
    dialog.as_regex.setChecked(True)
    assert "no regular expression" in dialog.said.text()
    assert not dialog.changes
    assert not dialog.change.isEnabled()
    dialog.reject()


def test_the_keys_open_it(faked: MainWindow, page, qtbot: QtBot) -> None:
    faked.activateWindow()
    qtbot.keyClick(page.grid, Qt.Key.Key_H, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: page.dialog is not None and page.dialog.words.hasFocus())
    qtbot.keyClicks(page.dialog.words, "fox")
    qtbot.keyClick(page.dialog.words, Qt.Key.Key_Escape)
    assert not page.dialog.isVisible()
