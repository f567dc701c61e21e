"""The window's program: wiring, and the last catch-all."""

from __future__ import annotations

import gc
import signal
import sys
import traceback
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication

from app import theme
from app.views.main_window import MainWindow

SIGNALS_EVERY_MS = 300


class Bugs(QObject):
    """Exceptions that nobody caught, from any thread, brought to the window's."""

    happened = Signal(str, str)  # in words, details

    def take(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """Python's hook for such exceptions."""
        text = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(text)
        words = f"Something in the window broke: {kind.__name__}: {error}. Your files are safe."
        self.happened.emit(words, text)


def main(arguments: list[str]) -> int:
    """Show the window; returns the exit code."""
    app = QApplication([sys.argv[0]])
    app.setApplicationName("Stylewright")
    app.setDesktopFileName("stylewright")
    theme.apply(app, dark=theme.system_is_dark(app))
    app.styleHints().colorSchemeChanged.connect(
        lambda _scheme: theme.apply(app, dark=theme.system_is_dark(app))
    )
    window = MainWindow()
    bugs = Bugs(window)
    bugs.happened.connect(window.show_bug)
    sys.excepthook = bugs.take
    close_on_ctrl_c(window)
    if arguments:
        window.workspace.open(Path(arguments[0]).absolute())
    else:
        window.workspace.open_last()
    window.show()
    gc.freeze()  # what stands now stays
    gc.enable()
    return app.exec()


def close_on_ctrl_c(window: MainWindow) -> None:
    """Close as by the mouse. Python sees a signal only while it runs, so it must now and then."""
    signal.signal(signal.SIGINT, lambda _number, _frame: window.close())
    awake = QTimer(window, interval=SIGNALS_EVERY_MS)
    awake.timeout.connect(lambda: None)
    awake.start()
