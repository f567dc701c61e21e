"""The worker's two ends of the wire, kept clear of whatever a library prints."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, BinaryIO

from core.protocol import wire
from core.protocol.commands import Command

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.protocol.events import Event


def claim_stdout() -> BinaryIO:
    """Take the real stdout for events; from now on prints, also from C, go to stderr."""
    sys.stdout.flush()
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return events


class Pipe:
    """Sends events; reads commands in a thread of its own."""

    def __init__(self, commands: BinaryIO, events: BinaryIO) -> None:
        self._commands = commands
        self._events = events
        self._lock = threading.Lock()

    def send(self, event: Event) -> None:
        """Write one event. A window that is gone is no reason to lose the run."""
        try:
            with self._lock:
                self._events.write(wire.to_line(event))
        except OSError:  # BrokenPipeError; on Windows also EINVAL
            pass

    def receive(self) -> Command | None:
        """The next command, or None once the other side is gone.

        Raises:
            WireError: It is none that we know.
        """
        line = self._commands.readline()
        return wire.command_from(line) if line.endswith(b"\n") else None

    def listen(self, on_command: Callable[[Command | None], None]) -> None:
        """Hand every further command to `on_command`, and None at the end, from a thread.

        What is no command of ours is passed over: the worker must still hear Stop, and the end.
        """

        def read() -> None:
            try:
                while True:
                    try:
                        command = self.receive()
                    except wire.WireError as error:
                        logging.getLogger(__name__).warning("Passed over: %s", error)
                        continue
                    if command is None:
                        break
                    on_command(command)
            finally:
                on_command(None)

        threading.Thread(target=read, name="commands", daemon=True).start()
