"""Qt's system libraries and the window tests' programs, by each system's own names."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys

from setup.words import SetupError

# How each system installs; the first that is here counts, so that Debian's comes before others that
# can be installed on it.
INSTALL = {
    "apt-get": "apt-get install -y --no-install-recommends",
    "zypper": "zypper install",
    "dnf": "dnf install",
    "pacman": "pacman -S --needed",
}

# By the file that shows whether they are there: Debian's, openSUSE's, Fedora's and Arch's name.
QT_LIBRARIES = {
    "libGL.so.1": ("libgl1", "Mesa-libGL1", "libglvnd-glx", "libglvnd"),
    "libEGL.so.1": ("libegl1", "Mesa-libEGL1", "libglvnd-egl", "libglvnd"),
    "libxkbcommon.so.0": ("libxkbcommon0", "libxkbcommon0", "libxkbcommon", "libxkbcommon"),
    "libfontconfig.so.1": ("libfontconfig1", "fontconfig", "fontconfig", "fontconfig"),
    "libglib-2.0.so.0": ("libglib2.0-0", "libglib-2_0-0", "glib2", "glib2"),
    "libdbus-1.so.3": ("libdbus-1-3", "libdbus-1-3", "dbus-libs", "dbus"),
    "libxcb-cursor.so.0": (
        "libxcb-cursor0",
        "libxcb-cursor0",
        "xcb-util-cursor",
        "xcb-util-cursor",
    ),
    "libxcb-icccm.so.4": ("libxcb-icccm4", "libxcb-icccm4", "xcb-util-wm", "xcb-util-wm"),
    "libxcb-keysyms.so.1": (
        "libxcb-keysyms1",
        "libxcb-keysyms1",
        "xcb-util-keysyms",
        "xcb-util-keysyms",
    ),
    "libxcb-shape.so.0": ("libxcb-shape0", "libxcb-shape0", "libxcb", "libxcb"),
    "libxkbcommon-x11.so.0": (
        "libxkbcommon-x11-0",
        "libxkbcommon-x11-0",
        "libxkbcommon-x11",
        "libxkbcommon-x11",
    ),
}
DISPLAY_TOOLS = {
    "Xvfb": ("xvfb", "xorg-x11-server-Xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb"),
    "xdotool": ("xdotool",) * 4,
    "import": ("imagemagick", "ImageMagick", "ImageMagick", "imagemagick"),
    "openbox": ("openbox",) * 4,
    "pcmanfm": ("pcmanfm",) * 4,
    "dbus-run-session": ("dbus", "dbus-1-daemon", "dbus-daemon", "dbus"),
    "xdpyinfo": ("x11-utils", "xdpyinfo", "xdpyinfo", "xorg-xdpyinfo"),
}


def ensure(*, with_display_tools: bool = False) -> None:
    """See to it that Qt finds what it loads.

    Raises:
        SetupError: Something is missing and cannot be installed from here.
    """
    ensure_packages(missing(with_display_tools=with_display_tools))


def check_display() -> None:
    """Qt ends the program where there is none.

    Raises:
        SetupError: No window can be shown.
    """
    shown_by = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in shown_by):
        raise SetupError(
            "There is no display here for the window: neither DISPLAY nor WAYLAND_DISPLAY is set.\n"
            "Run start.py in a desktop session or over `ssh -X`; without a window there are "
            "`start.py demo` and the other commands that README.md names."
        )


def missing(*, with_display_tools: bool) -> list[tuple[str, ...]]:
    """The names of what is not there, one tuple a library or program."""
    if sys.platform != "linux":
        return []
    names = []
    for library, packages in QT_LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            names.append(packages)
    if with_display_tools:
        names += [p for tool, p in DISPLAY_TOOLS.items() if shutil.which(tool) is None]
    return names


def ensure_packages(names: list[tuple[str, ...]]) -> None:
    """Install system packages as root on Debian; otherwise say which line does.

    Raises:
        SetupError: They are missing and cannot be installed from here.
    """
    if not names:
        return
    program = next((program for program in INSTALL if shutil.which(program)), None)
    if program is None:
        raise SetupError(
            "Qt needs libraries that are missing here (Debian calls them "
            f"{', '.join(row[0] for row in names)}).\n"
            "Install them with your system's package program, and run start.py again."
        )
    column = list(INSTALL).index(program)
    packages = list(dict.fromkeys(row[column] for row in names))
    line = f"{INSTALL[program]} {' '.join(packages)}"
    if os.geteuid() != 0:
        raise SetupError(f"Some system libraries are missing. Run: sudo {line}")
    if program != "apt-get":
        raise SetupError(f"Some system libraries are missing. Run: {line}")
    apt_install(packages)


def apt_install(packages: list[str]) -> None:
    """Install packages on Debian and Ubuntu, as root.

    Raises:
        SetupError: It did not work.
    """
    line = f"{INSTALL['apt-get']} {' '.join(packages)}"
    print(f"Installing system packages: {' '.join(packages)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ("apt-get update -q", line):
        step = subprocess.run(
            command.split(),
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if step.returncode != 0:
        raise SetupError(f"That did not work:\n{step.stderr.strip()}\nRun it yourself: {line}")
