"""A worker without a process: a test says what it tells, and hears what it was told."""

from typing import ClassVar

from PySide6.QtCore import QObject, QTimer, Signal

from core.protocol.commands import Command, Job
from core.protocol.events import Event, Failed


class FakeWorker(QObject):
    """Has the signals and the words of `app.process.worker.Worker`."""

    said = Signal(object)
    ended = Signal(object)
    made: ClassVar[list["FakeWorker"]] = []

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.job: Job | None = None
        self.heard: list[Command] = []
        self.running = False
        self.closed = self.killed = False
        self.pid = 0
        FakeWorker.made.append(self)

    def start(self, job: Job) -> None:
        self.job, self.running = job, True

    def send(self, command: Command) -> None:
        self.heard.append(command)

    def close(self) -> None:
        self.closed = True

    def kill(self) -> None:
        """A process does not end in the same moment."""
        self.killed = True
        QTimer.singleShot(0, self, lambda: self.end(Failed(code="killed", message="Killed.")))

    def wait(self, _milliseconds: int) -> bool:
        self.end(None)
        return True

    def tell(self, *events: Event) -> None:
        for event in events:
            self.said.emit(event)

    def end(self, failure: Failed | None = None) -> None:
        if self.running:
            self.running = False
            self.ended.emit(failure)
