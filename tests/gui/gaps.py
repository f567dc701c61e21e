"""The longest gaps of the window's event loop while much goes on: `python tests/gui/gaps.py [PICTURES] [LOGS]`.

A gap is how long a key or a mouse move may wait. Prints one line a case.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["STYLEWRIGHT_HOME"] = tempfile.mkdtemp()
os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_STATE_HOME"] = os.environ["STYLEWRIGHT_HOME"]
sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from app.views.main_window import MainWindow
from core.config.options import RunConfig
from core.project.layout import Project, create
from core.protocol import wire
from core.protocol.events import StepDone

HOME = Path(os.environ["STYLEWRIGHT_HOME"])
STEPS = 1500
TICK_MS = 1


def gap(
    act: Callable[[], object], done: Callable[[], bool], limit: float = 600
) -> tuple[float, float]:
    """The longest gap and the whole time in seconds, from `act` until `done`."""
    began = last = time.perf_counter()
    longest = 0.0
    loop, tick = QEventLoop(), QTimer(interval=TICK_MS)

    def on_tick() -> None:
        nonlocal last, longest
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
        if done() or now - began > limit:
            loop.quit()

    tick.timeout.connect(on_tick)
    tick.start()
    QTimer.singleShot(0, loop, act)
    loop.exec()
    return longest, time.perf_counter() - began


def pictures(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    first = folder / "a.jpg"
    Image.new("RGB", (96, 96), "#c33").save(first)
    content = first.read_bytes()
    first.unlink()
    for number in range(count):
        (folder / f"p{number:06}.jpg").write_bytes(content)
        (folder / f"p{number:06}.txt").write_text(f"a ball number {number}")


def logs(project: Project, count: int) -> None:
    lines = b"".join(
        wire.to_line(StepDone(step=n, loss=0.5, lr=0.1, grad_norm=1, seconds=1, seconds_left=1))
        for n in range(1, STEPS + 1)
    )
    for _ in range(count):
        project.new_run(project.config()).log_file.write_bytes(lines)


def main(count: int, runs: int) -> None:
    """Open, turn away and back, lose 150 files, remove all, import all, open the runs."""
    app = QApplication([])
    project = create(HOME / "many", RunConfig(name="Many", base="demo"))
    pictures(project.images, count)
    window = MainWindow()
    window.show()
    studio = getattr(window, "studio", window)
    dataset = studio.dataset

    def rested() -> bool:
        return not dataset.busy

    def say(what: str, times: tuple[float, float]) -> None:
        sys.stdout.write(f"{what:<34} longest gap {times[0]:6.2f} s, whole {times[1]:6.1f} s\n")
        sys.stdout.flush()

    shown: list[float] = []
    began = time.perf_counter()
    dataset.rows.rowsInserted.connect(lambda: shown.append(time.perf_counter() - began))
    dataset.rows.modelReset.connect(
        lambda: dataset.rows.rowCount() and shown.append(time.perf_counter() - began)
    )
    act = lambda: studio.workspace.open(project.root)  # noqa: E731
    say(
        f"opening {count:,} pictures",
        gap(act, lambda: dataset.rows.rowCount() == count and rested()),
    )
    sys.stdout.write(f"  the first picture came after {min(shown):.2f} s\n")
    say("turning to the window again", gap(dataset.rescan, rested))

    def lose() -> None:
        for number in range(0, count, max(1, count // 150)):
            (project.images / f"p{number:06}.jpg").unlink(missing_ok=True)
        dataset.rescan()

    say("150 files vanish", gap(lose, lambda: dataset.rows.rowCount() < count and rested()))
    left = dataset.rows.rowCount()
    paths = [picture.path for picture in dataset.rows.pictures]
    first = paths[left // 2]
    say("a caption is saved", gap(lambda: dataset.set_caption(first, "new", ""), lambda: True))
    say(
        "Del on all",
        gap(lambda: dataset.remove(paths), lambda: dataset.rows.rowCount() == 0 and rested()),
    )
    say(
        "undo of that",
        gap(dataset.undo_stack.undo, lambda: dataset.rows.rowCount() == left and rested()),
    )
    pictures(HOME / "more", min(count, 20_000))
    more = [HOME / "more"]
    what = f"importing {min(count, 20_000):,}"
    say(
        what,
        gap(
            lambda: dataset.import_paths(more), lambda: dataset.rows.rowCount() > left and rested()
        ),
    )
    for page in range(4):
        if hasattr(window, "page"):
            window.page(("Dataset", "Train", "Preview", "Adapters")[page])
    with_runs = create(HOME / "runs", RunConfig(name="Runs", base="demo"))
    logs(with_runs, runs)
    shown_run = lambda: studio.runs.shown is not None and not getattr(studio.runs, "reading", False)  # noqa: E731
    act = lambda: studio.workspace.open(with_runs.root)  # noqa: E731
    say(f"opening {runs} logs of {STEPS:,} steps", gap(act, lambda: shown_run() and rested()))
    window.close()
    app.quit()


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 20_000,
        int(sys.argv[2]) if len(sys.argv) > 2 else 200,
    )
