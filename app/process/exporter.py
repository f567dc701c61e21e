"""Writes adapters for other programs, each in a worker of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Signal

from app.process.worker import Worker
from core.protocol.commands import ExportJob
from core.protocol.events import AdapterSaved, Event, Failed

Format = Literal["kohya", "diffusers", "peft"]


class Exporter(QObject):
    """Several exports may be on their way at once."""

    saved = Signal(str)  # the file's path
    failed = Signal(object)  # a Failed

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workers: set[Worker] = set()

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
            if failure:
                self.failed.emit(failure)

        worker.said.connect(on_said)
        worker.ended.connect(on_ended)
        worker.start(ExportJob(source=str(source), format=layout, out=str(target)))
