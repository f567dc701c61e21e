"""Fetches base models, beside whatever else goes on: it needs no device."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from app.process.jobs import Jobs, Task
from core.protocol.commands import FetchJob, Stop
from core.protocol.events import Event, Failed, Fetched, FetchStarted, Progress


class Fetcher(QObject):
    """One model at a time. `jobs` are its own: it waits for no training, and no training for it."""

    changed = Signal()  # see the attributes
    fetched = Signal(object)  # a Fetched
    failed = Signal(object)  # a Failed

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._task: Task | None = None
        self.repo = ""  # that is being fetched
        self.about: FetchStarted | None = None  # what the hub said of it
        self.done_bytes = 0

    @property
    def busy(self) -> bool:
        return self._task is not None

    def fetch(self, repo: str, folder: Path) -> None:
        """Fetch a model into a folder; what is there already stays."""
        if self._task:
            return
        self.repo, self.about, self.done_bytes = repo, None, 0
        task = self._task = Task(FetchJob(repo=repo, to=str(folder)))
        task.said.connect(self._on_said)
        task.ended.connect(self._on_ended)
        self._jobs.add(task)
        self.changed.emit()

    def stop(self) -> None:
        """End it; the next one goes on where it was."""
        if self._task:
            self._task.send(Stop())

    def finish(self) -> None:
        """The program ends."""
        self._jobs.end()

    @Slot(object)
    def _on_said(self, event: Event) -> None:
        match event:
            case FetchStarted():
                self.about = event
            case Progress(done=done) if self.about:
                self.done_bytes = done
            case Fetched():
                self.fetched.emit(event)
            case _:
                return
        self.changed.emit()

    @Slot(object)
    def _on_ended(self, failure: Failed | None) -> None:
        self._task = None
        self.changed.emit()
        if failure:
            self.failed.emit(failure)
