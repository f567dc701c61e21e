"""`.venv`: its successor is built beside it, proven, and takes its place by two renames.

Whatever happens on the way (no network, no room, Ctrl+C, a card that torch does not see), `.venv`
stays what it was, and the next start goes on from what lies in `.venv.partial`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from setup import cards, machine
from setup.installing import holds_torch, install, locks, prove, wanted_torch
from setup.libraries import apt_install
from setup.places import BUILD, NEXT, ROOT, STAMP, VENV, python
from setup.pythons import FETCHED, version_of
from setup.running import quietly
from setup.torch_build import TORCH, Choice, choose
from setup.words import MEANINGS, SetupError, explain, free_mb

OLD = "stylewright-replaced"  # inside its successor, until it is removed: one is always there
NEEDED_MB = {False: 3_000, True: 9_000}  # without and with a card


def ensure(*, with_tests: bool) -> None:
    """Make `.venv`, or bring it up to date, unless that was done.

    Raises:
        SetupError: It cannot be made, and there is none from before.
    """
    wanted = fingerprint(with_tests=with_tests)
    if wanted in marks(VENV) and not (VENV / OLD).exists():
        return
    try:
        with in_words(), alone():
            finish_swap()
            if wanted not in marks(VENV):
                make(with_tests=with_tests)
    except SetupError as error:
        if with_tests or not works(VENV):
            raise
        print(f"{error}\nUntil then Stylewright runs with what was set up before.", flush=True)


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """What the system refuses, said as an installer's words are: the old environment still runs.

    Raises:
        SetupError: In the place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise SetupError(explain("Setting up", str(error))) from None


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Two at once would build into one folder. Windows itself refuses most of that.

    Raises:
        SetupError: Another start.py is at it here.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    folder = os.open(ROOT, os.O_RDONLY)  # a folder can be locked itself: nothing is left behind
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SetupError(
            "Another start.py is setting Stylewright up in this folder.\n"
            "Wait until it is ready, and run start.py again."
        ) from None
    except OSError:
        pass  # a file system without locks
    try:
        yield
    finally:
        os.close(folder)


def fingerprint(*, with_tests: bool) -> str:
    """Changes when the Python, a wanted version or hash, or the kind of card does."""
    content = f"{platform.python_implementation()} {this_python()}{TORCH}{cards.at_hand()}"
    content += "".join(p.read_text(encoding="utf-8") for p in locks(with_tests=with_tests))
    return hashlib.sha256(content.encode()).hexdigest()


def this_python() -> str:
    """An environment goes on through updates of the same minor version."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def marks(venv: Path) -> list[str]:
    """What a whole environment was made for; empty for one that is not whole."""
    stamp = venv / STAMP
    return stamp.read_text(encoding="utf-8").split() if stamp.exists() else []


def works(venv: Path) -> bool:
    """Whether it is whole and of this Python, and its interpreter and pip run."""
    return bool(marks(venv)) and runs(venv)


def runs(venv: Path) -> bool:
    """Whether there is an interpreter of this Python's version, with pip."""
    if not python(venv).exists() or version_of(venv) != sys.version_info[:2]:
        return False
    return quietly([str(python(venv)), "-c", "import pip"]).returncode == 0


def make(*, with_tests: bool) -> None:
    """Build the successor, prove it, swap.

    Raises:
        SetupError: Something stands in the way; the words say what.
    """
    machine.check()
    graphics = cards.find()
    choice = choose(graphics)
    first = "Setting up Stylewright. This is done once and takes a few minutes."
    print("Bringing the packages up to date." if works(VENV) else first, flush=True)
    if choice.remark:
        print(f"  {choice.remark}", flush=True)
    begin(choice)
    install(NEXT, choice, with_tests=with_tests)
    print(f"  {prove(NEXT, choice)}", flush=True)
    known = {fingerprint(with_tests=tests) for tests in {False, with_tests}}
    swap("\n".join(sorted(known)))
    print("Ready.", flush=True)


def begin(choice: Choice) -> None:
    """What to build on: what an earlier try left, a copy of what is in use, or nothing.

    Raises:
        SetupError: No room, or no environment can be made.
    """
    if holds_torch(NEXT, choice) and runs(NEXT):
        return
    shutil.rmtree(NEXT, ignore_errors=True)
    if holds_torch(VENV, choice) and works(VENV):
        copy()
        return
    check_room(needed_mb=NEEDED_MB[choice.needs_card])
    make_venv()
    (NEXT / BUILD).write_text(wanted_torch(choice), encoding="utf-8")


def check_room(needed_mb: int) -> None:
    """Refuse before the disk is full.

    Raises:
        SetupError: Less than what the packages need is free.
    """
    free = free_mb(ROOT)
    if free < needed_mb:
        raise SetupError(
            f"The disk of {ROOT} has {free:,} MB free, Stylewright needs {needed_mb:,} MB.\n"
            "Free some space, or move this folder to another disk, and run start.py again."
        )


def copy() -> None:
    """A copy of hard links: gigabytes in a second, and no room.

    pip and uv replace files and never write into them, so that the original stays whole. The file
    that says what the copy is for comes last: without it the next start begins anew.
    """

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:  # a file system without links
            shutil.copy2(source, target)

    unwanted = shutil.ignore_patterns(STAMP, BUILD, OLD)
    shutil.copytree(VENV, NEXT, symlinks=True, copy_function=link, ignore=unwanted)
    shutil.copy2(VENV / BUILD, NEXT / BUILD)


def make_venv(*, with_help: bool = True) -> None:
    """A new environment; as root on Debian and Ubuntu what it needs is installed before.

    Raises:
        SetupError: The folder cannot be written, or this Python lacks venv or pip.
    """
    try:
        command = [sys.executable, "-m", "venv", "--prompt", VENV.name, str(NEXT)]
        step = quietly(command, scratch=True)
        said = (step.stdout + step.stderr).strip()
        if step.returncode == 0 and python(NEXT).exists():
            return
    except OSError as error:  # not even its folder can be made
        said = str(error)
    shutil.rmtree(NEXT, ignore_errors=True)
    if any(sign in said for signs, _ in MEANINGS[:-1] for sign in signs):
        raise SetupError(explain("Making an environment", said))
    package = f"python{this_python()}-venv"
    if with_help and shutil.which("apt-get") and os.geteuid() == 0:
        apt_install([package])
        make_venv(with_help=False)
        return
    raise SetupError(
        f"This Python ({sys.executable}) cannot make an environment: it lacks venv or pip.\n"
        f"On Debian and Ubuntu run: sudo apt install {package}\n"
        f"Elsewhere install a full Python {FETCHED}, and run start.py again."
    )


def swap(stamp: str) -> None:
    """The successor takes its place. Killed between the renames, the next start ends the job.

    Raises:
        SetupError: Windows keeps a folder whose programs run.
    """
    for leftover in ("tmp", "uv"):
        shutil.rmtree(NEXT / leftover, ignore_errors=True)
    settle_scripts()
    (NEXT / STAMP).write_text(stamp, encoding="utf-8")
    try:
        if VENV.exists():
            VENV.rename(NEXT / OLD)
        NEXT.rename(VENV)
    except OSError as error:
        finish_swap()
        raise SetupError(
            f"{VENV} is in use: {error.strerror}.\n"
            "Close Stylewright and other programs that use this folder, and run start.py again."
        ) from None
    finish_swap()


def finish_swap() -> None:
    """After a swap that was cut off: the old one comes back, or goes for good."""
    if not VENV.exists() and (NEXT / OLD).exists():
        (NEXT / OLD).rename(VENV)
    if (VENV / OLD).exists():
        shutil.rmtree(VENV / OLD, ignore_errors=True)


def settle_scripts() -> None:
    """Scripts name the folder they were made in; this lets them name the one they will lie in."""
    here, there = os.fsencode(NEXT), os.fsencode(VENV)
    for file in (NEXT / "pyvenv.cfg", *python(NEXT).parent.iterdir()):
        if file.is_file() and not file.is_symlink() and here in (content := file.read_bytes()):
            file.write_bytes(content.replace(here, there))
