"""How a worker process is started."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # where one from source finds the program


def worker_command() -> list[str]:
    """From source and frozen."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "--worker"]
    return [sys.executable, "-m", "core.worker"]
