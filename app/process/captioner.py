"""Lets a model tell what pictures show, and keeps what it told until that is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from app.process.jobs import Jobs, Task
from core.protocol.commands import CaptionJob, Stop
from core.protocol.events import Captioned, Event, Failed, Progress, Warned


class Captioner(QObject):
    """One job at a time. Stopped, failed or done, what was told stays."""

    changed = Signal()  # see the attributes
    told = Signal(object)  # a Captioned
    failed = Signal(object)  # a Failed

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._task: Task | None = None
        self._by: dict[str, tuple[str, str]] = {}  # which model told it, asked for what
        self.kept: dict[str, Captioned] = {}  # by the picture's path
        self.unwritten = (
            0  # captions that would be lost if the window closed; who shows them counts
        )
        self.passed_over: list[Warned] = []  # of the last job
        self.progress = Progress(phase="")
        self.stopping = False

    @property
    def busy(self) -> bool:
        return self._task is not None

    def untold(self, paths: Iterable[Path], model: str, prompt: str) -> list[str]:
        """Of some pictures those that this model, so asked, has not told of."""
        names = (str(path) for path in paths)
        return [name for name in names if self._by.get(name) != (model, prompt)]

    def caption(self, model: str, prompt: str, pictures: Sequence[str]) -> None:
        """Begin; what is told anew takes the place of what was told before."""
        if self._task:
            return
        self.passed_over, self.stopping = [], False
        self.progress = Progress(phase="Starting the engine", total=len(pictures))
        job = CaptionJob(model=model, pictures=list(pictures), prompt=prompt)
        task = self._task = Task(job)
        task.said.connect(self._on_said)
        task.ended.connect(self._on_ended)
        self._jobs.add(task)
        if self._task and not task.running:
            self.progress = Progress(phase="Waiting for the engine", total=len(pictures))
        self.changed.emit()

    def stop(self) -> None:
        """End after the picture in hand; called again, at once."""
        task = self._task
        if task is None:
            return
        if not task.running:
            self._jobs.drop(task)
        elif self.stopping:
            task.give_way(now=True)
        else:
            self.stopping = True
            task.send(Stop())
            self.changed.emit()

    def written(self, paths: Iterable[Path]) -> None:
        """What was told of these need not be kept any more."""
        for path in paths:
            self.kept.pop(str(path), None)

    def forget(self) -> None:
        """All that was told is of no use any more."""
        self.kept.clear()
        self._by.clear()
        self.unwritten = 0
        self.changed.emit()

    def close(self) -> None:
        """Another project: what was told was for this one's pictures."""
        task, self._task = self._task, None
        if task:
            task.said.disconnect(self._on_said)
            task.ended.disconnect(self._on_ended)
            self._jobs.drop(task)
            task.give_way(now=True)
        self.passed_over, self.stopping = [], False
        self.forget()

    @Slot(object)
    def _on_said(self, event: Event) -> None:
        job = self._task.job if self._task else None
        match event:
            case Captioned() if isinstance(job, CaptionJob):
                self.kept[event.path] = event
                self._by[event.path] = (job.model, job.prompt)
                self.told.emit(event)
            case Progress():
                self.progress = event
                self.changed.emit()
            case Warned():
                self.passed_over.append(event)
            case _:
                pass

    @Slot(object)
    def _on_ended(self, failure: Failed | None) -> None:
        self._task, self.stopping = None, False
        self.changed.emit()
        if failure:
            self.failed.emit(failure)
