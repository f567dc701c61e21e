"""Runs end whole when a person or the system says stop."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.training.control import Control

# Ctrl+C; a shutdown or `docker stop`; a terminal that was closed.
_STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@contextlib.contextmanager
def stopping() -> Iterator[Control]:
    """The first signal saves and ends the run, the second ends it at once."""
    from core.training.control import Control

    control = Control()

    def on_signal(number: int, _frame: object) -> None:
        for one in _STOPPING:
            signal.signal(one, before[one])
        control.stop.set()
        if number == signal.SIGINT:
            with contextlib.suppress(OSError):
                sys.stderr.write("\nSaving. Press Ctrl+C again to end at once.\n")

    before = {number: signal.signal(number, on_signal) for number in _STOPPING}
    try:
        yield control
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
