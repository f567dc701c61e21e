"""What torch and Qt are not made for, told before any package is fetched."""

from __future__ import annotations

import os
import platform
import sys

from setup.places import VENV
from setup.words import SetupError

MACOS = 14
GLIBC = {"x86_64": (2, 34), "aarch64": (2, 39)}  # Qt's wheels, the most demanding
LONGEST = 210  # the longest path below an environment has 196 characters
WINDOWS_LIMIT = 259


def check() -> None:
    """Refuse what cannot work.

    Raises:
        SetupError: This computer or its system is too old, or of another kind.
    """
    if sys.platform == "darwin":
        check_mac(platform.machine(), platform.mac_ver()[0])
    elif sys.platform == "linux":
        check_linux(platform.machine(), *platform.libc_ver())
    elif os.name == "nt":
        check_windows(platform.machine(), str(VENV), has_long_paths=long_paths())


def check_mac(machine: str, version: str) -> None:
    """Apple silicon, and macOS 14."""
    if machine != "arm64":
        raise SetupError(
            "torch is no longer made for Intel Macs, nor for a Python that was made for them.\n"
            "On Apple silicon install Python from python.org; otherwise use another computer."
        )
    if version and int(version.partition(".")[0]) < MACOS:
        raise SetupError(
            f"torch needs macOS {MACOS} or newer; this is {version}.\n"
            "Update macOS and run start.py again."
        )


def check_linux(machine: str, libc: str, version: str) -> None:
    """A C library that Qt's wheels run on."""
    if machine not in GLIBC:
        raise SetupError(
            f"torch and Qt are made for {' and '.join(GLIBC)}; this computer is {machine}.\n"
            "Use another computer."
        )
    have = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if libc == "glibc" and have and have < GLIBC[machine]:
        raise SetupError(
            f"Qt needs glibc {GLIBC[machine][0]}.{GLIBC[machine][1]} or newer; this system has "
            f"{version}.\nUse a newer system: on a PC Debian 12, Ubuntu 22.04, Fedora 36 or later "
            "ones."
        )


def check_windows(machine: str, venv: str, *, has_long_paths: bool) -> None:
    """An x64 Python, and room for torch's long names."""
    if machine.upper() == "ARM64":
        raise SetupError(
            "torch is not made for Python on ARM.\n"
            "Install the 64-bit (x64) Python from python.org and run start.py with it."
        )
    if not has_long_paths and len(venv) + LONGEST > WINDOWS_LIMIT:
        raise SetupError(
            f"This folder's path is too long for Windows: {venv}\n"
            "Move the folder to a short one, such as C:\\Stylewright, or turn long paths on "
            "(LongPathsEnabled in the registry), and run start.py again."
        )


def long_paths() -> bool:
    """Whether Windows takes paths of more than 259 characters."""
    if sys.platform != "win32":
        return True
    import winreg

    key = r"SYSTEM\CurrentControlSet\Control\FileSystem"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:
            return winreg.QueryValueEx(opened, "LongPathsEnabled")[0] == 1
    except OSError:
        return False
