"""Draw every page of the window in both themes and two sizes: `python tests/screenshots.py OUT [PROJECT]`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp()  # who runs this keeps their own settings
sys.path.insert(0, str(Path(__file__).parents[1]))

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from app import theme
from app.views.main_window import NAMES, MainWindow

SIZES = ((1280, 800), (1920, 1080))
SETTLE_MS = 1500  # thumbnails come from threads


def settle(milliseconds: int = SETTLE_MS) -> None:
    """Let the window work."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def main(out: Path, project: Path | None) -> None:
    """One PNG for each page, theme and size."""
    out.mkdir(parents=True, exist_ok=True)
    app = QApplication([])
    for dark in (True, False):
        theme.apply(app, dark=dark)
        window = MainWindow()
        if project:
            window.studio.workspace.open(project)
        for width, height in SIZES:
            window.resize(width, height)
            window.show()
            for name in NAMES:
                window.show_page(name)
                settle()
                kind = "dark" if dark else "light"
                window.grab().save(str(out / f"{name.lower()}-{kind}-{width}.png"))
        window.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
