"""Draws single pictures with a base and any adapters, for as long as the base stays the same."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from app.process.jobs import Jobs, Task
from core.protocol.commands import Draw, SampleJob
from core.protocol.events import (
    AdaptersCompared,
    Event,
    Failed,
    NotDrawn,
    PictureDrawn,
    Progress,
)


class Sampler(QObject):
    """Keeps its worker between pictures: loading takes seconds, drawing one."""

    drawn = Signal(object)  # a PictureDrawn
    compared = Signal(object)  # an AdaptersCompared
    refused = Signal(str)  # in words: a picture that could not be drawn; the base stays
    phase = Signal(str)
    failed = Signal(object)  # a Failed

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._task: Task | None = None

    def draw(self, job: SampleJob, wish: Draw) -> None:
        """Draw with `job`'s models; another worker comes where they are not those loaded."""
        if self._task is None or not self._task.open or self._task.job != job:
            self.close()
            task = self._task = Task(job)
            task.said.connect(self._on_said)
            task.ended.connect(lambda failure: self._on_ended(task, failure))
            task.send(wish)
            self._jobs.add(task)
            if self._task is task and not task.running:
                self.phase.emit("Waiting for the engine")
        else:
            self._task.send(wish)

    def close(self) -> None:
        """Draw no more with these models; a picture that is being drawn is not waited for."""
        task, self._task = self._task, None
        if task is not None:
            task.said.disconnect(self._on_said)
            self._jobs.drop(task)
            task.give_way(now=True)
            self.phase.emit("")

    @Slot(object)
    def _on_said(self, event: Event) -> None:
        match event:
            case PictureDrawn():
                self.drawn.emit(event)
                self.phase.emit("")
            case AdaptersCompared():
                self.compared.emit(event)
            case NotDrawn(message=message):
                self.refused.emit(message)
                self.phase.emit("")
            case Progress(phase=phase):
                self.phase.emit("" if phase == "Ready" else phase)
            case _:
                pass

    def _on_ended(self, task: Task, failure: Failed | None) -> None:
        if task is self._task:
            self._task = None
            self.phase.emit("")
            if failure:
                self.failed.emit(failure)
