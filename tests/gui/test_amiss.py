"""Findings in the window: a line a kind, its pictures, and one button that mends them all."""

import os
from pathlib import Path

import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from app.views.main_window import MainWindow
from core.data import health
from core.data.scan import examine
from core.project.layout import Project
from tests.gui.conftest import button, dataset_page, editor_of, open_project
from tests.unit.test_measures import as_jpeg, scene


@pytest.fixture
def amiss(faked: MainWindow, project: Project, qtbot: QtBot) -> MainWindow:
    """Nine drawings, copies of two of them, two in letterboxes, and a broken file."""
    for file in project.images.iterdir():
        file.unlink()
    for number in range(9):
        scene(number).save(project.images / f"d{number}.png")
    as_jpeg(scene(3)).resize((300, 225)).save(project.images / "z copy.jpg")
    scene(5).resize((240, 180)).save(project.images / "a copy.png")
    for number in (60, 61):
        film = Image.new("RGB", (480, 480), (4, 4, 4))
        film.paste(scene(number), (0, 60))
        film.save(project.images / f"film{number}.jpg", quality=90, exif=_exif())
    for path in [*project.images.iterdir()]:
        path.with_suffix(".txt").write_text(f"words of {path.stem}")
    (project.images / "broken.png").write_bytes(b"no picture")
    open_project(faked, qtbot, project, pictures=13)
    faked.show_page("Dataset")
    faked.studio.actions["dataset.findings"].trigger()
    return faked


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    return exif


def choose(window: MainWindow, summary: str) -> None:
    findings = window.studio.dataset.findings
    row = next(
        n for n, g in enumerate(findings.groups) if (g[0].summary or g[0].message) == summary
    )
    dataset_page(window).findings.list.setCurrentIndex(findings.index(row))


def kinds(window: MainWindow) -> list[str]:
    return [g[0].summary or g[0].message for g in window.studio.dataset.findings.groups]


def shown(window: MainWindow) -> list[str]:
    return [picture.path.name for picture in dataset_page(window).shown.pictures]


def rested(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not window.studio.dataset.busy)


def test_a_line_a_kind_and_what_it_advises(amiss: MainWindow) -> None:
    findings = amiss.studio.dataset.findings
    lines = [findings.index(row).data() for row in range(findings.rowCount())]
    assert lines == [
        "broken.png: It is not a picture.",
        f"2 pictures: {health.ALIKE}",
        f"2 pictures: {health.BARS}",
    ]
    panel = dataset_page(amiss).findings
    choose(amiss, health.BARS)
    assert panel.hint.text() == findings.groups[2][0].hint


def test_copies_stand_beside_what_they_are_copies_of(amiss: MainWindow) -> None:
    choose(amiss, health.ALIKE)
    assert shown(amiss) == ["d5.png", "a copy.png", "d3.png", "z copy.jpg"]
    assert dataset_page(amiss).editor.path.name == "d5.png"
    dataset_page(amiss).search.views.button(0).click()
    assert len(shown(amiss)) == 13
    assert dataset_page(amiss).findings.group is None


def test_copies_go_by_one_press_and_come_back_by_one(
    amiss: MainWindow, project: Project, qtbot: QtBot
) -> None:
    choose(amiss, health.ALIKE)
    before = {path: path.read_bytes() for path in project.images.iterdir()}
    button(dataset_page(amiss), "Remove 2 pictures").click()
    rested(amiss, qtbot)
    gone = {path.name for path in before} - {path.name for path in project.images.iterdir()}
    assert gone == {"a copy.png", "a copy.txt", "z copy.jpg", "z copy.txt"}
    assert health.ALIKE not in kinds(amiss)
    qtbot.waitUntil(lambda: len(shown(amiss)) == 11)
    button(amiss.messages, "Undo").click()
    rested(amiss, qtbot)
    assert {path: path.read_bytes() for path in project.images.iterdir()} == before


def test_bars_are_cut_off_and_come_back(amiss: MainWindow, project: Project, qtbot: QtBot) -> None:
    film = project.images / "film60.jpg"
    whole, words = film.read_bytes(), film.with_suffix(".txt").read_bytes()
    choose(amiss, health.BARS)
    assert shown(amiss) == ["film60.jpg", "film61.jpg"]
    button(dataset_page(amiss), "Crop 2 pictures").click()
    rested(amiss, qtbot)
    found = examine(film)
    assert abs(found.height_px - 360) <= 6
    assert found.width_px == 480
    with Image.open(film) as image:
        assert image.getexif()[0x010F] == "Maker"
        assert image.getpixel((240, 1)) == pytest.approx(scene(60).getpixel((240, 3)), abs=24)
    assert film.with_suffix(".txt").read_bytes() == words
    assert (project.bin / "film60.jpg").read_bytes() == whole
    assert kinds(amiss) == ["It is not a picture.", health.ALIKE]
    amiss.undo.trigger()
    rested(amiss, qtbot)
    assert film.read_bytes() == whole
    assert not list(project.images.glob(".*"))
    amiss.redo.trigger()
    rested(amiss, qtbot)
    assert examine(film).height_px == found.height_px


def test_a_broken_file_can_be_removed(amiss: MainWindow, project: Project, qtbot: QtBot) -> None:
    choose(amiss, "It is not a picture.")
    button(dataset_page(amiss), "Remove 1 file").click()
    rested(amiss, qtbot)
    assert not (project.images / "broken.png").exists()
    assert (project.bin / "broken.png").read_bytes() == b"no picture"
    assert kinds(amiss) == [health.ALIKE, health.BARS]


def test_writing_a_caption_leads_nobody_away(
    amiss: MainWindow, project: Project, qtbot: QtBot
) -> None:
    """The list becomes another while its pictures are worked on."""
    choose(amiss, health.ALIKE)
    page = dataset_page(amiss)
    page.grid.choose(3)
    editor_of(amiss).selectAll()
    qtbot.keyClicks(editor_of(amiss), ",")  # a caption that says nothing
    page.save()
    assert "It has no caption." in kinds(amiss)
    assert page.editor.path.name == "z copy.jpg"
    assert shown(amiss) == ["d5.png", "a copy.png", "d3.png", "z copy.jpg"]
    assert page.findings.group[0].summary == health.ALIKE
    assert len(page.findings.group) == 2  # it still looks like another


def test_when_nothing_is_left_of_a_kind_all_are_shown(
    amiss: MainWindow, project: Project, qtbot: QtBot
) -> None:
    (project.images / "d0.txt").write_text(",")
    amiss.studio.dataset.rescan()
    qtbot.waitUntil(lambda: "It has no caption." in kinds(amiss))
    choose(amiss, "It has no caption.")
    assert shown(amiss) == ["d0.png"]
    qtbot.keyClicks(editor_of(amiss), "a drawing")
    dataset_page(amiss).save()
    qtbot.waitUntil(lambda: len(shown(amiss)) == 13)
    assert dataset_page(amiss).editor.path.name == "d0.png"


def test_what_cannot_be_cropped_is_told_and_stays(
    amiss: MainWindow, project: Project, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in project.images.iterdir()}

    def full(*_: object, **__: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.models.moves.cut", full)
    choose(amiss, health.BARS)
    button(dataset_page(amiss), "Crop 2 pictures").click()
    qtbot.waitUntil(lambda: "No space left" in amiss.messages.text)
    rested(amiss, qtbot)
    assert {path: path.read_bytes() for path in project.images.iterdir()} == before


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("By name", "a copy.png"),
        ("Smallest first", "a copy.png"),
        ("Newest first", "d7.png"),
        ("Shortest caption first", "d0.png"),
    ],
)
def test_another_order(
    amiss: MainWindow, project: Project, qtbot: QtBot, order: str, first: str
) -> None:
    for number, path in enumerate(sorted(project.images.glob("*.png"))):
        os.utime(path, (10**9 + number, 10**9 + number))
    os.utime(project.images / "d7.png")
    for path in project.images.glob("*.jpg"):
        os.utime(path, (10**9, 10**9))
    page = dataset_page(amiss)
    page.search.order.setCurrentText(order)
    page.search.order.activated.emit(0)
    assert shown(amiss)[0] == first
    assert len(shown(amiss)) == 13
    page.grid.choose(4)
    path = page.editor.path
    scene(70).save(project.images / "new.png")
    amiss.studio.dataset.rescan()
    qtbot.waitUntil(lambda: len(shown(amiss)) == 14)
    assert page.editor.path == path
    assert page.shown.picture(page.grid.currentIndex().row()).path == path
    page.save()
