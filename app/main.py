"""The window's program: wiring, and the last catch-all."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import TracebackType

from PySide6.QtWidgets import QApplication

from app import theme
from app.views.main_window import MainWindow


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

    def on_bug(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(text)
        words = f"Something in the window broke: {kind.__name__}: {error}. Your files are safe."
        window.banner.show_failure(words, details=text)

    sys.excepthook = on_bug
    if arguments:
        window.workspace.open(Path(arguments[0]).absolute())
    else:
        window.workspace.open_last()
    window.show()
    return app.exec()
