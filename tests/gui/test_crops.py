"""What a crop keeps is seen on the picture, and put elsewhere by a click or by keys."""

import json
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from app.views.main_window import MainWindow
from app.widgets.picture import fitted
from core.base.vocabulary import vocabulary_of
from core.project.layout import Project, named_base
from tests.gui.conftest import dataset_page, open_project


@pytest.fixture
def wide(faked: MainWindow, project: Project, qtbot: QtBot) -> MainWindow:
    """A picture of 300 x 100 px, of which a run at 64 px keeps a third."""
    for file in project.images.iterdir():
        file.unlink()
    Image.new("RGB", (300, 100), "#c33").save(project.images / "wide.png")
    Image.new("RGB", (200, 200), "#3c3").save(project.images / "square.png")
    open_project(faked, qtbot, project, pictures=2)
    faked.show_page("Dataset")
    dataset_page(faked)._choose(1)
    qtbot.waitUntil(lambda: not view(faked).empty)
    return faked


def view(window: MainWindow):
    return dataset_page(window).editor._picture


def words(window: MainWindow) -> str:
    return dataset_page(window).editor._name.text()


def click(window: MainWindow, qtbot: QtBot, x: float, y: float = 0.5) -> None:
    place = fitted(view(window)._image, view(window).rect())
    at = QPoint(
        place.left() + round(x * (place.width() - 1)), place.top() + round(y * place.height())
    )
    qtbot.mouseClick(view(window), Qt.MouseButton.LeftButton, pos=at)


def file_of(project: Project) -> Path:
    return project.root / "focus.json"


def test_what_is_cut_off_is_said_and_shown(wide: MainWindow) -> None:
    assert words(wide).startswith("wide.png   300 x 100 px, learnt at 64 x 64; ")
    kept = view(wide).kept
    lost = round(100 * (1 - kept.width()))
    assert f"{lost}% is cut off" in words(wide)
    assert kept.center().x() == pytest.approx(0.5, abs=0.01)
    assert (kept.top(), kept.height()) == (0, 1)
    dataset_page(wide)._choose(0)
    assert words(wide) == "square.png   200 x 200 px, learnt at 64 x 64"
    assert not view(wide).cuts


def test_the_veil_lies_on_what_is_cut_off(wide: MainWindow) -> None:
    drawn = view(wide).grab().toImage()
    place = fitted(view(wide)._image, view(wide).rect())
    middle = place.center()
    inside = drawn.pixelColor(middle)
    outside = drawn.pixelColor(place.left() + 6, middle.y())
    assert inside.red() - inside.blue() > 100
    assert abs(outside.red() - outside.blue()) < 60


def test_a_click_keeps_that_part_and_can_be_undone(
    wide: MainWindow, project: Project, qtbot: QtBot
) -> None:
    click(wide, qtbot, 0.0)
    assert view(wide).kept.left() == 0
    (point,) = json.loads(file_of(project).read_bytes()).items()
    assert point == ("images/wide.png", [0.0, pytest.approx(0.5, abs=0.05)])
    click(wide, qtbot, 1.0)
    assert view(wide).kept.right() == pytest.approx(1, abs=0.01)
    wide.undo.trigger()  # two clicks on one picture are one step
    assert not file_of(project).exists()  # as before
    assert view(wide).kept.center().x() == pytest.approx(0.5, abs=0.01)
    wide.redo.trigger()
    assert view(wide).kept.right() == pytest.approx(1, abs=0.01)


def test_keys_do_the_same(wide: MainWindow, project: Project, qtbot: QtBot) -> None:
    view(wide).setFocus()
    left = view(wide).kept.left()
    qtbot.keyClick(view(wide), Qt.Key.Key_Left)
    qtbot.keyClick(view(wide), Qt.Key.Key_Left)
    assert view(wide).kept.left() < left
    qtbot.keyClick(view(wide), Qt.Key.Key_Home)
    assert view(wide).kept.left() == left
    assert json.loads(file_of(project).read_bytes()) == {}


def test_another_resolution_is_another_crop(wide: MainWindow) -> None:
    wide.studio.settings.set("dataset.resolution_px", 256)
    assert words(wide).startswith("wide.png   300 x 100 px, learnt at 320 x 192; 44% is cut off")


def test_no_base_no_crop(wide: MainWindow) -> None:
    wide.studio.settings.set("base", "")
    assert words(wide) == "wide.png   300 x 100 px"
    assert not view(wide).cuts


def test_a_damaged_file_is_told_and_stays(wide: MainWindow, project: Project, qtbot: QtBot) -> None:
    file_of(project).write_text("{")
    click(wide, qtbot, 0.0)
    assert "focus.json" in wide.messages.text
    assert file_of(project).read_text() == "{"


def test_tokens_are_counted_as_the_base_reads_them(
    faked: MainWindow, project: Project, qtbot: QtBot
) -> None:
    open_project(faked, qtbot, project)
    faked.studio.settings.set("base", "demo")
    faked.show_page("Dataset")
    dataset_page(faked)._choose(0)
    editor = dataset_page(faked).editor
    vocabulary = vocabulary_of(named_base("demo", Path()))
    used = vocabulary.count("a ball number 0")
    qtbot.waitUntil(lambda: f"{used} tokens of {vocabulary.at_once}" in editor._count.text())
    editor._text.setPlainText("word " * 4 * vocabulary.at_once)
    assert f"parts of {vocabulary.at_once}" in editor._count.text()
    faked.studio.settings.set("base", "")
    assert "token" not in editor._count.text()
