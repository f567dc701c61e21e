"""Writes adapters and models made from others, each in a worker of its own."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from app.process.jobs import Jobs, Task
from core.protocol.commands import FileJob, Stop
from core.protocol.events import Event, Failed, FileMade, Progress, Warned


class Maker(QObject):
    """One file at a time."""

    changed = Signal()  # see the attributes
    made = Signal(object)  # a FileMade
    failed = Signal(object)  # a Failed
    stopped = Signal()  # as asked: nothing was written

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._task: Task | None = None
        self._came = self._stopping = False
        self.job: FileJob | None = None  # the one in hand
        self.phase = ""
        self.share: float | None = None  # of the phase, where it is known
        self.notes: list[str] = []  # what was found meanwhile

    @property
    def busy(self) -> bool:
        return self._task is not None

    @property
    def waiting(self) -> bool:
        """Whether something else has the device."""
        return self._task is not None and not self._task.running

    def make(self, job: FileJob) -> None:
        """Write one file; while another is being written nothing happens."""
        if self._task:
            return
        self.job, self.phase, self.share, self.notes = job, "Starting the engine", None, []
        self._came = self._stopping = False
        task = self._task = Task(job)
        task.said.connect(self._on_said)
        task.ended.connect(self._on_ended)
        self._jobs.add(task)
        self.changed.emit()

    def stop(self) -> None:
        """Give it up; what is half written is taken away."""
        if self._task and self._task.running:
            self._stopping = True
            self.phase, self.share = "Stopping", None
            self._task.send(Stop())
            self.changed.emit()
        elif self._task:
            self._stopping = True
            self._jobs.drop(self._task)

    @Slot(object)
    def _on_said(self, event: Event) -> None:
        match event:
            case Progress(phase=phase, done=done, total=total) if not self._stopping:
                self.phase, self.share = phase, done / total if total > 0 else None
            case Warned(message=message):
                self.notes.append(message)
            case FileMade():
                self._came = True
                self.made.emit(event)
            case _:
                return
        self.changed.emit()

    @Slot(object)
    def _on_ended(self, failure: Failed | None) -> None:
        self._task = None
        if failure:
            self.failed.emit(failure)
        elif not self._came:
            self.stopped.emit()
        self.job = None
        self.changed.emit()
