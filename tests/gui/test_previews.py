"""The Preview page follows a run, and what the person is looking at and writing stays."""

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.models.runs import Runs
from app.views.main_window import MainWindow
from app.views.preview_page import PreviewPage
from app.widgets.grid import GAP_PX
from app.widgets.preview_grid import LARGE_PX, SMALL_PX
from core.project.layout import Project
from core.protocol.events import StepDone
from tests.gui.conftest import preview_page
from tests.gui.made_runs import made_run, preview, started


@pytest.fixture
def page(faked: MainWindow, project: Project, qtbot: QtBot) -> PreviewPage:
    """Of a project with two runs, each with adapters."""
    made_run(project, "#ff0000")
    made_run(project, "#0000ff")
    faked.studio.runs.open(project)
    qtbot.waitUntil(lambda: not faked.studio.runs.reading)
    faked.show_page("Preview")
    return preview_page(faked)


@pytest.fixture
def runs(faked: MainWindow, page: PreviewPage) -> Runs:
    return faked.studio.runs


def colour(page: PreviewPage) -> str:
    return page.wipe.after.pixelColor(2, 2).name()


def test_another_run_brings_its_own_pictures_and_adapter(page: PreviewPage, runs: Runs) -> None:
    assert colour(page) == "#0000ff"
    assert "002-" in page.drawing.worn.first.adapter.currentData()
    runs.show(runs.names()[0])
    assert page.run.currentText() == runs.names()[0]
    assert colour(page) == "#ff0000"
    assert "001-" in page.drawing.worn.first.adapter.currentData()


def test_a_new_step_is_followed_in_the_same_row(page: PreviewPage, runs: Runs) -> None:
    run = runs.shown.run if runs.shown else None
    assert run is not None
    page.view.setCurrentIndex(page.table.index(1, 1))
    runs.take(started(run), run.root.name)
    page.view.setCurrentIndex(page.table.index(1, 1))
    for index in range(3):
        runs.take(preview(run, 200, index, "#00ff00"), run.root.name)
    current = page.view.currentIndex()
    assert (current.row(), current.column()) == (1, 2)
    assert colour(page) == "#00ff00"
    assert page.drawing.prompt.text() == "a whale"


def test_an_older_step_that_is_looked_at_stays(page: PreviewPage, runs: Runs) -> None:
    run = runs.shown.run if runs.shown else None
    assert run is not None
    runs.take(started(run), run.root.name)
    page.view.setCurrentIndex(page.table.index(2, 0))
    runs.take(preview(run, 200, 0, "#00ff00"), run.root.name)
    current = page.view.currentIndex()
    assert (current.row(), current.column()) == (2, 0)


def test_a_prompt_that_is_being_written_stays(page: PreviewPage, runs: Runs, qtbot: QtBot) -> None:
    run = runs.shown.run if runs.shown else None
    assert run is not None
    runs.take(started(run), run.root.name)
    page.drawing.prompt.setFocus()
    page.drawing.prompt.selectAll()
    qtbot.keyClicks(page.drawing.prompt, "my own words")
    for index in range(3):
        runs.take(preview(run, 200, index, "#00ff00"), run.root.name)
    assert page.drawing.prompt.text() == "my own words"


def test_a_prompt_written_while_the_engine_starts_stays(
    page: PreviewPage, runs: Runs, project: Project, qtbot: QtBot
) -> None:
    page.drawing.prompt.setFocus()
    page.drawing.prompt.selectAll()
    qtbot.keyClicks(page.drawing.prompt, "my own words")
    run = project.new_run(project.config())
    runs.take(started(run), run.root.name)
    for index in range(3):
        runs.take(preview(run, 0, index, "#00ff00"), run.root.name)
    assert page.drawing.prompt.text() == "my own words"
    runs.show(runs.names()[0])  # another run is another matter
    assert page.drawing.prompt.text() == "a fox"


def test_a_copied_project_shows_its_own_files(
    runs: Runs, project: Project, tmp_path: Path, qtbot: QtBot
) -> None:
    shutil.copytree(project.root, tmp_path / "copy")
    runs.open(Project(tmp_path / "copy"))
    qtbot.waitUntil(lambda: not runs.reading)
    assert runs.shown is not None
    files = [runs.shown.picture_file(one) for one in runs.shown.newest_previews()]
    files += [card.path for card in runs.adapters()]
    assert len(files) == 5
    assert all(file.exists() and file.is_relative_to(tmp_path / "copy") for file in files)


def test_another_run_can_be_looked_at_while_one_goes_on(page: PreviewPage, runs: Runs) -> None:
    first, second = runs.names()
    run = runs.shown.run if runs.shown else None
    assert run is not None
    runs.take(started(run), second)
    runs.show(first)
    runs.take(StepDone(step=101, loss=1, lr=0, grad_norm=1, seconds=1, seconds_left=1), second)
    runs.take(preview(run, 200, 0, "#00ff00"), second)
    assert runs.shown is not None
    assert runs.shown.name == first
    assert colour(page) == "#ff0000"
    runs.show(second)
    assert runs.shown.preview_steps() == [0, 100, 200]


def test_a_project_without_runs_empties_the_page(
    page: PreviewPage, runs: Runs, project: Project, tmp_path: Path
) -> None:
    from core.project.layout import create

    runs.open(create(tmp_path / "other", project.config()))
    assert not runs.shown
    assert page.wipe.after.isNull()
    assert page.drawing.prompt.text() == ""
    assert not page.drawing.worn.weights
    assert not page.drawing._make.isEnabled()


def test_tab_leaves_the_table(page: PreviewPage, qtbot: QtBot) -> None:
    page.activateWindow()
    page.view.setFocus()
    qtbot.keyClick(page.view, Qt.Key.Key_Tab)
    assert not page.view.hasFocus()


def test_tiles_use_the_room_there_is(page: PreviewPage, runs: Runs, qtbot: QtBot) -> None:
    page.resize(2000, 900)
    view = page.view
    qtbot.waitUntil(lambda: view.columnWidth(1) == LARGE_PX + GAP_PX)
    assert view.rowHeight(2) == view.columnWidth(1)
    run = runs.shown.run if runs.shown else None
    assert run is not None
    for step in range(200, 1000, 100):
        runs.take(preview(run, step, 0, "#00ff00"), run.root.name)
    assert view.columnWidth(1) == view.columnWidth(9) == SMALL_PX + GAP_PX
