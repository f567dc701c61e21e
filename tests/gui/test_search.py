"""Searching the dataset: what is shown, what stays chosen, what is written."""

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.models.shown_rows import ShownRows
from app.views.main_window import MainWindow
from app.views.picture_search import ALL, AMISS, SILENT
from core.project.layout import Project
from tests.conftest import draw_picture
from tests.gui.conftest import dataset_page


@pytest.fixture
def page(faked: MainWindow, project: Project, qtbot: QtBot):
    """Six pictures with captions, of which two have none any more."""
    for name in ("p01", "p03"):
        (project.images / f"{name}.txt").write_text("", encoding="utf-8")
    (project.images / "p04.txt").write_text("a fox, red, night", encoding="utf-8")
    faked.show_page("Dataset")
    shown = dataset_page(faked)
    faked.studio.dataset.rescan()
    qtbot.waitUntil(lambda: faked.studio.dataset.rows.silent == 2 and not faked.studio.dataset.busy)
    return shown


def names(page) -> list[str]:
    return [picture.path.stem for picture in page.shown.pictures]


def search(page, text: str) -> list[str]:
    page.search.words.setText(text)
    page.search.apply()
    return names(page)


def test_words_and_views_narrow_what_is_shown(page) -> None:
    assert search(page, "ball -5") == ["p00", "p02"]
    assert page._count.text() == "2 of 6 pictures"
    assert page.grid.model().rowCount() == 2
    assert search(page, "tag:red") == ["p04"]
    page.search.views.button(SILENT).click()
    assert names(page) == []
    assert search(page, "") == ["p01", "p03"]
    assert page.search.views.button(SILENT).text() == "No caption 2"
    page.search.views.button(AMISS).click()
    assert set(names(page)) >= {"p01", "p03"}
    page.search.views.button(ALL).click()
    assert len(names(page)) == 6
    assert page._count.text() == "6 pictures"


def test_the_chosen_picture_stays_while_it_fits(page) -> None:
    page.grid.choose(4)
    assert page.editor.path.stem == "p04"
    search(page, "fox")
    assert page.editor.path.stem == "p04"
    assert page.grid.currentIndex().row() == 0
    search(page, "ball")
    assert page.editor.path.stem == "p00"
    search(page, "")
    assert page.grid.currentIndex().row() == 0


def test_a_caption_written_goes_to_the_picture_that_is_shown(page, project: Project) -> None:
    """Also where it fits the search no longer: nothing moves under who writes."""
    page.search.views.button(SILENT).click()
    assert page.editor.path.stem == "p01"
    page.editor._text.insertPlainText("a whale")
    page.editor.save()
    assert (project.images / "p01.txt").read_text(encoding="utf-8") == "a whale"
    assert names(page) == ["p01", "p03"]
    assert page.editor.path.stem == "p01"
    page.search.apply()
    assert names(page) == ["p03"]
    assert (project.images / "p03.txt").read_text(encoding="utf-8") == ""


def test_what_is_removed_is_what_is_shown(page, faked: MainWindow, project: Project, qtbot) -> None:
    search(page, "ball")
    page.grid.choose(1)
    page.remove_chosen()
    assert names(page) == ["p00", "p05"]
    qtbot.waitUntil(lambda: not (project.images / "p02.png").exists())
    assert (project.images / "p01.png").exists()
    faked.undo.trigger()
    qtbot.waitUntil(lambda: names(page) == ["p00", "p02", "p05"])


def test_a_finding_is_shown_through_a_search(page) -> None:
    search(page, "fox")
    page.findings.list.setCurrentIndex(page._model.findings.index(0))
    assert page.editor.path == page._model.findings.all[0].path
    assert page.search.words.text() == ""


def test_next_without_caption_looks_beyond_the_search(page) -> None:
    search(page, "fox")
    page.show_silent()
    assert page.editor.path.stem == "p01"


def test_what_cannot_be_understood_is_said_and_shows_what_was_there(page) -> None:
    search(page, "fox")
    assert search(page, '"fox') == ["p04"]
    assert "not closed" in page.search._problem.text()
    assert not page.search._problem.isHidden()
    assert search(page, "") == ["p00", "p01", "p02", "p03", "p04", "p05"]
    assert page.search._problem.isHidden()


def offered(page, text: str) -> list[str]:
    page.search.words.setText(text)
    page.search.words.offer()
    words = page.search.words.list.model()
    return [words.index(row, 0).data(Qt.ItemDataRole.EditRole) for row in range(words.rowCount())]


def test_what_can_be_said_and_the_datasets_tags_are_offered(page, faked, qtbot: QtBot) -> None:
    faked.studio.tags.ask()
    assert offered(page, "")[:3] == ["tag:", "missing:caption", "name:"]
    assert offered(page, "ball si") == ["size<"]
    assert offered(page, "ball -tag:NI") == ["tag:night"]
    assert offered(page, "(a fo") == ["folder:", 'tag:"a fox"']
    words = page.search.words
    qtbot.keyClick(words.list, Qt.Key.Key_Down)
    qtbot.keyClick(words.list, Qt.Key.Key_Down)
    qtbot.keyClick(words.list, Qt.Key.Key_Return)
    assert words.text() == '(a tag:"a fox"'


def test_return_searches_for_what_is_typed_while_something_is_offered(page, qtbot: QtBot) -> None:
    page.search.words.setFocus()
    qtbot.keyClicks(page.search.words, "t")
    assert page.search.words.offering
    qtbot.keyClicks(page.search.words, "ag:red")
    qtbot.keyClick(page.search.words, Qt.Key.Key_Return)
    assert names(page) == ["p04"]
    page.search.words.list.hide()


def test_tokens_are_counted_as_the_base_reads_them(page, faked: MainWindow, qtbot: QtBot) -> None:
    """The vocabulary is read when it is first asked for; then the search goes on by itself."""
    faked.studio.tokens.changed.connect(lambda: None)
    search(page, "tokens>5")
    qtbot.waitUntil(lambda: faked.studio.tokens.counter() is not None)
    count = faked.studio.tokens.counter()
    wanted = [p.path.stem for p in faked.studio.dataset.rows.pictures if count(p.caption) > 5]
    assert names(page) == wanted
    assert 0 < len(wanted) < 6
    assert page.search._problem.isHidden()
    faked.studio.settings.set("base", "")
    search(page, "tokens>6")
    assert "base model" in page.search._problem.text()


def test_many_are_searched_a_little_at_a_time(page, faked, qtbot: QtBot, monkeypatch) -> None:
    """What was shown stays until then; pictures that come meanwhile are searched, too."""
    monkeypatch.setattr("app.models.gradual.SLICE_SECONDS", 0.0)
    monkeypatch.setattr("app.models.shown_rows._AT_ONCE", 1)
    before = names(page)
    search(page, "ball")
    assert names(page) == before
    assert not page.search._going_on.isHidden()
    faked.studio.dataset.rows.drop({faked.studio.dataset.rows.pictures[0].path})
    qtbot.waitUntil(lambda: names(page) == ["p02", "p05"])
    assert page.search._going_on.isHidden()
    search(page, "fox")
    search(page, "number 5")  # the newest counts
    qtbot.waitUntil(lambda: names(page) == ["p05"])
    search(page, "")
    assert len(names(page)) == 5


def test_keys_reach_the_search(faked: MainWindow, page, qtbot: QtBot) -> None:
    faked.activateWindow()
    qtbot.keyClick(page.grid, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(page.search.words.hasFocus)
    qtbot.keyClicks(page.search.words, "fox")
    qtbot.keyClick(page.search.words, Qt.Key.Key_Return)
    assert names(page) == ["p04"]


def test_pictures_that_come_are_searched_too(page, faked: MainWindow, project, qtbot) -> None:
    search(page, "fox")
    path = draw_picture(project.images / "a00.png", 9)
    path.with_suffix(".txt").write_text("another fox", encoding="utf-8")
    faked.studio.dataset.rescan()
    qtbot.waitUntil(lambda: names(page) == ["a00", "p04"])
    assert page.editor.path.stem == "p04"
    assert page.grid.currentIndex().row() == 1


def test_another_project_is_not_searched(page, faked: MainWindow, project: Project) -> None:
    search(page, "fox")
    faked.studio.workspace.open(project.root)
    assert page.search.words.text() == ""
    assert not page.shown.searched


def test_without_a_search_rows_follow_one_by_one(faked: MainWindow, project, qtbot) -> None:
    """So that what is chosen, and where one has scrolled to, stays."""
    rows = faked.studio.dataset.rows
    shown, told = ShownRows(rows), []
    shown.rowsInserted.connect(lambda _, first, last: told.append(("come", first, last)))
    shown.rowsRemoved.connect(lambda _, first, last: told.append(("gone", first, last)))
    shown.modelReset.connect(lambda: told.append("anew"))
    paths = [picture.path for picture in rows.pictures]
    assert shown.aspects() == rows.aspects()
    rows.drop({paths[2], paths[3]})
    assert told == [("gone", 2, 3)]
    faked.studio.dataset.rescan()
    qtbot.waitUntil(lambda: shown.rowCount() == 6)
    assert told[1:] == [("come", 2, 3)]
    shown.show_only(lambda picture: picture.path.stem in ("p01", "p04"))
    assert told[2:] == ["anew"]
    assert [shown.row_of(path) for path in paths] == [-1, 0, -1, -1, 1, -1]
    assert shown.index(1).data() == "p04.png"
    assert len(shown.aspects()) == 2
    changed = []
    shown.dataChanged.connect(lambda first, last: changed.append((first.row(), last.row())))
    rows.set_caption(paths[4], "new")
    rows.set_caption(paths[3], "new")  # which is not shown
    assert changed == [(1, 1)]
    rows.drop({paths[1]})
    assert [picture.path.stem for picture in shown.pictures] == ["p04"]
