"""Looks for a learning rate: a short run whose rate rises; it waits for the device like any job."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from app.process.jobs import Jobs, Task
from core.protocol.commands import RateJob
from core.protocol.events import Event, Failed, Progress, RateFound, RateTried


class RateFinder(QObject):
    """What was tried so far, and what comes of it."""

    changed = Signal()

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._task: Task | None = None
        self._clear()

    def _clear(self) -> None:
        self.tried: list[RateTried] = []
        self.progress: Progress | None = None
        self.found: RateFound | None = None
        self.failure: Failed | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None

    @property
    def waits(self) -> bool:
        """Whether something else has the device."""
        return self._task is not None and not self._task.running

    def ask(self, project: Path) -> None:
        """Look for a rate for the settings that the project's file holds now."""
        self.forget()
        task = self._task = Task(RateJob(project=str(project)))
        task.said.connect(lambda event: self._on_said(task, event))
        task.ended.connect(lambda failure: self._on_ended(task, failure))
        self._jobs.add(task)
        self.changed.emit()

    @Slot()
    def forget(self) -> None:
        """Give it up: nothing of it is kept, and nothing was changed."""
        there = self.busy or self.tried or self.found or self.failure
        task, self._task = self._task, None
        self._clear()
        if task and task.running:
            task.give_way(now=True)
        elif task:
            self._jobs.drop(task)
        if there:
            self.changed.emit()

    def _on_said(self, task: Task, event: Event) -> None:
        if task is not self._task:
            return
        match event:
            case Progress():
                self.progress = event
            case RateTried():
                self.tried.append(event)
            case RateFound():
                self.found = event
            case _:
                return
        self.changed.emit()

    def _on_ended(self, task: Task, failure: Failed | None) -> None:
        if task is self._task:
            self._task, self.failure = None, failure
            self.changed.emit()
