"""A caption as chips: edited by mouse and keys, written like a text, each a step back of its own."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from app.views import places
from app.views.main_window import MainWindow
from app.widgets.chips import LOOK, cross_of
from core.project.layout import Project
from tests.gui.conftest import dataset_page, editor_of

TEXTS = (
    b"\xef\xbb\xbffox, red ,night\r\nf\xc3\xbcrther line\r\n",
    b"fox, blue",
    b"fox, red, a\xc2\xa0b",
    b"",
    b"owl",
    b"fox, crimson, sea",
)
Key, Mod = Qt.Key, Qt.KeyboardModifier


@pytest.fixture
def page(faked: MainWindow, project: Project, qtbot: QtBot):
    for n, text in enumerate(TEXTS):
        (project.images / f"p{n:02}.txt").write_bytes(text)
    faked.show_page("Dataset")
    dataset = faked.studio.dataset
    dataset.rescan()
    qtbot.waitUntil(lambda: dataset.rows.pictures[4].caption == "owl" and not dataset.busy)
    shown = dataset_page(faked)
    shown.grid.choose(0)
    shown.editor.write_as(tags=True)
    faked.activateWindow()
    return shown


@pytest.fixture
def tags(page):
    return page.editor.tags


def written(project: Project, number: int = 0) -> bytes:
    return (project.images / f"p{number:02}.txt").read_bytes()


def shown(tags) -> list[str]:
    model = tags.chips.model()
    return [model.index(row).data() for row in range(model.rowCount())]


def centre(tags, row: int) -> QPoint:
    return tags.chips.visualRect(tags.chips.model().index(row)).center()


def press(qtbot: QtBot, tags, key: Key, held: Mod = Mod.NoModifier) -> None:
    qtbot.keyClick(tags.chips, key, held)


def test_keys_remove_edit_and_move_and_leave_every_other_byte(tags, qtbot, project, faked) -> None:
    """Mark, line ends and further lines stay; each step comes back by itself."""
    tags.chips.go_to(1)
    press(qtbot, tags, Key.Key_Delete)
    first = b"\xef\xbb\xbffox, night\r\nf\xc3\xbcrther line\r\n"
    assert written(project) == first
    press(qtbot, tags, Key.Key_Left, Mod.AltModifier)
    second = b"\xef\xbb\xbfnight, fox\r\nf\xc3\xbcrther line\r\n"
    assert written(project) == second
    assert tags.chips.row() == 0  # the keys go on with what was moved
    press(qtbot, tags, Key.Key_F2)
    line = tags.chips.findChild(QLineEdit)
    assert line.text() == "night"
    qtbot.keyClicks(line, "dusk, dawn")
    qtbot.keyClick(line, Key.Key_Return)
    qtbot.waitUntil(lambda: shown(tags) == ["dusk", "dawn", "fox"])
    assert written(project) == b"\xef\xbb\xbfdusk, dawn, fox\r\nf\xc3\xbcrther line\r\n"
    for wanted in (second, first, TEXTS[0]):
        faked.undo.trigger()
        assert written(project) == wanted
    assert shown(tags) == ["fox", "red", "night"]
    for _ in range(3):
        faked.redo.trigger()
    assert shown(tags) == ["dusk", "dawn", "fox"]


def test_the_mouse_removes_edits_and_drags(tags, qtbot, project) -> None:
    viewport = tags.chips.viewport()
    place = tags.chips.visualRect(tags.chips.model().index(1))
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=cross_of(place).center())
    assert shown(tags) == ["fox", "night"]
    start = centre(tags, 0) - QPoint(10, 0)
    end = tags.chips.visualRect(tags.chips.model().index(1)).center() + QPoint(20, 0)
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(viewport, end - QPoint(60, 0))
    qtbot.mouseMove(viewport, end)
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=end)
    assert shown(tags) == ["night", "fox"]
    assert written(project) == b"\xef\xbb\xbfnight, fox\r\nf\xc3\xbcrther line\r\n"
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=centre(tags, 1) - QPoint(10, 0))
    qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=centre(tags, 1) - QPoint(10, 0))
    line = tags.chips.findChild(QLineEdit)
    qtbot.keyClick(line, Key.Key_Delete)
    qtbot.keyClick(line, Key.Key_Return)  # nothing left of it: it goes
    qtbot.waitUntil(lambda: shown(tags) == ["night"])


def test_a_drag_that_ends_where_it_began_changes_nothing(tags, qtbot, project) -> None:
    viewport, start = tags.chips.viewport(), centre(tags, 1)
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(viewport, start + QPoint(60, 0))
    qtbot.mouseMove(viewport, start)
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=start)
    assert written(project) == TEXTS[0]


def test_tags_are_added_and_none_is_there_twice(tags, qtbot, project) -> None:
    qtbot.keyClicks(tags.more, "sea, ")
    assert shown(tags) == ["fox", "red", "night", "sea"]  # a comma ends one
    assert tags.more.text() == ""
    qtbot.keyClicks(tags.more, "RED")
    qtbot.keyClick(tags.more, Key.Key_Return)
    assert shown(tags) == ["fox", "red", "night", "sea"]
    assert tags.chips.row() == 1  # where it is already
    assert written(project).startswith(b"\xef\xbb\xbffox, red ,night, sea\r\n")
    qtbot.keyClick(tags.more, Key.Key_Backspace)
    assert tags.chips.row() == 3  # the keys go to the last one, which Delete removes
    press(qtbot, tags, Key.Key_Backspace)
    assert written(project) == TEXTS[0]


def test_what_others_have_is_offered_with_how_often(tags, page, qtbot, faked) -> None:
    faked.studio.tags.ask()
    qtbot.waitUntil(lambda: faked.studio.tags.ready)
    page.grid.choose(4)
    qtbot.keyClicks(tags.more, "r")
    words = tags.more.list.model()
    offered = [words.index(row, 0).data() for row in range(words.rowCount())]
    assert offered == ["red   2", "fürther line   1", "crimson   1"]  # what begins so comes first
    qtbot.keyClick(tags.more.list, Key.Key_Down)
    qtbot.keyClick(tags.more.list, Key.Key_Return)
    qtbot.waitUntil(lambda: shown(tags) == ["owl", "red"])
    qtbot.keyClicks(tags.more, "re")
    words = tags.more.list.model()
    assert not tags.more.offering  # what is here is not offered
    assert faked.studio.tags.counts["red"] == 3


def test_text_and_tags_are_switched_and_remembered(page, tags, qtbot, faked, project) -> None:
    editor = page.editor
    assert editor._text.isHidden()
    editor.switch()
    assert tags.isHidden()
    assert not places.captions_as_tags(faked.studio.store)
    page.grid.choose(2)
    editor._text.moveCursor(editor._text.textCursor().MoveOperation.Start)
    qtbot.keyClicks(editor._text, "old ")
    editor.switch()  # what was typed is saved, and shown
    assert written(project, 2) == b"old fox, red, a\xc2\xa0b"  # a blank that does not break, too
    assert shown(tags) == ["old fox", "red", "a\u00a0b"]
    tags.chips.go_to(0)
    press(qtbot, tags, Key.Key_Delete)
    editor.switch()
    assert editor_of(faked).toPlainText().startswith("red")
    assert written(project, 2) == b"red, a\xc2\xa0b"
    faked.show_palette()
    page._studio.actions["dataset.as_tags"].trigger()
    assert places.captions_as_tags(faked.studio.store)
    assert MainWindow().page("Dataset").widget.editor.as_tags


def test_what_a_run_does_to_each_is_shown_and_said(tags, page, faked, qtbot) -> None:
    model = tags.chips.model()
    said = lambda: [model.index(row).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(3)]  # noqa: E731
    assert said() == ["fox", "red", "night"]  # captions do not vary
    assert {model.index(row).data(LOOK) for row in range(3)} == {"fast"}
    assert "puts ballstyle in front" in tags.said.text()
    assert "1 further line" in tags.said.text()
    faked.studio.settings.change(
        {
            "dataset.trigger": "red",
            "dataset.keep_tags": 1,
            "dataset.shuffle_tags": True,
            "dataset.tag_dropout": 0.2,
        }
    )
    assert said() == [
        "fox: stays in its place",
        "red: the trigger word",
        "night: in any order, left out 20% of the time",
    ]
    assert "puts" not in tags.said.text()
    assert "Dashed: in any order, left out 20% of the time." in tags.said.text()
    looks = set()
    for row in range(3):  # not by colour alone: the outlines differ in black and white
        tags.chips.clearSelection()
        tags.chips.setCurrentIndex(model.index(-1))
        place = tags.chips.visualRect(model.index(row))
        image = tags.chips.viewport().grab(place).toImage()
        grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
        edge = [grey.pixelColor(x, 1).value() for x in range(8, grey.width() - 8)]
        looks.add((len(set(edge)) > 2, grey.pixelColor(5, grey.height() - 5).value()))
    assert len(looks) == 3


def test_what_cannot_be_written_stays_to_be_written(
    tags, page, project, monkeypatch, qtbot
) -> None:
    folder = project.images
    monkeypatch.setattr(
        "app.models.dataset.captions.write",
        lambda *_a, **_k: (_ for _ in ()).throw(OSError("full")),
    )
    tags.chips.go_to(0)
    press(qtbot, tags, Key.Key_Delete)
    assert page.editor.unsaved == 1
    page.grid.choose(1)
    assert shown(tags) == ["fox", "blue"]
    page.grid.choose(0)
    assert shown(tags) == ["red", "night"]
    monkeypatch.undo()
    page.save()
    assert Path(folder / "p00.txt").read_bytes().startswith(b"\xef\xbb\xbfred ,night\r\n")


def test_a_caption_changed_elsewhere_is_shown(tags, page, project, qtbot, faked) -> None:
    (project.images / "p00.txt").write_bytes(b"whale, sea")
    faked.studio.dataset.rescan()
    qtbot.waitUntil(lambda: shown(tags) == ["whale", "sea"])


def test_what_is_still_being_typed_goes_to_its_own_picture(tags, page, project, qtbot) -> None:
    tags.chips.go_to(1)
    press(qtbot, tags, Key.Key_F2)
    qtbot.keyClicks(tags.chips.findChild(QLineEdit), "crimson")
    page.grid.choose(1)
    assert written(project).startswith(b"\xef\xbb\xbffox, crimson ,night\r\n")
    qtbot.keyClicks(tags.more, "gull")
    page.grid.choose(2)
    assert written(project, 1) == b"fox, blue, gull"
    assert tags.more.text() == ""
    qtbot.wait(50)
    assert written(project, 1) == b"fox, blue, gull"
    assert written(project, 2) == TEXTS[2]
    qtbot.keyClicks(tags.more, "late")
    page.save()  # as when the window is closed
    assert written(project, 2) == TEXTS[2] + b", late"
