"""A model from the hub, fetched in a worker; knows neither torch nor a GPU."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.base import hub
from core.protocol.commands import Command, FetchJob, Stop
from core.protocol.events import Event, Fetched, FetchStarted, Finished, Progress

if TYPE_CHECKING:
    from core.worker.pipe import Pipe

TELL_EVERY_SECONDS = 0.3


def fetch_job(job: FetchJob, pipe: Pipe) -> Iterator[Event]:
    """Fetch; Stop and the app's end leave what is there, from which the next one goes on."""
    stop = threading.Event()

    def on_command(command: Command | None) -> None:
        if command is None or isinstance(command, Stop):
            stop.set()

    pipe.listen(on_command)
    yield Progress(phase="Asking the hub")
    offer = hub.offer(job.repo, job.endpoint or None)
    folder = Path(job.to)
    yield FetchStarted(
        repo=job.repo, path=str(folder), total_bytes=offer.total_bytes, licence=offer.licence
    )
    yield from _progress(offer, folder, stop, job.endpoint or None)
    if stop.is_set():
        yield Finished(stopped=True)
        return
    yield Fetched(path=str(folder), words=hub.words_of(offer, folder), captioner=offer.captioner)
    yield Finished()


def _progress(
    offer: hub.Offer, folder: Path, stop: threading.Event, endpoint: str | None
) -> Iterator[Event]:
    """How far it is, every so often, while a thread fetches; what that raises is raised here."""
    latest: list[tuple[str, int, int]] = []
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def tell(name: str, done: int, total: int) -> None:
        if stop.is_set():
            raise hub.StoppedError
        latest[:] = [(name, done, total)]

    def work() -> None:
        try:
            hub.fetch(offer, folder, tell, endpoint)
            ended.put(None)
        except hub.StoppedError:
            ended.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again in the worker's own thread
            ended.put(error)

    threading.Thread(target=work, daemon=True).start()
    while True:
        try:
            problem = ended.get(timeout=TELL_EVERY_SECONDS)
            break
        except queue.Empty:
            for name, done, total in latest[:1]:
                yield Progress(phase=f"Fetching {name}", done=done, total=total)
    if problem is not None:
        raise problem
