"""Draw every page of the window in both themes and four sizes: `python tests/screenshots.py OUT [PROJECT]`.

The Train page is drawn before, during and after a run: its worker is a fake, its pictures are the
project's own.
"""

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
from core.protocol.events import Progress, RunStarted
from tests.gui.conftest import train_page
from tests.gui.fake_worker import FakeWorker

SIZES = ((960, 520), (1280, 800), (1920, 1080), (2560, 1440))
SETTLE_MS = 700  # thumbnails come from threads


def settle(milliseconds: int = SETTLE_MS) -> None:
    """Let the window work."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def pages(window: MainWindow, out: Path, kind: str) -> None:
    """What every page shows, and Train before a run."""
    for name in NAMES:
        window.show_page(name)
        settle()
        window.grab().save(str(out / f"{name.lower()}-{kind}.png"))
    if window.studio.workspace.project:
        window.show_page("Train")
        window.studio.actions["train.form"].trigger()
        settle()
        window.grab().save(str(out / f"train-before-{kind}.png"))
        window.studio.actions["train.every"].trigger()
        settle()
        window.grab().save(str(out / f"train-every-{kind}.png"))
        train_page(window).form._unfold.setChecked(False)


def running(window: MainWindow, out: Path, kind: str) -> None:
    """Train and another page during a run."""
    record = window.studio.runs.shown
    if record is None or record.config is None:
        return
    window.studio.actions["train"].trigger()
    worker = FakeWorker.made[-1]
    steps = record.config.training.steps
    facts = {"trainable": 439_296, "total": 21_625_796, "pictures": 40, "device": "CPU"}
    worker.tell(RunStarted(run=record.name, steps=steps, first_step=record.step, **facts))
    worker.tell(Progress(phase="Drawing previews", done=2, total=4, seconds_left=660))
    for name in ("Train", "Preview"):
        window.show_page(name)
        settle()
        window.grab().save(str(out / f"running-{name.lower()}-{kind}.png"))
    worker.end()
    settle(50)


def main(out: Path, project: Path | None) -> None:
    """One PNG for each page, theme and size."""
    out.mkdir(parents=True, exist_ok=True)
    app = QApplication([])
    for dark in (True, False):
        theme.apply(app, dark=dark)
        window = MainWindow(FakeWorker)
        if project:
            window.studio.workspace.open(project)
        for width, height in SIZES:
            window.resize(width, height)
            window.show()
            settle()
            kind = f"{'dark' if dark else 'light'}-{width}"
            pages(window, out, kind)
            running(window, out, kind)
        window.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
