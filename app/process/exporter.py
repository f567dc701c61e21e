"""Writes adapters for other programs, each in a worker of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Signal, Slot

from app.process.jobs import Jobs, Task
from core.protocol.commands import ExportJob
from core.protocol.events import AdapterSaved, Event, Failed

Format = Literal["usual", "diffusers"]


class Exporter(QObject):
    """One export at a time: it loads the base, converts, and ends."""

    changed = Signal()  # see `busy`
    saved = Signal(object)  # an AdapterSaved
    failed = Signal(object)  # a Failed

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._task: Task | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None

    @property
    def waiting(self) -> bool:
        """Whether something else has the device."""
        return self._task is not None and not self._task.running

    def export(self, source: Path, layout: Format, target: Path) -> None:
        """Write the adapter `source` to `target` in another program's format."""
        if self._task:
            return
        task = self._task = Task(ExportJob(source=str(source), format=layout, out=str(target)))
        task.said.connect(self._on_said)
        task.ended.connect(self._on_ended)
        self._jobs.add(task)
        self.changed.emit()

    @Slot(object)
    def _on_said(self, event: Event) -> None:
        if isinstance(event, AdapterSaved):
            self.saved.emit(event)

    @Slot(object)
    def _on_ended(self, failure: Failed | None) -> None:
        self._task = None
        self.changed.emit()
        if failure:
            self.failed.emit(failure)
