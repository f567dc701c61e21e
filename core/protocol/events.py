"""What a worker tells: a tagged union with one decoder."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

# What no run reaches: a log or a pipe may hold anything, and who shows it divides and adds.
_Count = Annotated[int, Meta(ge=0, le=2**53)]
_Number = Annotated[float, Meta(ge=-1e30, le=1e30)]
_Seconds = Annotated[float, Meta(ge=0, le=1e12)]
_Distance = Annotated[float, Meta(ge=0, le=1e6)]
_Steps = Annotated[int, Meta(ge=1, le=999_999)]
_Step = Annotated[int, Meta(ge=0, le=999_999)]
_Path = Annotated[str, Meta(max_length=4096)]

PROTOCOL_VERSION = 2  # raise on a rename or removal; a new field with a default is compatible


class Hello(Struct, frozen=True, kw_only=True, tag="hello"):
    """The first line of every worker."""

    protocol: int = PROTOCOL_VERSION
    pid: int


class Progress(Struct, frozen=True, kw_only=True, tag="progress"):
    """A phase other than a training step: loading, caching, drawing."""

    phase: str
    done: _Count = 0
    total: _Count = 0  # 0 is not known
    seconds_left: _Seconds = 0.0  # of the whole run; 0 is not known


class Warned(Struct, frozen=True, kw_only=True, tag="warned"):
    """Something was left out or put right; the job goes on."""

    message: str
    path: _Path = ""


class RunStarted(Struct, frozen=True, kw_only=True, tag="run_started"):
    """The run's folder exists and its first step is next."""

    run: str
    steps: _Steps
    # 1, or the step after the checkpoint it resumes from
    first_step: Annotated[int, Meta(ge=1, le=1_000_000)]
    trainable: _Count  # numbers that are trained
    total: _Count  # numbers in the nets
    adapter: str = ""  # in words: its kind, rank and strength
    file_bytes: _Count = 0  # of the adapter that comes of it
    pictures: _Count
    device: str


class StepDone(Struct, frozen=True, kw_only=True, tag="step_done"):
    """One optimizer step is finished."""

    step: _Steps
    loss: _Number
    lr: _Number
    grad_norm: _Number
    seconds: _Seconds  # wall time of this step
    seconds_left: _Seconds  # of the whole run, previews and saves included


class PreviewReady(Struct, frozen=True, kw_only=True, tag="preview_ready"):
    """One preview picture lies on the disk; step 0 is the untrained model."""

    step: _Step
    index: Annotated[int, Meta(ge=0, le=9999)]  # of the prompt
    prompt: str
    seed: int
    path: _Path


class CheckpointSaved(Struct, frozen=True, kw_only=True, tag="checkpoint_saved"):
    """A run can be resumed from here."""

    step: _Step
    path: _Path


class AdapterSaved(Struct, frozen=True, kw_only=True, tag="adapter_saved"):
    """A finished adapter file."""

    step: _Step
    path: _Path


class HeldOutMeasured(Struct, frozen=True, kw_only=True, tag="held_out_measured"):
    """How well pictures are drawn that are not learnt from; step 0 is without the adapter."""

    step: _Step
    losses: list[_Number]  # of each picture, noised in the same way at each step
    best_step: _Step
    verdict: str  # of the run so far, in words

    @property
    def loss(self) -> float:
        """Of all of them."""
        return sum(self.losses) / len(self.losses) if self.losses else 0.0


class StyleMeasured(Struct, frozen=True, kw_only=True, tag="style_measured"):
    """How far the previews are from the dataset's style, beside the measure's own check."""

    step: _Step = 0  # whose previews and adapter it is about; 0 in logs of earlier versions
    # the mean distance of the untrained model's previews; 1 is the dataset's own spread
    before: _Distance
    after: _Distance
    # how often the measure ranks a dataset picture closer than an untrained preview
    check: Annotated[float, Meta(ge=0, le=1)]

    @property
    def change(self) -> str:
        """In words, to follow "the previews are"."""
        nearer = 1 - self.after / self.before if self.before else 0.0
        direction = "nearer to" if nearer >= 0 else "further from"
        return f"{abs(nearer):.0%} {direction} your pictures' style"


class FetchStarted(Struct, frozen=True, kw_only=True, tag="fetch_started"):
    """What the hub has of a model that is fetched."""

    repo: str
    path: _Path  # of the folder it goes to
    total_bytes: _Count
    licence: str = ""  # as its card names it


class Fetched(Struct, frozen=True, kw_only=True, tag="fetched"):
    """A base model, or a captioner, is there, whole."""

    path: _Path
    words: str  # what it is
    captioner: bool = False  # else a base


class Tag(Struct, frozen=True):
    """Something that a picture shows, and how sure a tagger is of it."""

    name: str
    score: Annotated[float, Meta(ge=0, le=1)]
    character: bool = False  # somebody known by name


class Captioned(Struct, frozen=True, kw_only=True, tag="captioned"):
    """What a captioner tells of a picture: a text, or tags, the surest first."""

    path: _Path
    text: str = ""
    tags: list[Tag] = []


class Verified(Struct, frozen=True, kw_only=True, tag="verified"):
    """Some steps of a run were taken again; `different` are the tensors that did not match."""

    first_step: _Step
    last_step: _Step
    different: list[str]


class Reader(Struct, frozen=True, kw_only=True):
    """What another program would load of an adapter file."""

    program: str
    words: str  # "264 of 264", "refuses it"
    whole: bool  # all of it, as strongly as it was trained


class FileMade(Struct, frozen=True, kw_only=True, tag="file_made"):
    """An adapter or a model was written."""

    path: _Path
    words: str  # what it is
    readers: list[Reader] = []  # of an adapter: the proof


class Inspected(Struct, frozen=True, kw_only=True, tag="inspected"):
    """What an adapter file is."""

    path: _Path
    kind: str = ""  # "LoRA of rank 16"
    family: str = ""  # the title of the bases that it is for
    trigger: str = ""
    rank: _Count = 0  # the largest of its layers
    words: list[str] = []  # a sentence each
    readers: list[Reader] = []
    problem: str = ""  # why it cannot be read; all else is then empty


class AdaptersCompared(Struct, frozen=True, kw_only=True, tag="adapters_compared"):
    """How the adapters that are drawn with stand to each other; once for each set of them."""

    paths: list[str]
    warnings: list[str]  # in words, of each pair that has one


class NotDrawn(Struct, frozen=True, kw_only=True, tag="not_drawn"):
    """The answer to a Draw that could not be done; the next one may be."""

    path: _Path
    message: str


class PictureDrawn(Struct, frozen=True, kw_only=True, tag="picture_drawn"):
    """The answer to one Draw command."""

    path: _Path
    prompt: str
    seed: int
    weight: _Number  # of the first adapter
    adapters: dict[str, _Number] = {}  # all of them; empty in logs of earlier versions


class Finished(Struct, frozen=True, kw_only=True, tag="finished"):
    """The job is over: complete, or stopped and saved as asked."""

    stopped: bool = False


class Failed(Struct, frozen=True, kw_only=True, tag="failed"):
    """The job is over. `traceback` is empty for a UserError, set for a bug."""

    code: str
    message: str
    hint: str = ""
    traceback: str = ""


class Proposed(Struct, frozen=True, kw_only=True):
    """One setting to change for a smaller memory."""

    option: str  # its dotted path; "" where a run does it by itself
    value: str
    why: str


class MemoryForeseen(Struct, frozen=True, kw_only=True, tag="memory_foreseen"):
    """What a run needs of the memory, in bytes, and what would fit where that is too much."""

    device: str
    needed: _Count
    total: _Count
    free: _Count
    proposed: list[Proposed] = []  # empty: it fits as it is
    then: _Count = 0  # what it needs with these
    fits: bool = True  # False: not even with these


class RateTried(Struct, frozen=True, kw_only=True, tag="rate_tried"):
    """A point of a sweep of learning rates: what came of this one."""

    rate: _Number
    loss: _Number


class RateFound(Struct, frozen=True, kw_only=True, tag="rate_found"):
    """What a sweep of learning rates proposes, and why; a rate of 0 is nothing."""

    rate: _Number
    text_encoder_rate: _Number  # in the proportion that the settings have
    least: _Number  # between these two much the same is to be expected
    most: _Number
    words: str
    smoothed: list[_Number]  # the losses of the rates that were tried, without their noise


Event = (
    Hello
    | Progress
    | Warned
    | RunStarted
    | StepDone
    | PreviewReady
    | CheckpointSaved
    | AdapterSaved
    | HeldOutMeasured
    | StyleMeasured
    | FetchStarted
    | Fetched
    | Captioned
    | Verified
    | FileMade
    | Inspected
    | MemoryForeseen
    | RateTried
    | RateFound
    | AdaptersCompared
    | NotDrawn
    | PictureDrawn
    | Finished
    | Failed
)
