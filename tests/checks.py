"""Every check, fastest first: `python3 start.py test`. Extra words go to pytest."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

IN_PARALLEL = ["-n", "2", "--dist", "worksteal"]
CHECKS = (
    ("formatting", [str(BIN / "ruff"), "format", "--check", "."]),
    ("lint", [str(BIN / "ruff"), "check", "."]),
    ("import contracts", [str(BIN / "lint-imports")]),
    ("types", [str(BIN / "basedpyright"), "--pythonpath", sys.executable]),
)


def main(extra: list[str]) -> int:
    """Run all; stop at the first that fails. Only pytest's own words are printed at length."""
    for name, command in CHECKS if not extra else ():
        began = time.monotonic()
        step = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if step.returncode != 0:
            print(step.stdout + step.stderr)
            print(f"{name}: failed")
            return step.returncode
        print(f"{name}: good, {time.monotonic() - began:.0f} s", flush=True)
    tests = [sys.executable, "-m", "pytest", "-q", "--durations=8", *(extra or IN_PARALLEL)]
    # two threads of torch beside another busy process are slower than one
    environment = os.environ if extra else {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(tests, cwd=ROOT, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
