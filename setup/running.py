"""Other programs: asked quietly, or followed while they install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time

from setup.places import NEXT, ROOT
from setup.words import SetupError, explain

STILL_SECONDS = 20  # between two signs of life where there is no terminal to draw a line on
UV_SECONDS = "120"  # uv's own 30 end a download of gigabytes over a slow line


def clean_environment() -> dict[str, str]:
    """Without what would send Python or pip to other packages than the environment's."""
    unwanted = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX")
    elsewhere = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")
    return {k: v for k, v in os.environ.items() if k not in unwanted + elsewhere}


def installers_environment() -> dict[str, str]:
    """Installers unpack beside the environment: /tmp is often small, and never counted."""
    scratch = NEXT / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    amd = {"PATH": os.pathsep.join((os.environ.get("PATH", ""), "/opt/rocm/bin"))}
    patient = {"UV_HTTP_TIMEOUT": os.environ.get("UV_HTTP_TIMEOUT", UV_SECONDS)}
    return {**clean_environment(), **places, **amd, **patient}  # uv asks ROCm which card it is


def quietly(
    command: list[str], *, seconds: float | None = None, scratch: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command and keep what it says.

    Raises:
        subprocess.TimeoutExpired: It took longer than `seconds`, and was ended.
    """
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=seconds,
        cwd=ROOT,
        env=installers_environment() if scratch else clean_environment(),
    )


def follow(step: str, command: list[str]) -> None:
    """Run a command that installs, showing what it is at.

    Raises:
        SetupError: It failed.
    """
    try:
        status, said = shown(step, command)
    except OSError as error:  # it cannot even be run: a disk without programs, a guard
        print()
        status, said = 1, str(error)
    if status != 0:
        raise SetupError(explain(step, said))


def shown(step: str, command: list[str]) -> tuple[int, str]:
    """Run a command with a line that tells what it is at; returns its status and words."""
    began = time.monotonic()
    lines: list[str] = [""]
    tty = sys.stdout.isatty()
    ended = threading.Event()

    def still_at_it() -> None:  # uv says nothing while it fetches
        while not ended.wait(1 if tty else STILL_SECONDS):
            said = f"  {step}: {time.monotonic() - began:.0f} s so far"
            if tty:
                room = shutil.get_terminal_size().columns - 1
                print(f"\r\033[K{said}, {lines[-1].strip()}"[: room + 4], end="", flush=True)
            else:
                print(said, flush=True)

    print(f"  {step} ...", end="" if tty else "\n", flush=True)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,  # a question nobody sees would be waited for
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        cwd=ROOT,
        env=installers_environment(),
    ) as process:
        watch = threading.Thread(target=still_at_it, daemon=True)
        watch.start()
        try:
            lines.extend(process.stdout or ())
            status = process.wait()
        finally:
            ended.set()
            watch.join()
            process.kill()  # after Ctrl+C: nothing may go on writing into the environment
    result = f"{step}: {time.monotonic() - began:.0f} s" if status == 0 else f"{step} failed"
    print(f"\r\033[K  {result}" if tty else f"  {result}", flush=True)
    return status, "".join(lines)
