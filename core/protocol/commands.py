"""What a worker is told: first one job, then words to it while it runs."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from core.config.options import Told

Weight = Annotated[float, Meta(ge=-4, le=4)]  # of an adapter
Rank = Annotated[int, Meta(ge=0, le=1024)]
Share = Annotated[float, Meta(gt=0, le=1)]
Method = Literal["linear", "ties", "dare", "dare_ties"]
Layers = Literal["attention", "transformer", "linear"]


class TrainJob(Struct, frozen=True, kw_only=True, tag="train"):
    """Train a project's next run, or go on with one."""

    project: str
    resume: str = ""  # a run folder's name
    processes: Annotated[int, Meta(ge=1, le=64)] = 1  # that take its steps together


class ShareJob(Struct, frozen=True, kw_only=True, tag="share"):
    """Compute a share of each step of a run that another process trains."""

    project: str
    number: Annotated[int, Meta(ge=1)]  # of this process; the one that trains is 0
    of: Annotated[int, Meta(ge=1)]
    device: Annotated[int, Meta(ge=0)] = 0  # which of this machine's
    here: Annotated[int, Meta(ge=1)] = 1  # so many processes on this machine
    host: str  # where that one listens
    port: Annotated[int, Meta(ge=1, le=65535)]


class SampleJob(Struct, frozen=True, kw_only=True, tag="sample"):
    """Load a base, then draw one picture for each Draw."""

    base: str
    vae: str = ""  # another than the base's own
    rest: str = ""  # a folder for what a base that is a transformer alone lacks
    texts: tuple[str, ...] = ()  # files of text encoders, in place of its own
    prediction: Told = "auto"


class ExportJob(Struct, frozen=True, kw_only=True, tag="export"):
    """Write an adapter in another program's format."""

    source: str
    format: Literal["usual", "kohya", "diffusers", "peft"]
    out: str


class ResizeJob(Struct, frozen=True, kw_only=True, tag="resize"):
    """Write an adapter with other ranks."""

    source: str
    out: str
    rank: Rank = 0  # 0 is what `kept` needs
    kept: Share = 1.0  # of each layer's energy


class JoinJob(Struct, frozen=True, kw_only=True, tag="join"):
    """Write several adapters as one."""

    adapters: dict[str, Weight]
    out: str
    method: Method = "linear"
    rank: Rank = 0  # 0 is as large as it must be
    kept: Share = 1.0
    density: Share = 0.5  # of the numbers that ties and dare keep


class BakeJob(Struct, frozen=True, kw_only=True, tag="bake"):
    """Write a base model with adapters in it."""

    adapters: dict[str, Weight]
    base: str
    out: str  # a folder where the base is one
    rest: str = ""  # as of SampleJob
    texts: tuple[str, ...] = ()


class ExtractJob(Struct, frozen=True, kw_only=True, tag="extract"):
    """Write what a fine-tuned model changed as an adapter."""

    tuned: str
    parent: str
    out: str
    rank: Rank = 32
    kept: Share = 1.0
    targets: Layers = "transformer"
    convolutions: bool = False
    rest: str = ""
    texts: tuple[str, ...] = ()


class MemoryJob(Struct, frozen=True, kw_only=True, tag="memory"):
    """Tell how much memory a project's next run will need."""

    project: str


class RateJob(Struct, frozen=True, kw_only=True, tag="rate"):
    """Propose a learning rate for a project's next run, from a short sweep of them."""

    project: str


class InspectJob(Struct, frozen=True, kw_only=True, tag="inspect"):
    """Tell what adapter files are."""

    files: list[str]


class FetchJob(Struct, frozen=True, kw_only=True, tag="fetch"):
    """Fetch a model from the hub into a folder."""

    repo: str
    to: str
    endpoint: str = ""  # of another hub


class CaptionJob(Struct, frozen=True, kw_only=True, tag="caption"):
    """Tell what pictures show; what becomes of it is another's business."""

    model: str  # a captioner's folder
    pictures: list[str]
    prompt: str = ""  # what it is asked for, in its own words


class Stop(Struct, frozen=True, kw_only=True, tag="stop"):
    """Finish the step in hand, save, and end."""


class PreviewNow(Struct, frozen=True, kw_only=True, tag="preview_now"):
    """Draw the previews after the step in hand."""


class Draw(Struct, frozen=True, kw_only=True, tag="draw"):
    """One picture. A newer Draw replaces one that has not begun."""

    prompt: str
    out: str
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 1
    adapters: dict[str, Weight] = {}  # files and their weights
    width_px: Annotated[int, Meta(ge=0, le=4096)] = 0  # 0 is the base's own size
    height_px: Annotated[int, Meta(ge=0, le=4096)] = 0
    inference_steps: Annotated[int, Meta(ge=1, le=200)] = 25
    guidance: Annotated[float, Meta(ge=0, le=30)] = 7.0
    guidance_rescale: Annotated[float, Meta(ge=0, le=1)] = 0.0


FileJob = ExportJob | ResizeJob | JoinJob | BakeJob | ExtractJob  # writes one file and ends
Job = (
    TrainJob
    | ShareJob
    | SampleJob
    | FileJob
    | FetchJob
    | InspectJob
    | CaptionJob
    | MemoryJob
    | RateJob
)
Word = Stop | PreviewNow | Draw
Command = Job | Word
