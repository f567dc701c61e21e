"""The Dataset page: captions are kept, whoever else writes them, and pictures go where asked."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app import theme
from app.models.picture_rows import Role
from app.views.main_window import MainWindow
from core.errors import StorageError
from core.project.layout import Project, create
from tests.conftest import draw_picture, fill, small_config
from tests.gui.conftest import button, dataset_page, editor_of, open_project


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
    grid.setCurrentIndex(dataset_page(opened).shown.index(2))
    sidecar = project.images / "p02.txt"
    sidecar.write_bytes(b"from a tagger\r\n")
    grid.setCurrentIndex(dataset_page(opened).shown.index(3))
    dataset_page(opened).save()
    assert sidecar.read_bytes() == b"from a tagger\r\n"


def test_writing_goes_on_while_files_come_and_go(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    grid = dataset_page(opened).grid
    grid.setCurrentIndex(dataset_page(opened).shown.index(3))
    editor = editor_of(opened)
    editor.setFocus()
    editor.selectAll()
    qtbot.keyClicks(editor, "first ")
    fill(project.images / "new", 2)
    (project.images / "p00.png").unlink()
    opened.studio.dataset.rescan()
    qtbot.waitUntil(
        lambda: opened.studio.dataset.rows.rowCount() == 7 and not opened.studio.dataset.busy
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
    grid.setCurrentIndex(dataset_page(opened).shown.index(2))
    for left in (5, 4):
        qtbot.keyClick(grid, Qt.Key.Key_Delete)
        qtbot.waitUntil(lambda left=left: opened.studio.dataset.rows.rowCount() == left)
    names = [p.path.name for p in opened.studio.dataset.rows.pictures]
    assert names == ["p00.png", "p01.png", "p04.png", "p05.png"]


def test_captions_that_cannot_be_saved_are_not_lost_in_silence(
    opened: MainWindow, qtbot: QtBot, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = dataset_page(opened).grid
    editor = editor_of(opened)

    def full(path: Path, _text: str, **_: object) -> None:
        raise StorageError(f"Could not write {path}: No space left on device.")

    monkeypatch.setattr("app.models.dataset.captions.write", full)
    for row in (1, 2):
        grid.setCurrentIndex(dataset_page(opened).shown.index(row))
        editor.selectAll()
        qtbot.keyClicks(editor, f"words {row}")
    grid.setCurrentIndex(dataset_page(opened).shown.index(0))
    assert "No space left" in opened.messages.text
    asked = []
    opened.closing.ask_to_lose = lambda count: asked.append(count) is not None
    assert not opened.close()
    assert asked == [2]
    grid.setCurrentIndex(dataset_page(opened).shown.index(1))
    assert editor.toPlainText() == "words 1"
    monkeypatch.undo()
    assert opened.close()
    assert (project.images / "p01.txt").read_text() == "words 1"
    assert (project.images / "p02.txt").read_text() == "words 2"


def test_words_for_a_picture_that_is_gone_do_not_keep_the_window_open(
    opened: MainWindow, qtbot: QtBot, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _text: str, **_: object) -> None:
        raise StorageError(f"Could not write {path}: No space left on device.")

    monkeypatch.setattr("app.models.dataset.captions.write", full)
    qtbot.keyClicks(editor_of(opened), "New words. ")
    dataset_page(opened).grid.setCurrentIndex(dataset_page(opened).shown.index(3))
    assert dataset_page(opened).save() == 1
    for file in project.images.glob("p00.*"):
        file.unlink()
    opened.studio.dataset.rescan()
    qtbot.waitUntil(lambda: opened.studio.dataset.rows.rowCount() == 5)
    assert dataset_page(opened).save() == 0


def gone_for_a_moment(opened: MainWindow, qtbot: QtBot, picture: Path) -> None:
    """As when an image editor saves it, or a sync tool works."""
    picture.rename(picture.with_suffix(".tmp"))
    dataset = opened.studio.dataset
    dataset.rescan()
    qtbot.waitUntil(lambda: dataset.rows.rowCount() == 5 and not dataset.busy)


def back_again(opened: MainWindow, qtbot: QtBot, picture: Path) -> None:
    picture.with_suffix(".tmp").rename(picture)
    dataset = opened.studio.dataset
    dataset.rescan()
    qtbot.waitUntil(lambda: dataset.rows.rowCount() == 6 and not dataset.busy)


def test_typing_never_goes_on_into_another_pictures_caption(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    page, editor = dataset_page(opened), editor_of(opened)
    page.grid.choose(3)
    editor.setFocus()
    editor.selectAll()
    qtbot.keyClicks(editor, "words for p03 ")
    gone_for_a_moment(opened, qtbot, project.images / "p03.png")
    qtbot.keyClicks(editor, "and more")
    assert page.editor.path == project.images / "p03.png"
    assert not page.grid.chosen_rows()
    assert "not there just now" in page.editor._name.text()
    assert page.save() == 0  # it is gone: nothing keeps the window open
    back_again(opened, qtbot, project.images / "p03.png")
    sidecar = project.images / "p03.txt"
    qtbot.waitUntil(lambda: sidecar.read_text() == "words for p03 and more")
    assert page.grid.chosen_rows() == [3]
    others = [p for p in project.images.glob("*.txt") if "and more" in p.read_text()]
    assert others == [sidecar]


def test_focus_alone_keeps_the_editor_at_its_picture(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    page, editor = dataset_page(opened), editor_of(opened)
    page.grid.choose(3)
    opened.activateWindow()
    editor.setFocus()
    qtbot.waitUntil(editor.hasFocus)
    gone_for_a_moment(opened, qtbot, project.images / "p03.png")
    assert page.editor.path == project.images / "p03.png"
    back_again(opened, qtbot, project.images / "p03.png")
    page.grid.setFocus()
    gone_for_a_moment(opened, qtbot, project.images / "p03.png")
    assert page.editor.path == project.images / "p04.png"  # nobody writes: another is shown
    assert page.grid.chosen_rows() == [3]


def test_words_survive_that_their_picture_was_gone(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    page, editor = dataset_page(opened), editor_of(opened)
    page.grid.choose(5)
    editor.setFocus()
    editor.selectAll()
    page.editor._timer.setInterval(100_000)  # a fast typist
    qtbot.keyClicks(editor, "a long new caption")
    gone_for_a_moment(opened, qtbot, project.images / "p05.png")
    back_again(opened, qtbot, project.images / "p05.png")
    page.save()
    assert (project.images / "p05.txt").read_text() == "a long new caption"


def test_a_caption_goes_to_its_own_file(opened: MainWindow, project: Project, qtbot: QtBot) -> None:
    page, editor = dataset_page(opened), editor_of(opened)
    page.grid.choose(4)
    editor.selectAll()
    qtbot.keyClicks(editor, "for the fourth")
    page.save()
    texts = {p.name: p.read_text() for p in project.images.glob("*.txt")}
    assert texts["p04.txt"] == "for the fourth"
    assert [name for name, text in texts.items() if "ball number" not in text] == ["p04.txt"]


def test_keys_undo_a_saved_caption_from_the_editor(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    page, editor = dataset_page(opened), editor_of(opened)
    opened.activateWindow()
    editor.setFocus()
    editor.selectAll()
    qtbot.keyClicks(editor, "new words")
    page.save()
    page.grid.choose(1)
    editor.setFocus()
    qtbot.waitUntil(editor.hasFocus)
    qtbot.keyClick(editor, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (project.images / "p00.txt").read_text() == "a ball number 0"
    assert page.editor.path == project.images / "p00.png"  # what was undone is shown


def test_typing_is_undone_in_the_editor_first(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    page, editor = dataset_page(opened), editor_of(opened)
    opened.activateWindow()
    editor.setFocus()
    qtbot.waitUntil(editor.hasFocus)
    qtbot.keyClicks(editor, "x")
    qtbot.keyClick(editor, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert editor.toPlainText() == "a ball number 0"
    assert page.editor.path == project.images / "p00.png"


def test_an_undone_removal_leaves_one_chosen(
    opened: MainWindow, qtbot: QtBot, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, dataset = dataset_page(opened), opened.studio.dataset
    page.grid.setFocus()
    page.grid.choose(1)
    for _ in range(2):
        qtbot.keyClick(page.grid, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    page.grid.selectAll()
    qtbot.keyClick(page.grid, Qt.Key.Key_Delete)
    assert dataset.rows.rowCount() == 0
    held = Qt.KeyboardModifier.ControlModifier  # as while Ctrl+Z is pressed
    monkeypatch.setattr("PySide6.QtWidgets.QApplication.keyboardModifiers", lambda: held)
    opened.undo.trigger()
    qtbot.waitUntil(lambda: dataset.rows.rowCount() == 6 and not dataset.busy)
    assert len(page.grid.chosen_rows()) == 1
    assert page.editor.path == dataset.rows.pictures[page.grid.chosen_rows()[0]].path


def test_the_banners_undo_is_that_of_its_removal(opened: MainWindow, qtbot: QtBot) -> None:
    page, dataset = dataset_page(opened), opened.studio.dataset
    qtbot.keyClicks(editor_of(opened), "x")
    page.grid.choose(2)
    page.remove_chosen()
    assert "Removed 1 picture." in opened.messages.text
    opened.undo.trigger()
    assert "Removed" not in opened.messages.text
    qtbot.waitUntil(lambda: dataset.rows.rowCount() == 6 and not dataset.busy)


def test_an_undo_says_what_it_could_not_bring_back(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    dataset = opened.studio.dataset
    path = dataset.rows.pictures[0].path
    dataset.remove([path])
    qtbot.waitUntil(lambda: not dataset.busy)
    draw_picture(path, 3)  # another of that name comes
    new = path.read_bytes()
    dataset.undo_stack.undo()
    qtbot.waitUntil(lambda: "another file now in the place of p00" in opened.messages.text)
    assert path.read_bytes() == new
    assert sorted(p.name for p in project.bin.iterdir()) == ["p00.png", "p00.txt"]


def test_a_removal_is_undone_while_it_goes_on(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    dataset = opened.studio.dataset
    contents = {p.path: p.path.read_bytes() for p in dataset.rows.pictures}
    dataset.remove(list(contents))
    dataset.undo_stack.undo()
    dataset.undo_stack.redo()
    dataset.undo_stack.undo()
    qtbot.waitUntil(lambda: dataset.rows.rowCount() == 6 and not dataset.busy)
    assert {p.path: p.path.read_bytes() for p in dataset.rows.pictures} == contents
    assert all(p.caption for p in dataset.rows.pictures)


def test_an_import_can_be_undone_and_redone(
    opened: MainWindow, qtbot: QtBot, project: Project, tmp_path: Path
) -> None:
    dataset = opened.studio.dataset
    fill(tmp_path / "x", 3)
    dataset.import_paths([tmp_path / "x"])
    qtbot.waitUntil(lambda: dataset.rows.rowCount() == 9 and not dataset.busy)
    assert opened.undo.text() == "Undo: 3 pictures added"
    opened.undo.trigger()
    assert opened.redo.text() == "Redo: 3 pictures added"
    qtbot.waitUntil(lambda: dataset.rows.rowCount() == 6)
    qtbot.waitUntil(lambda: not dataset.busy)
    assert len(list(project.images.glob("*.png"))) == 6
    opened.redo.trigger()
    qtbot.waitUntil(lambda: dataset.rows.rowCount() == 9 and not dataset.busy)
    assert all(picture.caption for picture in dataset.rows.pictures)


@pytest.mark.parametrize("where", ["copy_beside", "taken_stems"])
def test_an_import_that_breaks_ends_with_words(
    opened: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    def broken(*_a: object, **_k: object) -> None:
        raise (ValueError if where == "copy_beside" else KeyError)("embedded null byte")

    monkeypatch.setattr(f"app.models.importer.{where}", broken)
    fill(tmp_path / "x", 3)
    opened.studio.dataset.import_paths([tmp_path / "x"])
    qtbot.waitUntil(lambda: not opened.studio.dataset.importing)
    assert "embedded null byte" in opened.messages.text
    qtbot.waitUntil(lambda: not opened.studio.dataset.busy)


def test_file_names_are_shown_as_they_are(opened: MainWindow) -> None:
    opened.studio.news.failure("Could not copy <b>x</b>.png: no.")
    shown = [w for w in opened.messages.findChildren(QLabel) if "<b>x</b>" in w.text()]
    assert [label.textFormat() for label in shown] == [Qt.TextFormat.PlainText]


def test_findings_are_listed_and_lead_to_their_picture(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    page, dataset = dataset_page(opened), opened.studio.dataset
    (project.images / "broken.png").write_bytes(b"no picture")
    (project.images / "p04.txt").write_text("")
    dataset.rescan()
    qtbot.waitUntil(lambda: not dataset.busy)
    assert button(page, "2 findings").isVisible()
    opened.studio.actions["dataset.findings"].trigger()
    lines = [dataset.findings.index(row).data() for row in range(2)]
    assert page.findings.isVisible()
    assert lines[0] == "broken.png: It is not a picture."  # what is left out comes first
    assert lines[1] == "p04.png: It has no caption."
    page.findings.list.setCurrentIndex(dataset.findings.index(1))
    assert page.editor.path == project.images / "p04.png"
    qtbot.keyClicks(editor_of(opened), "now it has")
    page.save()
    assert button(page, "1 finding").isVisible()


def test_an_uncaptioned_picture_is_marked(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    page = dataset_page(opened)
    (project.images / "p01.txt").write_text("")
    opened.studio.dataset.rescan()
    warn = theme.current().warn
    qtbot.waitUntil(lambda: opened.studio.dataset.rows.index(1).data(Role.FINDING) == "no caption")

    def marked() -> bool:
        image = page.grid.viewport().grab().toImage()
        place = page.grid.visualRect(page.shown.index(1))
        line = range(place.bottom() - 20, place.bottom())
        inks = {
            image.pixelColor(x, y).name() for y in line for x in range(place.left(), place.right())
        }
        return warn in inks

    qtbot.waitUntil(marked)


def test_zoom_changes_the_tiles(opened: MainWindow) -> None:
    page = dataset_page(opened)
    page._zoom.setValue(200)
    assert page.grid.edge_px == 200
    assert opened.studio.dataset.rows.tile_px == 200


def test_the_large_picture_takes_the_thumbnails_place(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    project = create(tmp_path / "large", small_config("demo"))
    draw_picture(project.images / "a.png", 1, (900, 900))
    open_project(window, qtbot, project, pictures=1)
    picture = dataset_page(window).editor._picture
    qtbot.waitUntil(lambda: picture._image.width() == 900)


def test_the_chosen_picture_comes_back_with_its_project(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    page = dataset_page(opened)
    page.grid.choose(4)
    opened.studio.workspace.open_new("Other")
    assert page.editor.path is None
    open_project(opened, qtbot, project)
    assert page.grid.chosen_rows() == [4]
    assert page.editor.path == project.images / "p04.png"
