"""What went wrong is written down from the first line on: before there is a window, and in Qt.

Standard library only: it must work where nothing else does.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import platform
import sys
import threading
import traceback
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from core.version import VERSION

log = logging.getLogger(__name__)
KEPT_BYTES, KEPT_FILES = 500_000, 3
LOG, CRASHES = "window.log", "crashes.txt"

_listeners: list[Callable[[str, str], None]] = []
_early: list[tuple[str, str]] = []  # bugs before anybody listened


def folder() -> Path:
    """The platform's folder for logs."""
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Logs" / "Stylewright"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else home / "AppData" / "Local") / "Stylewright" / "Logs"
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else home / ".local" / "state") / "stylewright"


def start() -> str:
    """Begin to write; returns what a crash left in the last session, "" if it ended well."""
    sys.excepthook = take
    threading.excepthook = _take_of_thread
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            place / LOG, maxBytes=KEPT_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True
        )
        crashes = place / CRASHES
        last = crashes.read_text(encoding="utf-8", errors="replace") if crashes.exists() else ""
        file = crashes.open("w", encoding="utf-8")  # open as long as the program: a crash cannot
    except OSError:  # a home that may not be written to
        faulthandler.enable()
        return ""
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    faulthandler.enable(file)
    log.info("%s", about())
    if last:
        log.error("the last session crashed:\n%s", last)
    return last


def about() -> str:
    """What a report should say of the program and the machine."""
    # not platform.platform(), which starts another program to ask for the processor
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"Stylewright {VERSION}, Python {platform.python_version()}, {system}"


def take(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Python's hook for exceptions that nobody caught: to the log, and to who listens."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    text = "".join(traceback.format_exception(kind, error, trace))
    if sys.stderr:  # a frozen program on Windows has none
        sys.stderr.write(text)
    log.error("nobody caught this:\n%s", text)
    words = f"Something in the window broke: {kind.__name__}: {error}. Your files are safe."
    details = f"{about()}\n{text}"
    for listener in _listeners:
        listener(words, details)
    if not _listeners:
        _early.append((words, details))


def listen(listener: Callable[[str, str], None]) -> None:
    """Hear of bugs, in words and with details, from whatever thread; also of earlier ones."""
    _listeners.append(listener)
    while _early:
        listener(*_early.pop(0))


def forget(listener: Callable[[str, str], None]) -> None:
    """Hear no more of them."""
    if listener in _listeners:
        _listeners.remove(listener)


def _take_of_thread(what: threading.ExceptHookArgs) -> None:
    if what.exc_value is not None:
        take(what.exc_type, what.exc_value, what.exc_traceback)
