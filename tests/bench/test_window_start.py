"""How long the window takes to appear, against an empty PySide6 window."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.project.demo import create_demo

ROOT = Path(__file__).parents[2]
ROUNDS = 15
# compiled modules are kept, as they are for a person: some machines of developers forbid it
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
EMPTY = """
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget
app = QApplication([])
window = QWidget()
window.show()
QTimer.singleShot(0, app.quit)
app.exec()
"""
OURS = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
sys.argv[0] = "stylewright"
real = QApplication.exec
QApplication.exec = staticmethod(lambda: (QTimer.singleShot(0, QApplication.quit), real())[1])
import stylewright
stylewright.main()
"""


def seconds(code: str, *arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, env=ENVIRONMENT, check=True)
    return time.perf_counter() - began


@pytest.mark.bench
@pytest.mark.parametrize("kind", ["first start", "demo project"])
def test_the_window_appears_in_three_times_an_empty_one(kind, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "XDG_CONFIG_HOME", str(tmp_path / "settings"))
    arguments = []
    if kind == "demo project":
        create_demo(tmp_path / "project")
        arguments = [str(tmp_path / "project")]
    for code in (EMPTY, OURS):
        seconds(code, *arguments)  # once for the disk
    pairs = [(seconds(OURS, *arguments), seconds(EMPTY)) for _ in range(ROUNDS)]
    ours, empty = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"\n{kind}: window / empty window: {ours / empty:.2f} (medians of {ROUNDS} starts by turns:"
    )
    print(f"{ours:.2f} s and {empty:.2f} s)")
    assert ours / empty < 3
