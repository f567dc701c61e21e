"""The training run as the window sees it: idle, starting, running or stopping."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.figures import duration
from app.process.jobs import Jobs, Task
from core.protocol.commands import PreviewNow, Stop, TrainJob
from core.protocol.events import (
    CheckpointSaved,
    Event,
    Failed,
    Finished,
    PreviewReady,
    Progress,
    RunStarted,
    StepDone,
)

PATIENCE_MS = 10_000  # for a run to save and end
TRAINING, DRAWING = "Training", "Drawing previews"  # phases; the latter is the engine's word
STOPPING = {  # what is still waited for
    TRAINING: "Stopping after this step",
    DRAWING: "Stopping the drawing",
    "Saving": "Saving",
}


class State(Enum):
    """What can be done next: Train, Stop, or only wait."""

    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class Ending(Enum):
    """How a run came to an end."""

    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class Session(QObject):
    """A run from Train to its end."""

    changed = Signal()  # state, phase or progress
    said = Signal(object)  # an Event
    failed = Signal(object, bool)  # a Failed; whether the run can be resumed
    ended = Signal(object, str)  # an Ending; what went wrong; after all others

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._task: Task | None = None
        self.state = State.IDLE
        self.phase = ""
        self.project: Path | None = None  # whose run it is, or was
        self.by_hand = True
        self.run = ""
        self.step = 0
        self.steps = 0
        self.loss = 0.0
        self.device = ""
        self.seconds_left = 0.0
        self.share: float | None = None  # of the phase, where it is known
        self.preview = (0, 0)  # the number of the one that is drawn, and how many there are
        self.previews_wished = False  # they come after the step in hand
        self._given_up = self._done = False
        self._patience = QTimer(self, interval=PATIENCE_MS, singleShot=True)
        self._patience.timeout.connect(self.changed)

    @property
    def busy(self) -> bool:
        return self.state is not State.IDLE

    @property
    def folder(self) -> str:
        """The run's, once it has one."""
        return str(self.project.absolute() / "runs" / self.run) if self.project and self.run else ""

    @property
    def slow_to_stop(self) -> bool:
        """Whether stopping takes so long that `end_now` should be offered."""
        return self.state is State.STOPPING and not self._patience.isActive()

    @property
    def stoppable(self) -> bool:
        """Whether `stop_or_end_now` would do anything that is not being done."""
        return self.busy and (self.state is not State.STOPPING or self.slow_to_stop)

    @property
    def worker_pid(self) -> int:
        return self._task.pid if self._task else 0

    def train(self, project: Path, resume: str = "", *, by_hand: bool = True) -> None:
        """Start a run, or go on with one; not `by_hand` is the queue's doing."""
        if self.busy:
            return
        self._given_up = self._done = self.previews_wished = False
        self.project, self.by_hand = project, by_hand
        self.run, self.step, self.steps, self.seconds_left = resume, 0, 0, 0.0
        self.phase, self.share = "Starting the engine", None
        task = self._task = Task(TrainJob(project=str(project), resume=resume))
        task.said.connect(self._on_said)
        task.ended.connect(self._on_ended)
        self._become(State.STARTING)
        self._jobs.add(task)
        if self._task and not task.running:
            self.phase = "Waiting for the engine"
            self.changed.emit()

    def stop(self) -> None:
        """Save after what is in hand and end."""
        if self._task and self.state in (State.STARTING, State.RUNNING):
            self.share = None
            self._patience.start()
            self._become(State.STOPPING)
            if self._task.running:
                self._task.send(Stop())
            else:
                self._jobs.drop(self._task)

    def stop_or_end_now(self) -> None:
        """What the Stop button means: the second time, after long waiting, it means it."""
        if self.slow_to_stop:
            self.end_now()
        else:
            self.stop()

    def end_now(self) -> None:
        """Give up waiting: what came after the last saved step is lost."""
        if self._task:
            self._given_up = True
            self._jobs.drop(self._task)
        if self._task:
            self._task.kill()

    def preview_now(self) -> None:
        """Draw the previews after the step in hand."""
        if self._task and self.state is State.RUNNING:
            self._task.send(PreviewNow())
            self.previews_wished = True
            self.changed.emit()

    @Slot(object)
    def _on_said(self, event: Event) -> None:
        match event:
            case Progress(phase=phase, done=done, total=total, seconds_left=left):
                self.phase = phase
                self.preview = (min(done + 1, total), total)
                self.seconds_left = left or self.seconds_left
                self.share = (
                    done / total if total > 0 and self.state is not State.STOPPING else None
                )
            case RunStarted(run=run, steps=steps, first_step=first, device=device):
                self.run, self.steps, self.step, self.device = run, steps, first - 1, device
                if self.state is State.STARTING:
                    self.state = State.RUNNING
            case StepDone(step=step, loss=loss, seconds_left=left):
                self.step, self.loss, self.seconds_left = step, loss, left
                self.phase = TRAINING
                if self.state is State.RUNNING:
                    self.share = step / self.steps if self.steps > 0 else None
            case CheckpointSaved() if self.state is State.STOPPING:
                self.phase = "Saving"
            case Finished(stopped=stopped):
                self._done = not stopped
            case PreviewReady(step=step) if step > 0:  # not one of the untrained base
                self.previews_wished = False
            case _:
                pass
        self.said.emit(event)
        self.changed.emit()

    @Slot(object)
    def _on_ended(self, failure: Failed | None) -> None:
        self._task = None
        self._patience.stop()
        self._become(State.IDLE)
        if failure and not self._given_up:
            self.failed.emit(failure, bool(self.run))
            self.ended.emit(Ending.FAILED, failure.message)
        else:
            self.ended.emit(Ending.DONE if self._done else Ending.STOPPED, "")

    def _become(self, state: State) -> None:
        self.state = state
        self.changed.emit()


def status_line(session: Session) -> str:
    """Where a run is, in a few words."""
    if session.state is State.STOPPING:
        return STOPPING.get(session.phase, "Stopping")
    if session.steps <= 0 or session.phase not in (TRAINING, DRAWING):
        return session.phase
    if session.phase == DRAWING:
        left = f", {duration(session.seconds_left)} left" if session.seconds_left else ""
        number, count = session.preview
        what = f"drawing preview {number:,} of {count:,}" if count else "drawing previews"
        return f"step {session.step:,} of {session.steps:,}, {what}{left}"
    next_up = ", previews come next" if session.previews_wished else ""
    left = duration(session.seconds_left)
    return (
        f"step {session.step:,} of {session.steps:,}, {left} left, loss {session.loss:.3f}{next_up}"
    )
