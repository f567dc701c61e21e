"""Where the environment lies, and where its successor is built."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"  # what the program runs in: always whole
NEXT = ROOT / ".venv.partial"  # its successor: built, proven, then renamed
STAMP = "stylewright-stamp"  # what an environment was made for; written last
BUILD = "stylewright-torch"  # which torch it is for; written first
HAS_TORCH = "stylewright-torch-installed"  # and that it is all there


def python(venv: Path) -> Path:
    """An environment's interpreter."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
