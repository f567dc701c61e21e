"""The wall in sections: by folder, or by the shapes that a run fits pictures to."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from app.models import groups
from app.models.groups import FOLDERS, NONE, SHAPES
from app.views.dataset_page import DatasetPage
from app.views.main_window import MainWindow
from app.widgets.justified import in_sections, rows, sums_of
from core.data.marks import Mark
from core.project.layout import Project
from tests.conftest import draw_picture
from tests.gui.conftest import dataset_page, open_project

HEAD = 30


@given(st.lists(st.lists(st.floats(0.2, 5), min_size=1, max_size=20), max_size=6))
def test_sections_follow_each_other_below_their_headings(sections: list[list[float]]) -> None:
    aspects = [one for section in sections for one in section]

    def of_one(sums: list[float]):
        return rows(sums, 500, 100, 8, 20)

    counts = [len(section) for section in sections]
    there, tops = in_sections(counts, HEAD, sums_of(aspects), of_one)
    begin = end = 0
    for count, top in zip(counts, tops, strict=True):
        assert top == end
        alone = of_one(sums_of(aspects[begin : begin + count]))
        for number in range(count):
            place = there.place(begin + number)
            assert place == alone.place(number).translated(0, top + HEAD)
            assert there.at(place.center()) == begin + number
        assert there.at(QPoint(5, top + HEAD // 2)) == -1
        begin, end = begin + count, top + HEAD + alone.top[-1]
    assert there.top[-1] == end
    seen = list(there.between(0, end))
    assert seen == list(range(len(aspects)))


@pytest.fixture
def page(faked: MainWindow, project: Project, qtbot: QtBot) -> DatasetPage:
    """Six squares, three of them in a folder of their own; two tall ones and a wide one."""
    (project.images / "10_more").mkdir()
    for number in (0, 1, 2):
        name = f"p0{number}.png"
        (project.images / name).rename(project.images / "10_more" / name)
    for name, size in (("tall1", (64, 128)), ("tall2", (64, 128)), ("wide", (128, 64))):
        draw_picture(project.images / f"{name}.png", 1, size)
    open_project(faked, qtbot, project, pictures=9)
    faked.studio.settings.set("dataset.resolution_px", 256)
    faked.activateWindow()
    faked.show_page("Dataset")
    return dataset_page(faked)


def group(page: DatasetPage, choice: str) -> list[str]:
    page.search.groups.setCurrentText(choice)
    page.search.groups.activated.emit(page.search.groups.currentIndex())
    return [words for _, words in laid_out(page)]


def laid_out(page: DatasetPage) -> list[tuple[int, str]]:
    page.grid.executeDelayedItemsLayout()
    return page.grid._above


def names(page: DatasetPage) -> list[str]:
    return [one.path.stem for one in page.shown.pictures]


def test_by_folder(page: DatasetPage, project: Project) -> None:
    more = str(Path("images") / "10_more")
    assert group(page, FOLDERS) == ["images:  6 pictures", f"{more}:  3 pictures"]
    assert names(page)[6:] == ["p00", "p01", "p02"]
    page.search.words.setText("name:p0")
    page.search.apply()
    assert [words for _, words in laid_out(page)] == ["images:  3 pictures", f"{more}:  3 pictures"]
    page.search.show_all()
    assert group(page, NONE) == []
    assert len(names(page)) == 9


def test_by_shape_largest_first_and_what_a_batch_lacks(
    page: DatasetPage, faked: MainWindow, qtbot: QtBot
) -> None:
    settings = faked.studio.settings
    settings.set("training.batch_size", 4)
    lacks = "fewer than a batch of 4"
    assert group(page, SHAPES) == [
        "256 x 256 px:  6 pictures",
        f"192 x 320 px:  2 pictures, {lacks}",
        f"320 x 192 px:  1 picture, {lacks}",
    ]
    assert names(page)[6:] == ["tall1", "tall2", "wide"]
    for number in range(9):
        shape = faked.studio.framing.bucket_of(page.shown.picture(number))
        assert shape is not None
        assert (shape.width > shape.height) == (page.shown.picture(number).path.stem == "wide")


def test_marks_and_repeats_count_towards_a_batch(
    page: DatasetPage, faked: MainWindow, project: Project, qtbot: QtBot
) -> None:
    settings, marking = faked.studio.settings, faked.studio.dataset.marking
    settings.set("training.batch_size", 6)
    (first, *_) = group(page, SHAPES)
    assert first.endswith("6 pictures")
    squares = [one.path for one in page.shown.pictures[:6]]
    marking.set("x", {squares[0]: Mark(unused=True), squares[1]: Mark(held_out=True)})
    marking.set_repeats({project.images: 3})
    said = groups.Groups(faked.studio.dataset, faked.studio.framing, settings)
    assert said.headings(SHAPES, page.shown)[1].endswith(":  2 pictures")  # six in an epoch
    assert said.headings(SHAPES, page.shown)[2].endswith("1 picture, fewer than a batch of 6")


def test_another_resolution_is_other_groups(page: DatasetPage, faked: MainWindow) -> None:
    before = group(page, SHAPES)
    faked.studio.settings.set("dataset.resolution_px", 512)
    after = [words for _, words in laid_out(page)]
    assert after[0].startswith("512 x 512 px")
    assert after != before


def test_pictures_that_come_find_their_section(
    page: DatasetPage, faked: MainWindow, project: Project, qtbot: QtBot
) -> None:
    group(page, SHAPES)
    Image.new("RGB", (128, 64), "red").save(project.images / "wide2.png")
    faked.studio.dataset.rescan()
    qtbot.waitUntil(lambda: page.shown.rowCount() == 10)
    assert sum(word.count(":  2 pictures") for _, word in laid_out(page)) == 2


def test_keys_and_clicks_pass_headings(page: DatasetPage, qtbot: QtBot) -> None:
    group(page, FOLDERS)
    page.grid.setFocus()
    page.grid.choose(5)
    qtbot.keyClick(page.grid, Qt.Key.Key_Down)
    assert page.grid.currentIndex().row() in (6, 7, 8)
    page.grid.choose(5)
    top = laid_out(page)[1][0] - page.grid.verticalOffset()
    place = QPoint(20, top + page.grid._heading_px() // 2)
    assert not page.grid.indexAt(place).isValid()
    page.grid.verticalScrollBar().setValue(10**6)
    page.grid.choose(0)
    assert page.grid.verticalOffset() == 0  # its heading is seen, too
