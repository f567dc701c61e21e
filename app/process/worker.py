"""One worker process; the only QProcess of the program."""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal, Slot

from core.protocol import wire
from core.protocol.commands import Command, Job
from core.protocol.events import Event, Failed
from core.protocol.starting import ROOT, worker_command

log = logging.getLogger(__name__)
KEPT_STDERR = 20_000  # characters of a dead worker's last words


class Worker(QObject):
    """Starts a job, passes its events on and says how it ended. One job, then it is used up."""

    said = Signal(object)  # an Event
    ended = Signal(object)  # None, or a Failed

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process = QProcess(self)
        self._process.setProcessEnvironment(_environment())
        self._process.setWorkingDirectory(str(ROOT))
        self._process.readyReadStandardOutput.connect(self._on_output)
        self._process.readyReadStandardError.connect(self._on_stderr)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._last_words = ""
        self._failure: Failed | None = None
        self._rest = b""

    @property
    def pid(self) -> int:
        return self._process.processId()

    @property
    def running(self) -> bool:
        return self._process.state() != QProcess.ProcessState.NotRunning

    def start(self, job: Job) -> None:
        """Start the process and hand it its job."""
        program, *arguments = worker_command()
        self._process.start(program, arguments)
        self.send(job)

    def send(self, command: Command) -> None:
        """Say something to the job."""
        self._process.write(wire.to_line(command))

    def close(self) -> None:
        """No more wishes: a training job saves and ends, a sample job ends."""
        self._process.closeWriteChannel()

    def kill(self) -> None:
        self._process.kill()

    def wait(self, milliseconds: int) -> bool:
        """Block until it has ended; only for the end of the program."""
        return not self.running or self._process.waitForFinished(milliseconds)

    @Slot()
    def _on_output(self) -> None:
        *lines, self._rest = (
            self._rest + bytes(self._process.readAllStandardOutput().data())
        ).split(b"\n")
        for line in lines:
            try:
                event: Event = wire.event_from(line)
            except (ValueError, RecursionError) as error:  # a WireError is a ValueError
                log.warning("a worker said something odd: %s", error)
                continue
            if isinstance(event, Failed):
                self._failure = event
            self.said.emit(event)

    @Slot()
    def _on_stderr(self) -> None:
        text = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
        self._last_words = (self._last_words + text)[-KEPT_STDERR:]

    @Slot(QProcess.ProcessError)
    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            message = f"The engine could not be started: {self._process.errorString()}."
            failure = Failed(code="start", message=message, hint="Install Stylewright again.")
            self.ended.emit(failure)

    @Slot(int, QProcess.ExitStatus)
    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._on_output()
        if self._failure is None and (code != 0 or status == QProcess.ExitStatus.CrashExit):
            self._failure = Failed(
                code="killed",
                message="The engine was ended from outside or crashed.",
                hint="Often memory ran out: close other programs, or lower the batch size.",
                traceback=self._last_words,
            )
        self.ended.emit(self._failure)


def _environment() -> QProcessEnvironment:
    """The app's own, with the worker's last words unbuffered."""
    environment = QProcessEnvironment.systemEnvironment()
    environment.insert("PYTHONUNBUFFERED", "1")
    return environment
