"""What a worker is told: first one job, then words to it while it runs."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from core.config.options import Told


class TrainJob(Struct, frozen=True, kw_only=True, tag="train"):
    """Train a project's next run, or go on with one."""

    project: str
    resume: str = ""  # a run folder's name


class SampleJob(Struct, frozen=True, kw_only=True, tag="sample"):
    """Load a base, then draw one picture for each Draw."""

    base: str
    vae: str = ""  # another than the base's own
    rest: str = ""  # a folder for what a base that is a transformer alone lacks
    prediction: Told = "auto"
    inference_steps: Annotated[int, Meta(ge=1, le=200)] = 25
    guidance: Annotated[float, Meta(ge=0, le=30)] = 7.0
    guidance_rescale: Annotated[float, Meta(ge=0, le=1)] = 0.0


class ExportJob(Struct, frozen=True, kw_only=True, tag="export"):
    """Write a run's adapter in another program's format."""

    source: str
    format: Literal["usual", "kohya", "diffusers", "peft"]
    out: str


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
    adapters: dict[str, Annotated[float, Meta(ge=-4, le=4)]] = {}  # files and their weights
    width_px: Annotated[int, Meta(ge=0, le=4096)] = 0  # 0 is the base's own size
    height_px: Annotated[int, Meta(ge=0, le=4096)] = 0


Job = TrainJob | SampleJob | ExportJob | FetchJob | CaptionJob
Word = Stop | PreviewNow | Draw
Command = Job | Word
