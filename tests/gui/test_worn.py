"""Several adapters in one picture: chosen, weighed, told of where they conflict, compared."""

from pathlib import Path

import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from app.models.drawn import strengths
from app.views.main_window import MainWindow
from app.views.preview_page import PreviewPage
from app.views.worn import FILE_WORDS, MOST, Worn
from core.config import files
from core.project.layout import Project
from core.protocol.commands import Draw
from core.protocol.events import AdaptersCompared, NotDrawn, PictureDrawn
from tests.gui.conftest import button, open_project, preview_page
from tests.gui.fake_worker import FakeWorker
from tests.gui.made_runs import made_run


@pytest.fixture
def page(faked: MainWindow, project: Project, qtbot: QtBot) -> PreviewPage:
    """Two runs with an adapter each; the newest is worn."""
    made_run(project, "#ff0000")
    other = made_run(project, "#00ff00")
    changed = files.with_changes(files.load(other.config_file), ["preview.guidance=2.0"])
    files.save(changed, other.config_file)
    faked.studio.runs.open(project)
    qtbot.waitUntil(lambda: not faked.studio.runs.reading)
    faked.show_page("Preview")
    made = preview_page(faked)
    made.drawing.prompt.setText("a fox")
    return made


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of another program, which is chosen whenever one is asked for."""
    path = tmp_path / "loras" / "lines.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    return path


def worn(page: PreviewPage) -> Worn:
    return page.drawing.worn


def wishes(worker: FakeWorker) -> list[Draw]:
    return [word for word in worker.heard if isinstance(word, Draw)]


def answer(worker: FakeWorker) -> PictureDrawn:
    wish = wishes(worker)[-1]
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    image.fill("#123456")
    assert image.save(wish.out)
    drawn = PictureDrawn(
        path=wish.out,
        prompt=wish.prompt,
        seed=wish.seed,
        weight=next(iter(wish.adapters.values())),
        adapters=wish.adapters,
    )
    worker.tell(drawn)
    return drawn


def test_several_are_drawn_with_on_one_engine(
    page: PreviewPage, workers: list[FakeWorker], elsewhere: Path
) -> None:
    """Adding, weighing and taking away load nothing anew; nor does a run of other guidance."""
    button(page, "Make a picture").click()
    newest = str(worn(page).first.path)
    assert "002-" in newest
    assert wishes(workers[0])[-1].adapters == {newest: 1.0}
    assert wishes(workers[0])[-1].guidance == 2.0
    worn(page).first.button.click()  # the other run's
    oldest = str(worn(page).rows[1].path)
    assert "001-" in oldest
    worn(page).first.button.click()  # there is no more: a file is asked for
    worn(page).rows[2].weight.setValue(10)
    button(page, "Make a picture").click()
    assert wishes(workers[0])[-1].adapters == {newest: 1.0, oldest: 1.0, str(elsewhere): 0.5}
    assert list(wishes(workers[0])[-1].adapters) == [newest, oldest, str(elsewhere)]
    worn(page).rows[1].button.click()
    button(page, "Make a picture").click()
    assert wishes(workers[0])[-1].adapters == {newest: 1.0, str(elsewhere): 0.5}
    worn(page).choose(Path(oldest))
    button(page, "Make a picture").click()
    assert wishes(workers[0])[-1].adapters == {oldest: 1.0, str(elsewhere): 0.5}
    assert wishes(workers[0])[-1].guidance == 3.0
    assert len(workers) == 1
    assert not workers[0].killed


def test_an_adapter_is_worn_once(page: PreviewPage, elsewhere: Path) -> None:
    worn(page).add_one()
    first, second = worn(page).rows
    taken = first.adapter.findData(str(second.path))
    assert not first.adapter.model().item(taken).isEnabled()
    own = second.adapter.findData(str(second.path))
    assert second.adapter.model().item(own).isEnabled()
    worn(page).choose(second.path)
    assert [row.path for row in worn(page).rows] == [second.path]
    for _ in range(MOST):
        worn(page).add_one()
    paths = [row.path for row in worn(page).rows]
    assert len(paths) == len(set(paths)) == 3  # two runs' and a file


def test_a_file_is_chosen_from_the_list_and_remembered(
    page: PreviewPage, faked: MainWindow, elsewhere: Path, qtbot: QtBot, project: Project
) -> None:
    row = worn(page).first
    row.adapter.activated.emit(row.adapter.findText(FILE_WORDS))
    assert row.path == elsewhere
    assert row.adapter.currentText() == "lines"
    assert faked.studio.shelf.was_opened(elsewhere)
    faked.studio.store.sync()
    again = MainWindow(FakeWorker)
    qtbot.addWidget(again)
    assert [card.path for card in again.studio.shelf.cards()] == [elsewhere]
    open_project(again, qtbot, project)
    assert [card.path for card in again.studio.shelf.cards()][-1] == elsewhere
    again.close()
    elsewhere.unlink()
    faked.studio.runs.adapters_changed.emit()
    assert "002-" in str(row.path)


def test_a_conflict_is_said_until_others_are_worn(
    page: PreviewPage, workers: list[FakeWorker], elsewhere: Path
) -> None:
    worn(page).add_one()
    button(page, "Make a picture").click()
    both = list(worn(page).weights)
    words = "a and b: They work against each other (-0.45 of -1 to 1 over 264 layers)."
    workers[0].tell(AdaptersCompared(paths=both[:1], warnings=["of others"]))
    assert not page.drawing.conflict.isVisibleTo(page)
    workers[0].tell(AdaptersCompared(paths=both, warnings=[words]))
    assert page.drawing.conflict.isVisibleTo(page)
    assert page.drawing.conflict.text() == words
    answer(workers[0])
    assert page.drawing.conflict.isVisibleTo(page)
    worn(page).add_one()
    assert not page.drawing.conflict.isVisibleTo(page)


def test_a_picture_that_cannot_be_drawn_is_told_and_the_engine_stays(
    page: PreviewPage, faked: MainWindow, workers: list[FakeWorker]
) -> None:
    button(page, "Make a picture").click()
    workers[0].tell(NotDrawn(path="x.png", message="lines.safetensors does not fit this model."))
    assert "lines.safetensors does not fit" in faked.messages.text
    assert page.drawing.phase.text() == ""
    button(page, "Make a picture").click()
    assert len(workers) == 1
    assert len(wishes(workers[0])) == 2


def test_a_row_shows_what_each_adds(
    page: PreviewPage, workers: list[FakeWorker], elsewhere: Path
) -> None:
    assert not page.drawing._row.isVisible()
    worn(page).add_one()
    worn(page).rows[1].weight.setValue(10)
    one, other = worn(page).weights
    button(page, "Compare").click()
    drawn = [answer(workers[0]) for _ in range(3)]
    assert [list(picture.adapters.values()) for picture in drawn] == [
        [0.0, 0.0],
        [1.0, 0.0],
        [1.0, 0.5],
    ]
    assert len(wishes(workers[0])) == 3
    assert worn(page).weights == {one: 1.0, other: 0.5}
    shown = [strengths(picture) for picture in page.drawing.history.pictures]
    stems = [Path(path).stem for path in (one, other)]
    assert shown == [
        f"{stems[0]} 1.00 + {stems[1]} 0.50",
        f"{stems[0]} 1.00",
        "without any adapter",
    ]
    assert page.wipe._right_words == shown[0]


def test_another_wish_ends_a_row(page: PreviewPage, workers: list[FakeWorker]) -> None:
    worn(page).add_one()
    button(page, "Compare").click()
    button(page, "Make a picture").click()
    answer(workers[0])
    assert len(wishes(workers[0])) == 2


def test_a_picture_of_before_brings_back_its_adapters(
    page: PreviewPage, workers: list[FakeWorker]
) -> None:
    button(page, "Make a picture").click()
    first = answer(workers[0])
    worn(page).add_one()
    worn(page).rows[1].weight.setValue(30)
    button(page, "Make a picture").click()
    second = answer(workers[0])
    assert worn(page).weights == second.adapters
    page.drawing.strip.choose(1)
    assert worn(page).weights == first.adapters
    page.drawing.strip.choose(0)
    assert worn(page).weights == second.adapters
    assert len(wishes(workers[0])) == 2  # looking at them draws nothing


def test_a_slider_that_is_moved_stays_when_a_picture_comes(
    page: PreviewPage, workers: list[FakeWorker]
) -> None:
    button(page, "Make a picture").click()
    worn(page).first.weight.setValue(7)
    answer(workers[0])
    assert worn(page).first.strength == 0.35


def test_the_rows_can_be_told_apart_without_being_seen(page: PreviewPage) -> None:
    worn(page).add_one()
    named = [(row.weight.accessibleName(), row.button.accessibleName()) for row in worn(page).rows]
    assert named == [
        ("Strength of 002-Small, step 100", "Add another adapter"),
        ("Strength of 001-Small, step 100", "Remove 001-Small, step 100"),
    ]
