"""How long the window keeps a pointer waiting while a mask is painted: `python tests/gui/mask_gaps.py [WIDTH] [HEIGHT]`.

Of a picture of that size (4,000 x 3,000 px), in a window of 1920 x 1080. Strokes: of each pointer
move, with all that is drawn for it, the median and the longest. All else: the longest gap, and how
long the window itself worked without a pause, which other programs on the machine do not lengthen.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp()
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from PIL import Image
from PySide6.QtCore import QEventLoop, QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app import theme
from app.views.main_window import MainWindow
from core.config.options import RunConfig
from core.project.layout import create
from tests.gui.conftest import dataset_page

MOVES = 150


def gap(act: Callable[[], object], done: Callable[[], bool]) -> tuple[float, float, float]:
    """From `act` until `done`: the longest gap, that by the window's own work, the whole time."""
    loop, tick = QEventLoop(), QTimer(interval=1)
    began = last = time.perf_counter()
    last_own = time.thread_time()
    longest = own = 0.0

    def on_tick() -> None:
        nonlocal last, last_own, longest, own
        now, now_own = time.perf_counter(), time.thread_time()
        longest, own = max(longest, now - last), max(own, now_own - last_own)
        last, last_own = now, now_own
        if done():
            loop.quit()

    tick.timeout.connect(on_tick)
    tick.start()
    QTimer.singleShot(0, loop, act)
    loop.exec()
    return longest, own, time.perf_counter() - began


def noise(width: int, height: int) -> Image.Image:
    """Colours that are no two alike beside one another, over a slope that is."""
    y, x = np.mgrid[0:height, 0:width]
    slope = np.stack([x * 255 // width, y * 255 // height, (x + y) // 9 % 256], -1)
    some = np.random.default_rng(0).integers(0, 24, slope.shape)
    return Image.fromarray((slope * 9 // 10 + some).astype(np.uint8))


def stroke(canvas: object, app: QApplication) -> list[float]:
    """Seconds of the window's own work for each move of a drag over the picture."""
    room = canvas.rect()
    taken: list[float] = []
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(room.width() // 2, 80))
    for number in range(MOVES):
        x = room.width() // 2 + round((room.height() / 2 - 60) * np.sin(number / 9))
        began = time.thread_time()
        QTest.mouseMove(canvas, QPoint(x, 80 + number * (room.height() - 160) // MOVES))
        app.processEvents()
        taken.append(time.thread_time() - began)
    began = time.thread_time()
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(x, room.height() - 80))
    app.processEvents()
    return [*taken, time.thread_time() - began]


def main(width: int, height: int) -> None:
    """Open, paint with brushes of several sizes, change all of it, write, undo."""
    app = QApplication([])
    theme.apply(app, dark=True)
    project = create(Path(tempfile.mkdtemp()) / "p", RunConfig(name="P", base="demo"))
    noise(width, height).save(project.images / "a.png")
    window = MainWindow()
    window.resize(1920, 1080)
    window.show()
    studio = window.studio
    studio.workspace.open(project.root)
    gap(lambda: None, lambda: studio.dataset.rows.rowCount() == 1 and not studio.dataset.busy)
    page = dataset_page(window)
    page._choose(0)

    def say(what: str, longest: float, rest: str) -> None:
        sys.stdout.write(f"{what:<34} longest {1000 * longest:6.1f} ms, {rest}\n")
        sys.stdout.flush()

    def opened() -> bool:
        panel = page.masks.panel
        return page.masks.painting and panel is not None and not panel.model.busy

    def tell(what: str, act: Callable[[], object], done: Callable[[], bool]) -> None:
        longest, own, whole = gap(act, done)
        say(what, longest, f"own work {1000 * own:5.1f} ms, whole {whole:.2f} s")

    act = studio.actions["dataset.mask"].trigger
    for what in ("opening, the first time", "opening again"):
        tell(what, act, opened)
        if what.endswith("time"):
            page.masks.panel.leave()
    panel = page.masks.panel
    for width_px, soft in ((20, False), (200, False), (200, True), (512, False), (512, True)):
        panel._set_width(width_px)
        panel._soft.setChecked(soft)
        taken = stroke(panel.canvas, app)
        kind = "soft" if soft else "hard"
        say(
            f"stroke, {kind}, {width_px} px",
            max(taken),
            f"median {1000 * statistics.median(taken):.1f} ms",
        )
    for name in ("invert", "grow", "shrink", "blur"):
        tell(name, studio.actions[f"mask.{name}"].trigger, opened)
    tell("fill", lambda: panel.model.fill(10, 10), opened)
    tell("undo of it", panel.model.stack.undo, lambda: True)
    tell("zoom", lambda: panel.canvas.zoom(4), lambda: True)
    tell("done", panel.leave, lambda: not studio.dataset.busy)
    window.close()
    app.quit()


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 4000,
        int(sys.argv[2]) if len(sys.argv) > 2 else 3000,
    )
