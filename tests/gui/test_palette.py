"""Ctrl+K finds what the window offers, and does it."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QListWidget
from pytestqt.qtbot import QtBot

from app.models.actions import Actions
from app.views.main_window import MainWindow
from app.widgets.palette import Palette, fitting
from tests.gui.conftest import preview_page, train_page


def typed(window: MainWindow, qtbot: QtBot, words: str) -> list[str]:
    """What is offered once `words` are typed."""
    window.activateWindow()
    qtbot.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    palette = window.findChild(Palette)
    assert palette is not None
    assert palette.isVisible()
    qtbot.keyClicks(palette.findChild(QLineEdit), words)
    shown = palette.findChild(QListWidget)
    return [shown.item(row).text() for row in range(shown.count())]


def press(window: MainWindow, qtbot: QtBot, *keys: Qt.Key) -> None:
    field = window.findChild(Palette).findChild(QLineEdit)
    for key in keys:
        qtbot.keyClick(field, key)
    qtbot.waitUntil(lambda: window.findChild(Palette) is None)


@pytest.mark.usefixtures("qapp")  # Qt's actions ask the application for its keys
def test_words_are_found_in_any_order_and_case() -> None:
    actions = Actions()
    rate = actions.add("rate", "Learning rate", print, place="Train")
    batch = actions.add("batch", "Batch size", print, place="Train")
    assert fitting([rate, batch], "RATE train") == [rate]
    assert fitting([rate, batch], "") == [rate, batch]
    assert fitting([rate, batch], "train rank") == []


def test_a_setting_is_gone_to(opened: MainWindow, qtbot: QtBot) -> None:
    assert typed(opened, qtbot, "learning") == ["Train: Learning rate"]
    press(opened, qtbot, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: train_page(opened).isVisible())
    assert opened.focusWidget() is train_page(opened).form.rate


def test_an_action_is_done(opened: MainWindow, qtbot: QtBot) -> None:
    before = opened.studio.workspace.project
    assert "Project: New project" in typed(opened, qtbot, "new pro")
    press(opened, qtbot, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: opened.studio.workspace.project != before)


def test_arrows_choose_and_escape_does_nothing(opened: MainWindow, qtbot: QtBot) -> None:
    assert typed(opened, qtbot, "go to") == [
        "Go to Dataset",
        "Go to Train",
        "Go to Preview",
        "Go to Adapters",
    ]
    press(opened, qtbot, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: preview_page(opened).isVisible())
    typed(opened, qtbot, "go to adapters")
    press(opened, qtbot, Qt.Key.Key_Escape)
    assert preview_page(opened).isVisible()


@pytest.mark.parametrize("words", ["preview now", "resume", "make a picture"])
def test_what_cannot_be_done_now_is_not_offered(
    opened: MainWindow, qtbot: QtBot, words: str
) -> None:
    assert typed(opened, qtbot, words) == []
    press(opened, qtbot, Qt.Key.Key_Escape)


def test_a_window_without_a_project_offers_the_demo(window: MainWindow, qtbot: QtBot) -> None:
    assert "Project: Try the demo, about 5 min" in typed(window, qtbot, "demo")
    press(window, qtbot, Qt.Key.Key_Escape)
