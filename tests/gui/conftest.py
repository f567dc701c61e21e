"""The whole window, empty or with a project open, offscreen."""

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QPlainTextEdit
from pytestqt.qtbot import QtBot

from app.views.main_window import MainWindow
from core.project.layout import Project


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    """As at a first start; a run still going on at the end is saved and stopped."""
    made = MainWindow()
    made.ask_to_close = lambda: True
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


@pytest.fixture
def opened(window: MainWindow, qtbot: QtBot, project: Project) -> MainWindow:
    """With the project of six pictures, all of them found."""
    window.workspace.open(project.root)
    qtbot.waitUntil(lambda: window.dataset.rowCount() == 6 and not window.dataset.busy)
    return window


def editor_of(window: MainWindow) -> QPlainTextEdit:
    """Where a picture's caption is written."""
    editor = window.dataset_page.findChild(QPlainTextEdit)
    assert editor is not None
    return editor
