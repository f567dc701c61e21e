"""A run's log: one event a line, from which it is shown, resumed and judged."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from core.protocol import wire

if TYPE_CHECKING:
    from core.project.layout import Run
    from core.protocol.events import Event


def event_of(line: bytes) -> Event | None:
    """A line of a log; None for another version's."""
    with contextlib.suppress(wire.WireError):
        return wire.event_from(line)
    return None


def read_log_lines(run: Run) -> list[bytes]:
    """The whole lines of a run's log; a half line at the end means that it was killed."""
    try:
        content = run.log_file.read_bytes()
    except FileNotFoundError:
        return []
    return [line for line in content.splitlines(keepends=True) if line.endswith(b"\n")]
