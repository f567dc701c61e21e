"""Pictures in rows, each in its own aspect."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from app.views.main_window import MainWindow
from app.widgets.justified import NARROWEST, TALLEST, WIDEST, Rows, rows, sums_of
from app.widgets.wall import Wall
from core.project.layout import Project
from tests.gui.conftest import dataset_page, open_project

SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
SIZES = [(400, 100), (100, 200), (200, 200), (300, 200), (100, 300), (200, 200), (210, 200)] * 4


def laid_out(aspects: list[float], width_px: int = 800) -> Rows:
    return rows(sums_of(aspects), width_px, 100, 8, 20)


@given(st.lists(st.floats(0.01, 20), max_size=60), st.integers(60, 2000))
def test_rows_are_full_and_pictures_whole(aspects: list[float], width_px: int) -> None:
    there = laid_out(aspects, width_px)
    places = [there.place(number) for number in range(len(aspects))]
    assert [number for row in range(len(there.first)) for number in there.of_row(row)] == list(
        range(len(aspects))
    )
    for number, place in enumerate(places):
        assert there.at(place.center()) == number
        assert place.height() <= TALLEST * 100 + 1
        assert place.right() <= width_px + 1
        aspect = min(WIDEST, max(NARROWEST, aspects[number]))
        assert abs(place.width() - aspect * place.height()) <= 1 + aspect  # of a whole px
    for row in range(len(there.first) - 1):  # all but the last
        of_row = there.of_row(row)
        if there.height[row] < TALLEST * 100:
            assert abs(places[of_row[-1]].right() + 1 - width_px) <= 1
        assert {places[number].top() for number in of_row} == {there.top[row]}
        assert there.top[row + 1] >= places[of_row[0]].bottom() + 20


def test_the_last_row_is_as_high_as_the_one_above() -> None:
    there = laid_out([1.0] * 20)
    assert len(there.first) == 3
    assert there.height[2] == there.height[1] != 100
    assert there.place(7).left() == there.place(14).left() == 0
    assert there.place(8).left() == there.place(15).left()


def test_there_may_be_none() -> None:
    assert laid_out([]).at(QPoint(5, 5)) == -1
    assert list(laid_out([]).between(0, 1000)) == []


@pytest.fixture
def wall(faked: MainWindow, project: Project, qtbot: QtBot, tmp_path: Path) -> Wall:
    for file in project.images.iterdir():
        file.unlink()
    for number, size in enumerate(SIZES):
        Image.new("RGB", size, (9 * number, 200, 90)).save(project.images / f"w{number:02}.png")
    open_project(faked, qtbot, project, pictures=len(SIZES))
    faked.activateWindow()
    faked.show_page("Dataset")
    found = dataset_page(faked).grid
    found.choose(0)
    found.setFocus()
    return found


def place_of(wall: Wall, row: int) -> QPoint:
    return wall.visualRect(wall.model().index(row, 0)).center()


def test_each_is_seen_in_its_own_aspect(wall: Wall, qtbot: QtBot) -> None:
    wall.verticalScrollBar().setValue(0)
    colour = "#09c85a"  # the second picture's

    def seen() -> float:
        image = wall.viewport().grab().toImage()
        middle = place_of(wall, 1)
        line = [image.pixelColor(x, middle.y()).name() for x in range(image.width())]
        column = [image.pixelColor(middle.x(), y).name() for y in range(image.height())]
        return line.count(colour) / max(1, column.count(colour))

    qtbot.waitUntil(lambda: seen() == pytest.approx(0.5, abs=0.05))


def test_arrows_move_in_reading_order_and_between_rows(wall: Wall, qtbot: QtBot) -> None:
    def pressed(key: Qt.Key) -> int:
        qtbot.keyClick(wall, key)
        return wall.currentIndex().row()

    assert [pressed(Qt.Key.Key_Right) for _ in range(2)] == [1, 2]
    assert pressed(Qt.Key.Key_Left) == 1
    below = pressed(Qt.Key.Key_Down)
    assert place_of(wall, below).y() > place_of(wall, 1).y()
    assert abs(place_of(wall, below).x() - place_of(wall, 1).x()) < 200
    assert pressed(Qt.Key.Key_Up) in (0, 1, 2)
    assert pressed(Qt.Key.Key_End) == len(SIZES) - 1
    assert wall.viewport().rect().contains(place_of(wall, len(SIZES) - 1))  # scrolled to
    assert pressed(Qt.Key.Key_Down) == len(SIZES) - 1
    assert pressed(Qt.Key.Key_PageUp) < len(SIZES) - 1
    assert pressed(Qt.Key.Key_Home) == 0
    assert pressed(Qt.Key.Key_Left) == 0
    assert wall.chosen_rows() == [0]


def test_several_are_chosen_by_mouse_and_keys(wall: Wall, qtbot: QtBot) -> None:
    left, view = Qt.MouseButton.LeftButton, wall.viewport()
    qtbot.mouseClick(view, left, pos=place_of(wall, 1))
    assert wall.chosen_rows() == [1]
    qtbot.mouseClick(view, left, SHIFT, place_of(wall, 4))
    assert wall.chosen_rows() == [1, 2, 3, 4]
    qtbot.mouseClick(view, left, CONTROL, place_of(wall, 3))
    assert wall.chosen_rows() == [1, 2, 4]
    wall.choose(2)
    qtbot.keyClick(wall, Qt.Key.Key_Right, SHIFT)
    qtbot.keyClick(wall, Qt.Key.Key_Right, SHIFT)
    assert wall.chosen_rows() == [2, 3, 4]
    wall.selectAll()
    assert wall.chosen_rows() == list(range(len(SIZES)))


def test_more_pictures_and_another_width_are_laid_out_anew(
    faked: MainWindow, wall: Wall, project: Project, qtbot: QtBot
) -> None:
    def shapes() -> list[bool]:
        wall.executeDelayedItemsLayout()
        places = [wall._rows.place(row) for row in range(3)]
        return [place.width() > place.height() * 1.1 for place in places]

    rows = faked.studio.dataset.rows
    assert shapes() == [True, False, False]
    Image.new("RGB", (100, 100)).save(project.images / "a first.png")
    faked.studio.dataset.rescan()
    qtbot.waitUntil(lambda: rows.rowCount() == len(SIZES) + 1 and not faked.studio.dataset.busy)
    assert shapes() == [False, True, False]
    (project.images / "a first.png").unlink()
    faked.studio.dataset.rescan()
    qtbot.waitUntil(lambda: rows.rowCount() == len(SIZES) and not faked.studio.dataset.busy)
    assert shapes() == [True, False, False]
    before = wall._rows
    faked.resize(1800, 900)
    qtbot.waitUntil(lambda: wall._rows is not before and len(wall._rows.first) < len(before.first))
