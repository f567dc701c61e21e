"""The tags of all captions: found, shown, renamed, merged, taken out, each as one step back."""

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.views.main_window import MainWindow
from app.views.rewording_dialog import EVERY, SHOWN
from app.views.tag_panel import ALWAYS, BY_NAME, LIKE, ONCE
from core.project.layout import Project
from tests.conftest import draw_picture
from tests.gui.conftest import dataset_page

COUNT = 12
Key, Mod = Qt.Key, Qt.KeyboardModifier


@pytest.fixture
def page(faked: MainWindow, project: Project, qtbot: QtBot):
    """Twelve pictures, all drawn, eleven crimson and one misspelt."""
    for n in range(COUNT):
        picture = draw_picture(project.images / f"p{n:02}.png", n)
        colour = "crimsom" if n == 3 else "crimson"
        more = ", Sea, red" if n < 2 else ""
        picture.with_suffix(".txt").write_bytes(f"ink, {colour}{more}\r\nmore".encode())
    faked.show_page("Dataset")
    dataset = faked.studio.dataset
    dataset.rescan()
    qtbot.waitUntil(lambda: dataset.rows.rowCount() == COUNT and not dataset.busy)
    shown = dataset_page(faked)
    faked.activateWindow()
    shown.turn_tags()
    qtbot.waitUntil(lambda: len(rows(shown)) > 0)
    return shown


def rows(page) -> list[str]:
    model = page.tags.list.model()
    indexes = [model.index(row) for row in range(model.rowCount())]
    return [f"{index.data()} {index.data(Qt.ItemDataRole.UserRole)}" for index in indexes]


def texts(project: Project) -> list[str]:
    return [(project.images / f"p{n:02}.txt").read_bytes().decode() for n in range(COUNT)]


def choose(page, *tags: str) -> None:
    model, selection = page.tags.list.model(), page.tags.list.selectionModel()
    selection.clear()
    for row in range(model.rowCount()):
        if model.index(row).data() in tags:
            selection.select(model.index(row), selection.SelectionFlag.Select)


def test_all_are_listed_found_and_put_in_order(page, qtbot: QtBot) -> None:
    panel = page.tags
    assert rows(page) == ["ink 12", "more 12", "crimson 11", "red 2", "Sea 2", "crimsom 1"]
    assert panel.title.text() == "6 tags"
    panel.order.setCurrentIndex(BY_NAME)
    assert rows(page) == ["crimsom 1", "crimson 11", "ink 12", "more 12", "red 2", "Sea 2"]
    qtbot.keyClicks(panel.field, "RE")
    qtbot.waitUntil(lambda: rows(page) == ["more 12", "red 2"])
    panel.field.clear()
    kinds = {}
    for kind in (ALWAYS, ONCE, LIKE):
        panel.kind.setCurrentIndex(kind)
        kinds[panel.kind.currentText()] = rows(page)
        assert panel.hint.text().split()[0] in ("What", "A")
    assert kinds == {
        "On every picture 2": ["ink 12", "more 12"],
        "Only once 1": ["crimsom 1"],
        "Like another 1": ["crimsom 1"],
    }


def test_a_click_shows_the_pictures_with_it(page, qtbot: QtBot) -> None:
    model, view = page.tags.list.model(), page.tags.list
    place = view.visualRect(model.index(3)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert page.search.words.text() == "tag:red"
    assert page.shown.rowCount() == 2
    choose(page, "crimsom", "red")
    view.setFocus()
    qtbot.keyClick(view, Key.Key_Return)
    assert page.shown.rowCount() == 3
    page.turn_tags()
    assert not page.tags.isVisible()
    assert page.shown.rowCount() == 3


def test_a_misspelt_one_is_merged_and_comes_back_byte_for_byte(
    page, project, faked, qtbot: QtBot
) -> None:
    before = texts(project)
    page.tags.kind.setCurrentIndex(LIKE)
    choose(page, "crimsom")
    assert page.tags.hint.text() == "It looks like crimson, which is on 11."
    page.search.words.setText("sea")
    page.search.apply()  # everywhere is everywhere, whatever is shown
    page.tags.buttons["rename"].click()
    dialog = page.dialog
    assert (dialog.words.text(), dialog.by.text()) == ("crimsom", "crimson")
    assert dialog.scope.currentData() == EVERY
    assert dialog.said.text() == "crimson is on 11 pictures already: they become one tag."
    assert texts(project) == before
    dialog.change.click()
    qtbot.waitUntil(lambda: texts(project)[3] == "ink, crimson\r\nmore")
    page.tags.kind.setCurrentIndex(0)
    qtbot.waitUntil(lambda: "crimson 12" in rows(page))
    assert "crimsom 1" not in rows(page)
    faked.undo.trigger()
    qtbot.waitUntil(lambda: texts(project) == before)
    qtbot.waitUntil(lambda: "crimsom 1" in rows(page))


def test_several_become_one(page, project, qtbot: QtBot) -> None:
    choose(page, "Sea", "red")
    assert page.tags.buttons["rename"].text() == "Merge..."
    page.tags.rename()
    page.dialog.by.setText("red sea")
    page.dialog.work_out()
    page.dialog.change.click()
    qtbot.waitUntil(lambda: texts(project)[:2] == ["ink, crimson, red sea\r\nmore"] * 2)
    qtbot.waitUntil(lambda: "red sea 2" in rows(page) and len(rows(page)) == 5)


def test_one_is_taken_out_everywhere_by_keys(page, project, faked, qtbot: QtBot) -> None:
    before = texts(project)
    choose(page, "ink", "Sea")
    page.tags.list.setFocus()
    qtbot.keyClick(page.tags.list, Key.Key_Delete)
    assert page.dialog.change.text() == "Change 12 captions"
    page.dialog.change.click()
    qtbot.waitUntil(lambda: texts(project)[0] == "crimson, red\r\nmore")
    assert page._model.undo_stack.count() == 1
    faked.undo.trigger()
    qtbot.waitUntil(lambda: texts(project) == before)


def test_one_is_added_to_what_is_shown(page, project, qtbot: QtBot) -> None:
    choose(page, "red")
    page.search.words.setText("crimsom")
    page.search.apply()
    page.tags.add()
    assert page.dialog.scope.currentData() == SHOWN
    page.dialog.change.click()
    qtbot.waitUntil(lambda: texts(project)[3].endswith(", red"))
    assert texts(project)[4] == "ink, crimson\r\nmore"


def test_a_written_caption_is_counted_at_once(page, project, faked, qtbot: QtBot) -> None:
    path = faked.studio.dataset.rows.pictures[5].path
    faked.studio.dataset.set_caption(path, "ink, gull", "ink, crimson\nmore")
    assert faked.studio.tags.counts["gull"] == 1
    assert faked.studio.tags.counts["more"] == COUNT - 1
    qtbot.waitUntil(lambda: "gull 1" in rows(page))


def test_pictures_that_go_take_their_tags_along(page, faked, qtbot: QtBot) -> None:
    pictures = faked.studio.dataset.rows.pictures
    faked.studio.dataset.remove([pictures[0].path, pictures[1].path])
    qtbot.waitUntil(lambda: "red 2" not in rows(page) and "ink 10" in rows(page))


def test_keys_open_and_close_it(page, faked, qtbot: QtBot) -> None:
    held = Mod.ControlModifier | Mod.ShiftModifier
    qtbot.keyClick(page.grid, Key.Key_T, held)
    assert not page.tags.isVisible()
    qtbot.keyClick(page.grid, Key.Key_T, held)
    qtbot.waitUntil(page.tags.field.hasFocus)
    qtbot.keyClicks(page.tags.field, "sea")
    qtbot.keyClick(page.tags.field, Key.Key_Return)
    assert page.tags.list.hasFocus()
    assert page.tags.chosen_tags == ["Sea"]
