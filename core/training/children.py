"""The worker processes beside this one on the same machine, which end with it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.protocol import wire
from core.protocol.events import Failed
from core.protocol.starting import ROOT, worker_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.protocol.commands import ShareJob

PATIENCE_SECONDS = 3.0  # of one that was told that all is over: it has nothing to lose


@dataclass(slots=True)
class Child:
    """One worker that computes a share. The end of its stdin ends it, as that of any worker."""

    job: ShareJob
    process: subprocess.Popen[bytes]
    failure: Failed | None = None
    _reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, name="a child's words", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in self.process.stdout:
            with contextlib.suppress(wire.WireError):
                event = wire.event_from(line)
                if isinstance(event, Failed):
                    self.failure = event

    def why_it_ended(self) -> tuple[str, str] | None:
        """In words, and what to do, if it has; None while it lives."""
        code = self.process.poll()
        if code is None:
            return None
        self._reader.join(PATIENCE_SECONDS)
        if self.failure is not None:
            return self.failure.message, self.failure.hint
        how = f"it was killed by signal {-code}" if code < 0 else f"its exit code was {code}"
        return f"It ended on its own; {how}.", "Often memory ran out: start fewer processes."

    def close(self) -> None:
        """Let it end, or end it."""
        assert self.process.stdin is not None  # noqa: S101 - a pipe was asked for
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(PATIENCE_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextlib.contextmanager
def children(jobs: Sequence[ShareJob]) -> Iterator[list[Child]]:
    """Within, a worker runs for each job."""
    with contextlib.ExitStack() as stack:
        there = []
        for job in jobs:
            child = _started(job)
            stack.callback(child.close)
            there.append(child)
        yield there


def _started(job: ShareJob) -> Child:
    process = subprocess.Popen(  # noqa: S603 - our own program
        worker_command(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # what torch warns of when the other side is gone is no news
        env={"TORCH_CPP_LOG_LEVEL": "ERROR", **os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,  # Ctrl+C is for the process that trains
    )
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    with contextlib.suppress(OSError):  # it is gone already: found out by its end
        process.stdin.write(wire.to_line(job))
        process.stdin.flush()
    return Child(job, process)
