"""The window's program. Nothing but the journal is imported before it writes."""

from __future__ import annotations

import gc
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app import journal

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from app.views.main_window import MainWindow

SIGNALS_EVERY_MS = 300


def main(arguments: list[str]) -> int:
    """Show the window; returns the exit code."""
    crashed = journal.start()
    from PySide6.QtWidgets import QApplication

    from app.models.garbage import Garbage

    app = QApplication([sys.argv[0]])
    write_down_qt()
    window = make_window(app, arguments)
    if crashed:
        words = "Stylewright ended unexpectedly the last time. Your files are safe."
        window.studio.news.failure(words, details=f"{journal.about()}\n{crashed}")
    close_on_ctrl_c(window)
    window.show()
    gc.freeze()  # what stands now stays
    Garbage(window)
    return app.exec()


def make_window(app: QApplication, arguments: list[str]) -> MainWindow:
    """The window in the wished theme, with a project open: the named one or the last."""
    from PySide6.QtCore import Qt

    from app import settings, theme
    from app.views.main_window import MainWindow

    app.setApplicationName("Stylewright")
    app.setDesktopFileName("stylewright")

    def dress() -> None:
        theme.dress(app, settings.look(settings.store()))

    dress()
    app.styleHints().colorSchemeChanged.connect(dress)
    # of another size, perhaps; later, as Qt is still telling every widget of it
    app.fontChanged.connect(dress, Qt.ConnectionType.QueuedConnection)
    window = MainWindow()
    if arguments:
        window.studio.workspace.open(Path(arguments[0]).absolute())
    else:
        window.studio.workspace.open_last()
    return window


def write_down_qt() -> None:
    """What Qt complains of goes to the journal, too."""
    import logging

    from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

    log = logging.getLogger("qt")
    levels = {QtMsgType.QtDebugMsg: logging.DEBUG, QtMsgType.QtInfoMsg: logging.INFO}

    def write(kind: QtMsgType, _context: QMessageLogContext, words: str) -> None:
        log.log(levels.get(kind, logging.WARNING), "%s", words)
        if sys.stderr and kind not in levels:
            sys.stderr.write(f"{words}\n")

    qInstallMessageHandler(write)


def close_on_ctrl_c(window: MainWindow) -> None:
    """Close as by the mouse. Python sees a signal only while it runs, so it must now and then."""
    from PySide6.QtCore import QTimer

    signal.signal(signal.SIGINT, lambda _number, _frame: window.close())
    awake = QTimer(window, interval=SIGNALS_EVERY_MS)
    awake.timeout.connect(lambda: None)
    awake.start()
