"""Captions of many pictures, in a worker; a tagger loads no torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.captioners import open_captioner
from core.captioning import reader
from core.captioning.captions import captioned
from core.protocol.commands import CaptionJob, Command, Stop
from core.protocol.events import Event, Finished, Progress

if TYPE_CHECKING:
    from core.worker.pipe import Pipe


def caption_job(job: CaptionJob, pipe: Pipe) -> Iterator[Event]:
    """Tell of each picture; Stop, and the app's end, are seen between two of them."""
    stop = threading.Event()

    def on_command(command: Command | None) -> None:
        if command is None or isinstance(command, Stop):
            stop.set()

    pipe.listen(on_command)
    yield from captions_of(job, stop)


def captions_of(job: CaptionJob, stop: threading.Event) -> Iterator[Event]:
    """The events of a job, until it is done or `stop` is set.

    Raises:
        CaptionerError, MemoryFullError: The captioner cannot be used.
    """
    found = open_captioner(Path(job.model))
    total = len(job.pictures)
    yield Progress(phase=f"Loading {found.kind.title}", total=total)
    loaded = reader.load(found, job.prompt)
    phase = f"Captioning, {loaded.device}"
    yield Progress(phase=phase, total=total)
    began = time.monotonic()
    pictures = [Path(name) for name in job.pictures]
    for done, event in enumerate(captioned(loaded, pictures, stop.is_set), 1):
        yield event
        left = (time.monotonic() - began) / done * (total - done)
        yield Progress(phase=phase, done=done, total=total, seconds_left=left)
    yield Finished(stopped=stop.is_set())
