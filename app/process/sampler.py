"""Draws single pictures with a base and an adapter, for as long as these stay the same."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from app.process.worker import Worker
from core.protocol.commands import Draw, SampleJob
from core.protocol.events import Event, Failed, PictureDrawn, Progress


class Sampler(QObject):
    """Keeps one sample worker alive between pictures; loading it takes seconds, drawing one."""

    drawn = Signal(object)  # a PictureDrawn
    phase = Signal(str)
    failed = Signal(object)  # a Failed

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker: Worker | None = None
        self._job: SampleJob | None = None

    def draw(self, job: SampleJob, wish: Draw) -> None:
        """Draw with `job`'s models; starts another worker if they are not those loaded."""
        if self._worker is None or job != self._job:
            self.close()
            worker = self._worker = Worker(self)
            worker.said.connect(self._on_said)
            worker.ended.connect(self._on_ended)
            worker.ended.connect(worker.deleteLater)
            self._job = job
            worker.start(job)
        if self._worker is not None:  # it may have failed to start
            self._worker.send(wish)

    def close(self) -> None:
        """Let the worker end after the picture in hand."""
        if self._worker is not None:
            self._worker.said.disconnect(self._on_said)
            self._worker.ended.disconnect(self._on_ended)
            self._worker.close()
            self._worker = None
            self.phase.emit("")

    def end(self) -> None:
        """End at once: a run or the program's end waits for it, and nothing is lost."""
        worker = self._worker
        self.close()
        if worker is not None:
            worker.kill()
            worker.wait(2000)

    @Slot(object)
    def _on_said(self, event: Event) -> None:
        match event:
            case PictureDrawn():
                self.drawn.emit(event)
                self.phase.emit("")
            case Progress(phase=phase):
                self.phase.emit("" if phase == "Ready" else phase)
            case _:
                pass

    @Slot(object)
    def _on_ended(self, failure: Failed | None) -> None:
        self._worker = None
        self.phase.emit("")
        if failure:
            self.failed.emit(failure)
