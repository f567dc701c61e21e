"""The order of things: a Python that fits, what Qt needs, the environment, the program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from setup import environment, libraries
from setup.places import ROOT, VENV, python
from setup.pythons import HANDED_OVER, another_python
from setup.running import clean_environment
from setup.words import SetupError

# These need no display.
COMMANDS = (
    "demo",
    "new",
    "train",
    "queue",
    "sample",
    "export",
    "check",
    "memory",
    "rate",
    "inspect",
    "merge",
    "resize",
    "extract",
    "compare",
    "unpickle",
    "get",
    "caption",
    "verify",
    "-h",
    "--help",
    "--version",
)


def main(arguments: list[str]) -> int:
    """Set up what is missing, then run."""
    if os.name == "nt":
        os.system("")  # noqa: S605 - wakes the console's sense for escape codes
    testing = arguments[:1] == ["test"]
    try:
        if other := another_python():
            return run([other, str(ROOT / "start.py"), *arguments], {HANDED_OVER: "1"})
        if not arguments or arguments[0] not in COMMANDS:  # before gigabytes are fetched
            libraries.ensure(with_display_tools=testing)
            if not testing:  # tests bring their own
                libraries.check_display()
        environment.ensure(with_tests=testing)
    except SetupError as error:
        print(error)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. Run start.py again to go on.")
        return 130
    script = ["tests/checks.py", *arguments[1:]] if testing else ["stylewright.py", *arguments]
    return run([str(python(VENV)), str(ROOT / script[0]), *script[1:]])


def run(command: list[str], more: dict[str, str] | None = None) -> int:
    """Replace this process where the system can, so that signals reach the program."""
    environ = {**clean_environment(), **(more or {})}
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(command[0], command, environ)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the program's, which saves and ends
    return subprocess.run(command, check=False, env=environ).returncode
