"""Which Python it runs in: this one, one that is here, or one that uv fetches."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from setup import PYTHONS
from setup.places import NEXT, ROOT, VENV
from setup.running import follow, quietly
from setup.words import SetupError

UV = "uv==0.13.9"
FETCHED = "3.13"  # which one uv fetches
HANDED_OVER = "STYLEWRIGHT_HANDED_OVER"  # set for a Python that another one chose: it asks no third
RANGE = "{}.{} to {}.{}".format(*PYTHONS[0], *PYTHONS[1])

# Run by another Python, to tell where it is if it fits.
JUDGE = (
    f"import sys, venv, ensurepip; sys.path.insert(0, {str(ROOT)!r}); "
    "from setup.pythons import fits; print(sys.executable if fits() else '')"
)


def another_python() -> str | None:
    """The Python to hand over to; None: this one will do.

    An environment stays with the Python it was made with, whichever runs start.py, as long as that
    one is there. Otherwise this one is taken if it fits, or another that is here, or uv's.

    Raises:
        SetupError: None fits, and none can be had.
    """
    if os.environ.pop(HANDED_OVER, ""):
        return None
    if owner := owner_of(VENV):
        return None if fits() and version_of(VENV) == sys.version_info[:2] else owner
    if fits():
        return None
    print(f"Stylewright needs Python {RANGE}; this is {description()}.", flush=True)
    found = here() or fetched()
    print(f"Going on with {found}", flush=True)
    return found


def fits() -> bool:
    """Whether torch and Qt are made for this Python."""
    return (
        sys.implementation.name == "cpython"
        and PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]
        and sys.maxsize > 2**32
        and "t" not in getattr(sys, "abiflags", "")
    )


def description() -> str:
    """What this Python is, as far as it matters."""
    bits = "" if sys.maxsize > 2**32 else ", 32 bits"
    return f"{platform.python_implementation()} {platform.python_version()}{bits}"


def settings_of(venv: Path) -> dict[str, str]:
    """What `pyvenv.cfg` says: read, since asking the interpreter takes ten times as long."""
    try:
        lines = (venv / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}


def owner_of(venv: Path) -> str | None:
    """The Python that made an environment, if it is still there and still wanted."""
    owner = settings_of(venv).get("executable", "")
    wanted = PYTHONS[0] <= version_of(venv) <= PYTHONS[1]
    return owner if owner and wanted and Path(owner).exists() else None


def version_of(venv: Path) -> tuple[int, ...]:
    """An environment's Python, such as (3, 11)."""
    parts = settings_of(venv).get("version", "").split(".")[:2]
    return tuple(int(part) for part in parts if part.isdigit())


def here() -> str | None:
    """A Python that fits on this machine, the newest first."""
    for minor in range(PYTHONS[1][1], PYTHONS[0][1] - 1, -1):
        command = ["py", f"-3.{minor}"] if os.name == "nt" else [f"python3.{minor}"]
        if shutil.which(command[0]) and (found := judged(command)):
            return found
    return None


def judged(command: list[str]) -> str | None:
    """Where a Python is, if it fits: a name on PATH may be a stand-in that runs nothing."""
    try:
        step = quietly([*command, "-c", JUDGE], seconds=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return step.stdout.strip() or None if step.returncode == 0 else None


def fetched() -> str:
    """A Python that uv has or fetches.

    Raises:
        SetupError: It cannot be fetched.
    """
    by_hand = f"Install Python {FETCHED} from your system or python.org, and run start.py with it."
    try:
        uv = [on_path] if (on_path := shutil.which("uv")) else uv_beside(sys.executable)
    except SetupError as error:
        raise SetupError(f"{error}\n{by_hand}") from None
    find = [*uv, "python", "find", "--no-project", "--system", f">={PYTHONS[0][0]}.{PYTHONS[0][1]}"]
    find[-1] += f",<{PYTHONS[1][0]}.{PYTHONS[1][1] + 1}"
    if not (found := judged([quietly(find).stdout.strip() or "-"])):
        try:
            follow(f"Fetching Python {FETCHED} with uv", [*uv, "python", "install", FETCHED])
        except SetupError as error:
            raise SetupError(f"{error}\nOr: {by_hand}") from None
        found = judged([quietly([*find[:-1], "--managed-python", FETCHED]).stdout.strip() or "-"])
    if not found:
        raise SetupError(f"uv found no Python that fits.\n{by_hand}")
    return found


def uv_beside(with_python: str) -> list[str]:
    """uv, put beside the environment by a Python's pip.

    Raises:
        SetupError: There is no pip, or it cannot fetch uv.
    """
    folder = NEXT / "uv"
    program = folder / "bin" / ("uv.exe" if os.name == "nt" else "uv")
    if not program.exists():
        pip = [with_python, "-m", "pip", "install", "--disable-pip-version-check"]
        follow("Installing uv", [*pip, "--target", str(folder), UV])
    return [str(program)]
