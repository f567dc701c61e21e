"""A real window on a real (virtual) screen: files dragged from a file manager to previews seen."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.widgets.preview_grid import LARGE_PX, SMALL_PX
from core.config import files
from core.project.demo import STYLE, demo_config
from core.project.layout import Project, create

ROOT = Path(__file__).parents[2]
DISPLAY = ":93"
WINDOW = (480, 0, 960, 700)  # x, y, width, height; there is no window manager to move it
FILES = (0, 0, 440, 500)
FOUND = 0.8  # correlation with the picture that is looked for

pytestmark = pytest.mark.display


def wait_for(what: Callable[[], object], seconds: float = 120) -> object:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.2)
    raise AssertionError(f"did not come in {seconds} s: {what}")


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    command = ["Xvfb", DISPLAY, "-screen", "0", "1440x800x24", "-nolisten", "tcp"]
    screen = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    environment = {**os.environ, "DISPLAY": DISPLAY, "QT_QPA_PLATFORM": "xcb"}
    probe = ["xdpyinfo"]
    wait_for(lambda: subprocess.run(probe, env=environment, capture_output=True).returncode == 0)
    yield environment
    screen.terminate()
    screen.wait()


def xdo(environment: dict[str, str], *words: object) -> str:
    command = ["xdotool", *map(str, words)]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True, timeout=60
    ).stdout


def screenshot(environment: dict[str, str], path: Path) -> np.ndarray:
    command = ["import", "-window", "root", str(path)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
    return np.asarray(Image.open(path).convert("L"), dtype=np.float64)


def correlation(screen: np.ndarray, picture: np.ndarray) -> float:
    """The best normalised correlation of `picture` anywhere on `screen`, by FFT."""
    picture = picture - picture.mean()
    shape = screen.shape
    spectrum = np.fft.rfft2(screen)

    def matched(kernel: np.ndarray) -> np.ndarray:
        return np.fft.irfft2(spectrum * np.conj(np.fft.rfft2(kernel, shape)), shape)

    ones = np.ones(picture.shape)
    count = ones.size
    sums = matched(ones)
    squares = np.fft.irfft2(np.fft.rfft2(screen**2) * np.conj(np.fft.rfft2(ones, shape)), shape)
    spread = np.sqrt(np.maximum(squares - sums**2 / count, 1.0))
    inside = (slice(0, shape[0] - picture.shape[0]), slice(0, shape[1] - picture.shape[1]))
    scores = matched(picture) / (spread * np.linalg.norm(picture))
    return float(scores[inside].max())


def tile(path: Path, edge: int) -> np.ndarray:
    """A preview as the table shows it, without its round corners."""
    image = Image.open(path).convert("L").resize((edge, edge), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float64)[6:-6, 6:-6]


def likeness(screen: np.ndarray, path: Path) -> float:
    """The best correlation over the sizes that a tile may have."""
    edges = range(SMALL_PX, LARGE_PX + 1, 3)
    return max(correlation(screen, tile(path, edge)) for edge in edges)


def drag(environment: dict[str, str], start: tuple[int, int], end: tuple[int, int]) -> None:
    """Small steps with pauses: one jump is not a drag."""
    xdo(environment, "mousemove", *start)
    time.sleep(0.3)
    xdo(environment, "mousedown", 1)
    time.sleep(0.3)
    for part in range(1, 26):
        x, y = (round(a + (b - a) * part / 25) for a, b in zip(start, end, strict=True))
        xdo(environment, "mousemove", x, y)
        time.sleep(0.04)
    time.sleep(0.5)
    xdo(environment, "mouseup", 1)


def test_files_dragged_in_are_trained_and_their_previews_are_seen(
    display: dict[str, str], tmp_path: Path
) -> None:
    if missing := [t for t in ("xdotool", "pcmanfm", "import") if shutil.which(t) is None]:
        pytest.fail(f"start.py test installs {missing}; run it as root once")
    source = tmp_path / "birds and beasts"
    source.mkdir()
    for name in ("bear", "cat", "fox", "owl"):
        for suffix in (".png", ".txt"):
            shutil.copyfile(STYLE / f"{name}{suffix}", source / f"{name}{suffix}")
    config = files.with_changes(
        demo_config(steps=5, prompts=2),
        ["preview.inference_steps=6", "preview.every=0", "training.batch_size=2"],
    )
    project = create(tmp_path / "project", config)
    app = subprocess.Popen(
        [sys.executable, str(ROOT / "stylewright.py"), str(project.root)], env=display, cwd=ROOT
    )
    manager = subprocess.Popen(
        ["dbus-run-session", "--", "pcmanfm", "--no-desktop", str(source)],
        env={**display, "XDG_CONFIG_HOME": str(tmp_path / "pcmanfm")},
        stderr=subprocess.DEVNULL,
    )
    try:
        window = xdo(display, "search", "--sync", "--onlyvisible", "--name", "Stylewright").split()[
            0
        ]
        place(display, window, WINDOW)
        folder = xdo(display, "search", "--sync", "--onlyvisible", "--class", "pcmanfm").split()[-1]
        place(display, folder, FILES)
        time.sleep(2)
        select_and_drag(display, folder, project, tmp_path)
        train_and_look(display, window, project, tmp_path)
    finally:
        for process in (app, manager):
            process.terminate()
            process.wait(60)


def place(environment: dict[str, str], window: str, where: tuple[int, int, int, int]) -> None:
    x, y, width, height = where
    xdo(environment, "windowsize", window, width, height)
    xdo(environment, "windowmove", window, x, y)


def select_and_drag(
    environment: dict[str, str], folder: str, project: Project, tmp_path: Path
) -> None:
    xdo(environment, "windowfocus", "--sync", folder)
    xdo(environment, "mousemove", FILES[0] + 400, FILES[1] + 440, "click", 1)
    time.sleep(0.5)
    plain = screenshot(environment, tmp_path / "plain.png")
    xdo(environment, "key", "ctrl+a")
    time.sleep(0.5)
    selected = screenshot(environment, tmp_path / "selected.png")
    middle = (WINDOW[0] + WINDOW[2] // 2, WINDOW[1] + WINDOW[3] // 2)
    drag(environment, first_icon(plain, selected), middle)
    screenshot(environment, tmp_path / "after-drag.png")
    wait_for(lambda: len(list(project.images.glob("*.png"))) == 4, 20)


def first_icon(plain: np.ndarray, selected: np.ndarray) -> tuple[int, int]:
    """A place on the first file: selecting all changed it, and nothing above it or left of it."""
    changed = np.abs(selected - plain)[: FILES[3] - 30, : FILES[2]] > 20
    rows, columns = np.nonzero(changed)
    top = rows.min()
    return int(columns[rows < top + 40].min()) + 20, int(top) + 20


def train_and_look(
    environment: dict[str, str], window: str, project: Project, tmp_path: Path
) -> None:
    xdo(environment, "windowfocus", "--sync", window)
    xdo(environment, "key", "ctrl+2")
    time.sleep(0.5)
    xdo(environment, "key", "ctrl+Return")
    wait_for(project.runs)
    run = project.run("")
    wait_for(lambda: run.log_file.exists() and b'"finished"' in run.log_file.read_bytes(), 300)
    captions = sorted(p.read_text() for p in project.images.glob("*.txt"))
    assert captions == sorted(p.read_text() for p in STYLE.glob("*.txt") if p.stem in NAMES)
    xdo(environment, "key", "ctrl+3")
    time.sleep(2)
    screen = screenshot(environment, tmp_path / "previews.png")
    for index in range(2):
        preview = run.preview_file(5, index)
        assert likeness(screen, preview) > FOUND, preview
    stranger = STYLE / "castle.png"
    assert likeness(screen, stranger) < FOUND


NAMES = ("bear", "cat", "fox", "owl")
