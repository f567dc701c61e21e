"""What a worker tells: a tagged union with one decoder."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

PROTOCOL_VERSION = 1  # raise on a rename or removal; a new field with a default is compatible


class Hello(Struct, frozen=True, kw_only=True, tag="hello"):
    """The first line of every worker."""

    protocol: int = PROTOCOL_VERSION
    pid: int


class Progress(Struct, frozen=True, kw_only=True, tag="progress"):
    """A phase other than a training step: loading, caching, drawing."""

    phase: str
    done: int = 0
    total: int = 0  # 0 is not known


class Warned(Struct, frozen=True, kw_only=True, tag="warned"):
    """Something was left out or put right; the job goes on."""

    message: str
    path: str = ""


class RunStarted(Struct, frozen=True, kw_only=True, tag="run_started"):
    """The run's folder exists and its first step is next."""

    run: str
    steps: int
    first_step: int  # 1, or the step after the checkpoint it resumes from
    trainable: int  # numbers that are trained
    total: int  # numbers in the nets
    pictures: int
    device: str


class StepDone(Struct, frozen=True, kw_only=True, tag="step_done"):
    """One optimizer step is finished."""

    step: Annotated[int, Meta(ge=1)]
    loss: float
    lr: float
    grad_norm: float
    seconds: float  # wall time of this step
    seconds_left: float  # of the whole run, previews and saves included


class PreviewReady(Struct, frozen=True, kw_only=True, tag="preview_ready"):
    """One preview picture lies on the disk; step 0 is the untrained model."""

    step: int
    index: int  # of the prompt
    prompt: str
    seed: int
    path: str


class CheckpointSaved(Struct, frozen=True, kw_only=True, tag="checkpoint_saved"):
    """A run can be resumed from here."""

    step: int
    path: str


class AdapterSaved(Struct, frozen=True, kw_only=True, tag="adapter_saved"):
    """A finished adapter file."""

    step: int
    path: str


class StyleMeasured(Struct, frozen=True, kw_only=True, tag="style_measured"):
    """How far the previews are from the dataset's style, beside the measure's own check."""

    before: float  # mean distance of the untrained model's previews; 1 is the dataset's own spread
    after: float
    check: float  # how often the measure ranks a dataset picture closer than an untrained preview

    @property
    def change(self) -> str:
        """In words, to follow "the previews are"."""
        nearer = 1 - self.after / self.before
        direction = "nearer to" if nearer >= 0 else "further from"
        return f"{abs(nearer):.0%} {direction} your pictures' style"


class PictureDrawn(Struct, frozen=True, kw_only=True, tag="picture_drawn"):
    """The answer to one Draw command."""

    path: str
    prompt: str
    seed: int
    weight: float


class Finished(Struct, frozen=True, kw_only=True, tag="finished"):
    """The job is over: complete, or stopped and saved as asked."""

    stopped: bool = False


class Failed(Struct, frozen=True, kw_only=True, tag="failed"):
    """The job is over. `traceback` is empty for a UserError, set for a bug."""

    code: str
    message: str
    hint: str = ""
    traceback: str = ""


Event = (
    Hello
    | Progress
    | Warned
    | RunStarted
    | StepDone
    | PreviewReady
    | CheckpointSaved
    | AdapterSaved
    | StyleMeasured
    | PictureDrawn
    | Finished
    | Failed
)
