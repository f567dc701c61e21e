"""Entry point of a worker process: `python -m core.worker`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING

from core.errors import UserError
from core.protocol.commands import (
    BakeJob,
    CaptionJob,
    Command,
    ExportJob,
    ExtractJob,
    FetchJob,
    InspectJob,
    JoinJob,
    MemoryJob,
    RateJob,
    ResizeJob,
    SampleJob,
    ShareJob,
    TrainJob,
)
from core.protocol.events import Event, Failed, Hello, Progress
from core.worker import fetching
from core.worker.pipe import Pipe, claim_stdout

if TYPE_CHECKING:
    from collections.abc import Iterator

DONE, BUG, USER_ERROR = 0, 1, 2


def main() -> int:
    """Run the one job of this process; returns its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the app, which tells what to do
    # Unbuffered: a thread that waits in a buffered reader aborts the interpreter at its end.
    commands = os.fdopen(os.dup(0), "rb", buffering=0)
    pipe = Pipe(commands, claim_stdout())
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    pipe.send(Hello(pid=os.getpid()))
    try:
        for event in _events(pipe.receive(), pipe):
            pipe.send(event)
    except UserError as error:
        pipe.send(Failed(code=error.code, message=error.message, hint=error.hint))
        return USER_ERROR
    except Exception as error:  # noqa: BLE001 - one of the program's two catch-alls
        text = traceback.format_exc()
        sys.stderr.write(text)
        message = f"Something in Stylewright broke: {type(error).__name__}: {error}."
        hint = "What was saved is safe. Please report it with the details."
        pipe.send(Failed(code="bug", message=message, hint=hint, traceback=text))
        return BUG
    return DONE


def _events(job: Command | None, pipe: Pipe) -> Iterator[Event]:
    if job is None:
        return
    yield Progress(phase="Starting the engine")
    if isinstance(job, FetchJob):  # without torch
        yield from fetching.fetch_job(job, pipe)
        return
    if isinstance(job, CaptionJob):  # with torch only where a captioner needs it
        from core.worker import captioning

        yield from captioning.caption_job(job, pipe)
        return
    from core.worker import jobs  # torch takes seconds to import: the app is told first

    match job:
        case TrainJob():
            yield from jobs.train_job(job, pipe)
        case ShareJob():
            yield from jobs.share_job(job, pipe)
        case SampleJob():
            yield from jobs.sample_job(job, pipe)
        case MemoryJob():
            yield from jobs.memory_job(job)
        case RateJob():
            yield from jobs.rate_job(job, pipe)
        case InspectJob():
            yield from jobs.inspect_job(job, pipe)
        case ExportJob() | ResizeJob() | JoinJob() | BakeJob() | ExtractJob():
            yield from jobs.file_job(job, pipe)
        case _:
            raise UserError(f"A worker was told {type(job).__name__} before any job.")


if __name__ == "__main__":
    sys.exit(main())
