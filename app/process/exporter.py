"""Writes adapters for other programs, each in a worker of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Signal

from app.process.worker import Worker
from core.protocol.commands import ExportJob
from core.protocol.events import AdapterSaved, Event, Failed

EXPORT_MS = 30_000  # loading a base and writing a file take less
Format = Literal["kohya", "diffusers", "peft"]


class Exporter(QObject):
    """Each export is a process that loads the base, converts, and ends."""

    changed = Signal()  # see `busy`
    saved = Signal(str)  # the file's path
    failed = Signal(object)  # a Failed

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workers: set[Worker] = set()

    @property
    def busy(self) -> bool:
        return bool(self._workers)

    def end(self) -> None:
        """The program closes: wait for files that are being written."""
        for worker in list(self._workers):
            worker.wait(EXPORT_MS)

    def export(self, source: Path, layout: Format, target: Path) -> None:
        """Write the adapter `source` to `target` in another program's format."""
        worker = Worker(self)
        self._workers.add(worker)

        def on_said(event: Event) -> None:
            if isinstance(event, AdapterSaved):
                self.saved.emit(event.path)

        def on_ended(failure: Failed | None) -> None:
            self._workers.discard(worker)
            worker.deleteLater()
            self.changed.emit()
            if failure:
                self.failed.emit(failure)

        worker.said.connect(on_said)
        worker.ended.connect(on_ended)
        self.changed.emit()
        worker.start(ExportJob(source=str(source), format=layout, out=str(target)))
