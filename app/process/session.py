"""The training run as the window sees it: idle, starting, running or stopping."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.process.worker import Worker
from core.protocol.commands import PreviewNow, Stop, TrainJob
from core.protocol.events import Event, Failed, Progress, RunStarted, StepDone

MINUTE_SECONDS = 60
PATIENCE_MS = 10_000  # for a run to save and end


class State(Enum):
    """What can be done next: Train, Stop, or only wait."""

    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class Session(QObject):
    """Owns the worker of a training run."""

    changed = Signal()  # state, phase or progress
    said = Signal(object)  # an Event
    failed = Signal(object, bool)  # a Failed; whether the run can be resumed

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker: Worker | None = None
        self.state = State.IDLE
        self.phase = ""
        self.run = ""
        self.step = 0
        self.steps = 0
        self.loss = 0.0
        self.device = ""
        self.seconds_left = 0.0
        self.share: float | None = None  # of the phase, where it is known
        self._given_up = False
        self._patience = QTimer(self, interval=PATIENCE_MS, singleShot=True)
        self._patience.timeout.connect(self.changed)

    @property
    def busy(self) -> bool:
        return self.state is not State.IDLE

    @property
    def slow_to_stop(self) -> bool:
        """Whether saving takes so long that `end_now` should be offered."""
        return self.state is State.STOPPING and not self._patience.isActive()

    @property
    def stoppable(self) -> bool:
        """Whether `stop_or_end_now` would do anything that is not being done."""
        return self.state is not State.STOPPING or self.slow_to_stop

    @property
    def worker_pid(self) -> int:
        return self._worker.pid if self._worker else 0

    def train(self, project: Path, resume: str = "") -> None:
        """Start a run, or go on with one."""
        if self.busy:
            return
        self._given_up = False
        self._worker = Worker(self)
        self._worker.said.connect(self._on_said)
        self._worker.ended.connect(self._on_ended)
        self.run, self.step, self.steps = resume, 0, 0
        self.phase, self.share = "Starting the engine", None
        self._become(State.STARTING)
        self._worker.start(TrainJob(project=str(project), resume=resume))

    def stop(self) -> None:
        """Save after the step in hand and end."""
        if self._worker and self.state in (State.STARTING, State.RUNNING):
            self._worker.send(Stop())
            self.phase, self.share = "Saving", None
            self._patience.start()
            self._become(State.STOPPING)

    def stop_or_end_now(self) -> None:
        """What the Stop button means: the second time, after long waiting, it means it."""
        if self.slow_to_stop:
            self.end_now()
        else:
            self.stop()

    def end_now(self) -> None:
        """Give up waiting: what came after the last saved step is lost."""
        if self._worker:
            self._given_up = True
            self._worker.kill()

    def preview_now(self) -> None:
        """Draw the previews after the step in hand."""
        if self._worker and self.state is State.RUNNING:
            self._worker.send(PreviewNow())

    @Slot(object)
    def _on_said(self, event: Event) -> None:
        match event:
            case Progress(phase=phase, done=done, total=total) if self.state is not State.STOPPING:
                self.phase = phase
                self.share = done / total if total else None
            case RunStarted(run=run, steps=steps, first_step=first, device=device):
                self.run, self.steps, self.step, self.device = run, steps, first - 1, device
                if self.state is State.STARTING:
                    self.state = State.RUNNING
            case StepDone(step=step, loss=loss, seconds_left=left):
                self.step, self.loss, self.seconds_left = step, loss, left
                if self.state is State.RUNNING:
                    self.phase = "Training"
                    self.share = step / self.steps if self.steps else None
            case _:
                pass
        self.said.emit(event)
        self.changed.emit()

    @Slot(object)
    def _on_ended(self, failure: Failed | None) -> None:
        if self._worker:
            self._worker.deleteLater()
        self._worker = None
        self._patience.stop()
        self._become(State.IDLE)
        if failure and not self._given_up:
            self.failed.emit(failure, bool(self.run))

    def _become(self, state: State) -> None:
        self.state = state
        self.changed.emit()


def duration(seconds: float) -> str:
    """A time as a person says it: "40 s", "11 min", "2 h 5 min"."""
    hours, minutes = divmod(round(seconds / 60), 60)
    if seconds < MINUTE_SECONDS:
        return f"{max(1, round(seconds))} s"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
