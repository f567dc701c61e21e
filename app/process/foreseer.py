"""Asks how much memory the next run will need, beside whatever else goes on."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from app.process.jobs import Jobs, Task
from core.protocol.commands import MemoryJob
from core.protocol.events import Event, Failed, MemoryForeseen


class Foreseer(QObject):
    """Counts when it is asked to, some seconds to a minute; `jobs` are its own."""

    changed = Signal()  # it began, ended, or what it found counts no longer

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._task: Task | None = None
        self._leaving: Task | None = None  # was given up, and ends in a moment
        self._wish: Path | None = None  # what is asked once that has ended
        self.found: MemoryForeseen | None = None
        self.failure: Failed | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None or self._wish is not None

    def ask(self, project: Path) -> None:
        """Count for the settings that the project's file holds now."""
        self.forget()
        self._wish = project
        self._go_on()
        self.changed.emit()

    @Slot()
    def forget(self) -> None:
        """The settings are others: what was found, or is being counted, holds no longer."""
        there = self.busy or self.found or self.failure
        self.found = self.failure = self._wish = None
        if self._task:
            self._leaving, self._task = self._task, None
            self._leaving.give_way(now=True)
        if there:
            self.changed.emit()

    def _go_on(self) -> None:
        if self._wish is not None and self._leaving is None:
            project, self._wish = self._wish, None
            task = self._task = Task(MemoryJob(project=str(project)))
            task.said.connect(lambda event: self._on_said(task, event))
            task.ended.connect(lambda failure: self._on_ended(task, failure))
            self._jobs.add(task)

    def finish(self) -> None:
        """The program ends."""
        self._jobs.end()

    def _on_said(self, task: Task, event: Event) -> None:
        if task is self._task and isinstance(event, MemoryForeseen):
            self.found = event

    def _on_ended(self, task: Task, failure: Failed | None) -> None:
        if task is self._leaving:
            self._leaving = None
            self._go_on()
        elif task is self._task:
            self._task, self.failure = None, failure
            self.changed.emit()
