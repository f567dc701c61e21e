"""The Dataset page: captions are kept, whoever else writes them, and pictures go where asked."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.models.dataset import Role
from app.views.main_window import MainWindow
from core.errors import StorageError
from core.project.layout import Project
from tests.conftest import fill
from tests.gui.conftest import dataset_page, editor_of


def test_a_caption_is_saved_while_writing(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    editor = editor_of(opened)
    editor.setFocus()
    editor.selectAll()
    qtbot.keyClicks(editor, "a green parrot")
    sidecar = project.images / "p00.txt"
    qtbot.waitUntil(lambda: sidecar.read_text() == "a green parrot")


def test_a_caption_changed_elsewhere_is_not_written_over(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    grid = dataset_page(opened).grid
    grid.setCurrentIndex(opened.studio.dataset.index(2))
    sidecar = project.images / "p02.txt"
    sidecar.write_bytes(b"from a tagger\r\n")
    grid.setCurrentIndex(opened.studio.dataset.index(3))
    dataset_page(opened).save()
    assert sidecar.read_bytes() == b"from a tagger\r\n"


def test_writing_goes_on_while_files_come_and_go(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    grid = dataset_page(opened).grid
    grid.setCurrentIndex(opened.studio.dataset.index(3))
    editor = editor_of(opened)
    editor.setFocus()
    editor.selectAll()
    qtbot.keyClicks(editor, "first ")
    fill(project.images / "new", 2)
    (project.images / "p00.png").unlink()
    opened.studio.dataset.rescan()
    qtbot.waitUntil(
        lambda: opened.studio.dataset.rowCount() == 7 and not opened.studio.dataset.busy
    )
    assert grid.currentIndex().data(Role.PATH).name == "p03.png"
    qtbot.keyClicks(editor, "second")
    sidecar = project.images / "p03.txt"
    qtbot.waitUntil(lambda: sidecar.read_text() == "first second")


def test_a_line_end_while_writing_is_no_other_program(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    editor = editor_of(opened)
    editor.setFocus()
    editor.selectAll()
    sidecar = project.images / "p00.txt"
    for keys, text in (("first\r", "first"), ("second", "first\nsecond")):
        qtbot.keyClicks(editor, keys)
        qtbot.waitUntil(lambda text=text: sidecar.read_text() == text)
        opened.studio.dataset.rescan()
        qtbot.waitUntil(lambda: not opened.studio.dataset.busy)
    assert not opened.messages.isVisible()
    assert editor.toPlainText() == "first\nsecond"


def test_delete_goes_on_with_the_next_picture(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    grid = dataset_page(opened).grid
    grid.setCurrentIndex(opened.studio.dataset.index(2))
    for left in (5, 4):
        qtbot.keyClick(grid, Qt.Key.Key_Delete)
        qtbot.waitUntil(lambda left=left: opened.studio.dataset.rowCount() == left)
    names = [p.path.name for p in opened.studio.dataset.pictures]
    assert names == ["p00.png", "p01.png", "p04.png", "p05.png"]


def test_captions_that_cannot_be_saved_are_not_lost_in_silence(
    opened: MainWindow, qtbot: QtBot, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = dataset_page(opened).grid
    editor = editor_of(opened)

    def full(path: Path, _text: str) -> None:
        raise StorageError(f"Could not write {path}: No space left on device.")

    monkeypatch.setattr("app.models.dataset.captions.write", full)
    for row in (1, 2):
        grid.setCurrentIndex(opened.studio.dataset.index(row))
        editor.selectAll()
        qtbot.keyClicks(editor, f"words {row}")
    grid.setCurrentIndex(opened.studio.dataset.index(0))
    assert "No space left" in opened.messages.text
    asked = []
    opened.closing.ask_to_lose = lambda count: asked.append(count) is not None
    assert not opened.close()
    assert asked == [2]
    grid.setCurrentIndex(opened.studio.dataset.index(1))
    assert editor.toPlainText() == "words 1"
    monkeypatch.undo()
    assert opened.close()
    assert (project.images / "p01.txt").read_text() == "words 1"
    assert (project.images / "p02.txt").read_text() == "words 2"


def test_words_for_a_picture_that_is_gone_do_not_keep_the_window_open(
    opened: MainWindow, qtbot: QtBot, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _text: str) -> None:
        raise StorageError(f"Could not write {path}: No space left on device.")

    monkeypatch.setattr("app.models.dataset.captions.write", full)
    qtbot.keyClicks(editor_of(opened), "New words. ")
    dataset_page(opened).grid.setCurrentIndex(opened.studio.dataset.index(3))
    assert dataset_page(opened).save() == 1
    for file in project.images.glob("p00.*"):
        file.unlink()
    opened.studio.dataset.rescan()
    qtbot.waitUntil(lambda: opened.studio.dataset.rowCount() == 5)
    assert dataset_page(opened).save() == 0
