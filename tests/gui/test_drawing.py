"""Pictures by hand: asked for as set, shown as what they are, and kept."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit
from pytestqt.qtbot import QtBot

from app.views.main_window import MainWindow
from app.views.preview_page import PreviewPage
from app.widgets.picture import WipeView
from core.project.layout import Project
from core.protocol.commands import Draw
from core.protocol.events import Failed, PictureDrawn, Progress
from tests.gui.conftest import adapters_page, button, preview_page
from tests.gui.fake_worker import FakeWorker
from tests.gui.made_runs import adapter, made_run, tell


@pytest.fixture
def page(faked: MainWindow, project: Project, qtbot: QtBot) -> PreviewPage:
    made_run(project, "#ff0000")
    faked.studio.runs.open(project)
    qtbot.waitUntil(lambda: not faked.studio.runs.reading)
    faked.show_page("Preview")
    return preview_page(faked)


def answer(worker: FakeWorker, colour: str = "#00ff00") -> PictureDrawn:
    """Draw the newest wish."""
    wish = worker.heard[-1]
    assert isinstance(wish, Draw)
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    image.fill(colour)
    assert image.save(wish.out)
    (weight,) = wish.adapters.values()
    drawn = PictureDrawn(path=wish.out, prompt=wish.prompt, seed=wish.seed, weight=weight)
    worker.tell(Progress(phase="Drawing"), drawn)
    return drawn


def draw(page: PreviewPage, prompt: str = "my own words", seed: int = 7) -> None:
    page.drawing.prompt.setText(prompt)
    page.drawing.seed.setValue(seed)
    button(page, "Make a picture").click()


def test_what_is_set_is_asked_for(
    page: PreviewPage, project: Project, workers: list[FakeWorker]
) -> None:
    page.drawing.worn.first.weight.setValue(34)
    draw(page)
    (wish,) = workers[0].heard
    assert (wish.prompt, wish.seed) == ("my own words", 7)
    assert wish.adapters == {page.drawing.worn.first.adapter.currentData(): 1.7}
    assert wish.width_px == project.config().dataset.resolution_px


def test_a_picture_is_shown_with_its_own_strength(
    page: PreviewPage, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    page.drawing.worn.first.weight.setValue(34)
    draw(page)
    assert page.drawing.phase.text() == ""
    workers[0].tell(Progress(phase="Loading the base model"))
    assert page.drawing.phase.text() == "Loading the base model"
    answer(workers[0])
    assert page.wipe.after.pixelColor(2, 2).name() == "#00ff00"
    assert page.wipe._right_words == "strength 1.70"
    assert page.drawing.phase.text() == ""
    page.view.setCurrentIndex(page.table.index(1, 1))
    assert page.drawing.worn.first.words.text() == "1.00"
    assert page.drawing.worn.first.weight.value() == 20
    assert page.wipe._right_words == "step 100"


def test_the_slider_draws_once_it_rests(
    page: PreviewPage, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    page.drawing.prompt.setText("a fox")
    for place in range(25, 30):
        page.drawing.worn.first.weight.setValue(place)
    qtbot.waitUntil(lambda: bool(workers))
    assert [list(wish.adapters.values()) for wish in workers[0].heard] == [[29 / 20]]


def test_untrained_is_not_compared_with_itself(page: PreviewPage) -> None:
    page.view.setCurrentIndex(page.table.index(0, 0))
    assert page.wipe._left.isNull()
    assert page.wipe._right_words == "untrained"
    page.view.setCurrentIndex(page.table.index(0, 1))
    assert not page.wipe._left.isNull()
    assert (page.wipe._left_words, page.wipe._right_words) == ("untrained", "step 100")


def test_pictures_are_kept_and_can_be_looked_at_again(
    page: PreviewPage,
    faked: MainWindow,
    project: Project,
    workers: list[FakeWorker],
    qtbot: QtBot,
) -> None:
    draw(page, "one")
    first = answer(workers[0], "#00ff00")
    page.drawing.worn.first.weight.setValue(10)
    draw(page, "two")
    second = answer(workers[0], "#0000ff")
    history = page.drawing.history
    assert [one.prompt for one in history.pictures] == ["two", "one"]
    assert first.path != second.path
    page.drawing.strip.choose(1)
    assert page.wipe.after.pixelColor(2, 2).name() == "#00ff00"
    assert page.drawing.worn.first.words.text() == "1.00"
    faked.studio.runs.open(project)  # as after a restart
    qtbot.waitUntil(lambda: not faked.studio.runs.reading)
    assert [one.prompt for one in history.pictures] == ["two", "one"]
    assert history.file(history.pictures[0]).exists()


def test_a_picture_can_be_saved_and_copied(
    page: PreviewPage,
    workers: list[FakeWorker],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    draw(page)
    drawn = answer(workers[0])

    def typed(dialog: QFileDialog) -> int:
        dialog.findChild(QLineEdit).setText(str(tmp_path / "mine"))
        return 1

    monkeypatch.setattr(QFileDialog, "exec", typed)
    button(page, "Save this picture...").click()
    assert (tmp_path / "mine.png").read_bytes() == Path(drawn.path).read_bytes()
    button(page, "Copy this picture").click()
    assert QApplication.clipboard().image().pixelColor(2, 2).name() == "#00ff00"


def test_nothing_is_drawn_beside_a_run(
    page: PreviewPage, faked: MainWindow, workers: list[FakeWorker]
) -> None:
    faked.running.train()
    assert not button(page, "Make a picture").isEnabled()
    assert not page.drawing.worn.first.weight.isEnabled()
    assert "waits" in page.drawing.phase.text()
    page.drawing._draw()
    assert len(workers) == 1
    workers[0].end()
    assert button(page, "Make a picture").isEnabled()
    assert page.drawing.phase.text() == ""


def test_draw_with_it_brings_the_adapter_along(
    page: PreviewPage, faked: MainWindow, project: Project, qtbot: QtBot
) -> None:
    made_run(project, "#0000ff")
    faked.studio.runs.open(project)
    qtbot.waitUntil(lambda: not faked.studio.runs.reading)
    assert "002-" in page.drawing.worn.first.adapter.currentData()
    faked.show_page("Adapters")
    adapters_page(faked).list.choose(1)
    button(adapters_page(faked), "Draw with it").click()
    assert faked._page == "Preview"
    assert "001-" in page.drawing.worn.first.adapter.currentData()


def test_a_failure_to_draw_is_told(
    page: PreviewPage, faked: MainWindow, workers: list[FakeWorker]
) -> None:
    draw(page)
    workers[0].end(Failed(code="memory", message="There is not enough memory for this."))
    assert "not enough memory" in faked.messages.text


@pytest.fixture
def wipe(qtbot: QtBot) -> WipeView:
    made = WipeView()
    qtbot.addWidget(made)
    made.resize(400, 400)
    left, right = (QImage(128, 128, QImage.Format.Format_RGB32) for _ in range(2))
    left.fill("#ff0000")
    right.fill("#0000ff")
    made.show_pair(left, "untrained", right, "step 100")
    made.show()
    return made


def colours(wipe: WipeView) -> set[str]:
    image = wipe.grab().toImage()
    middle = wipe._place().center().y()
    return {image.pixelColor(x, middle).name() for x in range(0, image.width(), 3)}


def test_dragging_the_wipe_moves_its_edge_and_leaves_the_pictures(
    wipe: WipeView, qtbot: QtBot
) -> None:
    wipe.activateWindow()
    wipe.setFocus()
    place = wipe._place()
    for part in (0.25, 0.75):
        x = place.left() + round(part * place.width())
        point = QPoint(x, place.center().y())
        qtbot.mousePress(wipe, Qt.MouseButton.LeftButton, pos=point)
        assert wipe._share == pytest.approx(part, abs=0.02)
        assert {"#ff0000", "#0000ff"} <= colours(wipe)
    qtbot.mouseMove(wipe, QPoint(place.left() + place.width() // 2, place.center().y()))
    for _ in range(30):
        qtbot.keyClick(wipe, Qt.Key.Key_Left)
    assert wipe._share == 0
    assert "#0000ff" in colours(wipe)


def test_words_that_the_demo_base_does_not_know_are_told(
    faked: MainWindow, project: Project, qtbot: QtBot
) -> None:
    made = project.new_run(project.config())
    tell(made, adapter(made, 7))
    faked.studio.runs.open(project)
    faked.show_page("Preview")
    drawing = preview_page(faked).drawing
    qtbot.waitUntil(lambda: bool(drawing.worn.weights))
    drawing.prompt.setText("a fox on a wizard's velvet coat")
    assert drawing.hint.text() == "The demo base does not know wizard's, velvet, coat."
    drawing.prompt.setText("a fox")
    assert not drawing.hint.isVisible()
    faked.studio.settings.set("preview.prompts", ("a velvet fox", "a whale"))
    assert "the demo base does not know velvet" in [one.words for one in faked.studio.lacks()]
    faked.studio.settings.set("base", "/elsewhere")
    assert not any("demo base" in one.words for one in faked.studio.lacks())
