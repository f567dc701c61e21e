"""The whole window, empty or with a project open, offscreen; behind it a real worker or none."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractButton, QApplication, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from app.models.garbage import Garbage
from app.views.adapters_page import AdaptersPage
from app.views.dataset_page import DatasetPage
from app.views.main_window import MainWindow
from app.views.preview_page import PreviewPage
from app.views.train_page import TrainPage
from core.project.layout import Project, create
from tests.conftest import fill, small_config
from tests.gui.fake_worker import FakeWorker


@pytest.fixture(scope="session", autouse=True)
def garbage(qapp: QApplication) -> Garbage:
    """As in the program: no thread of a window takes another one's widgets apart."""
    return Garbage(qapp)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of six small pictures on the demo base; made without torch."""
    made = create(tmp_path / "project", small_config("demo"))
    fill(made.images, 6)
    return made


@pytest.fixture
def workers() -> Iterator[list[FakeWorker]]:
    """All that were made, in order."""
    FakeWorker.made = []
    yield FakeWorker.made
    FakeWorker.made = []


def _window(made: MainWindow, qtbot: QtBot) -> Iterator[MainWindow]:
    made.closing.ask_to_close = lambda: True
    made.closing.ask_to_lose_proposals = lambda _count: True
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    """As at a first start; a run still going on at the end is saved and stopped."""
    yield from _window(MainWindow(), qtbot)


@pytest.fixture
def opened(window: MainWindow, qtbot: QtBot, project: Project) -> MainWindow:
    """With the project of six pictures, all of them found."""
    open_project(window, qtbot, project)
    return window


@pytest.fixture
def faked(qtbot: QtBot, project: Project, workers: list[FakeWorker]) -> Iterator[MainWindow]:
    """With the project, and fake workers."""
    made = MainWindow(FakeWorker)
    for one in _window(made, qtbot):
        open_project(one, qtbot, project)
        yield one
        for worker in workers:
            worker.end()


def open_project(window: MainWindow, qtbot: QtBot, project: Project, pictures: int = 6) -> None:
    window.studio.workspace.open(project.root)
    dataset, runs = window.studio.dataset, window.studio.runs
    qtbot.waitUntil(lambda: dataset.rows.rowCount() == pictures and not dataset.busy)
    qtbot.waitUntil(lambda: not runs.reading)


def dataset_page(window: MainWindow) -> DatasetPage:
    return window.page("Dataset").widget


def train_page(window: MainWindow) -> TrainPage:
    return window.page("Train").widget


def preview_page(window: MainWindow) -> PreviewPage:
    return window.page("Preview").widget


def adapters_page(window: MainWindow) -> AdaptersPage:
    return window.page("Adapters").widget


def editor_of(window: MainWindow) -> QPlainTextEdit:
    """Where a picture's caption is written."""
    return dataset_page(window).editor._text


def button(window: QWidget, text: str) -> QAbstractButton:
    return next(
        b
        for b in window.findChildren(QAbstractButton)
        if b.text() == text and b.isVisibleTo(window)
    )
