"""A project's next run and this device: what it needs, what there is, and what would fit."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from typing import TYPE_CHECKING

import psutil
import torch
from msgspec.structs import replace

from core.data import captions, variation
from core.data.scan import walk
from core.families.device import choose
from core.training import fitting, memory, setup

if TYPE_CHECKING:
    from core.base.value import Base
    from core.config.options import RunConfig
    from core.families.device import Device
    from core.project.layout import Project
    from core.training.fitting import Fit
    from core.training.memory import Need

# What the program takes beside its tensors: libraries, and on a GPU the driver's own share.
# Measured on a CPU; on a GPU what CUDA is known for.
PROGRAM = {"cpu": 500_000_000, "cuda": 700_000_000, "mps": 500_000_000}
LOST = 1.08  # room between tensors that none fits into; measured: docs/memory.md


@dataclass(frozen=True, slots=True)
class Room:
    """How much there is of the memory that a run needs, in bytes."""

    device: str  # in words
    total: int
    free: int  # of it, if this process were not


@dataclass(frozen=True, slots=True)
class Dataset:
    """What of a dataset matters to the memory."""

    pictures: int
    caption: str  # the longest


def dataset_of(project: Project, config: RunConfig) -> Dataset:
    """How many pictures there are, and what is said of them at the most; no picture is opened."""
    paths = walk(project.folders(config)).pictures
    longest = ""
    for path in paths:
        with contextlib.suppress(OSError):
            for body in variation.bodies(captions.read(path).text, config.dataset):
                longest = max(longest, variation.whole(body, config.dataset), key=len)
    return Dataset(max(1, len(paths)), longest or memory.CAPTION)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a project's next run needs on a device, and what would fit where it does not."""

    need: Need
    whole: int  # bytes, all in all
    kind: str  # of device: cpu, cuda, mps
    room: Room
    fit: Fit | None  # None: it fits as it is


def foreseen(project: Project, config: RunConfig, gpu_gigabytes: float | None = None) -> Foreseen:
    """What a run with these settings needs, here or on a GPU of so many GB.

    Raises:
        BaseModelError, AdapterError, RunError: See `memory.need`.
    """
    base = project.base(config)
    place, room = this_device(config) if gpu_gigabytes is None else a_gpu(config, gpu_gigabytes)
    dataset = dataset_of(project, config)
    need = needed(base, config, place, dataset)
    all_in_all = whole(need, place.kind)

    def asked(smaller: RunConfig, at_once: int) -> int:
        return whole(needed(base, smaller, place, dataset, at_once), place.kind)

    fits = all_in_all <= room.free
    beside = place.kind == "cuda"
    fit = None if fits else fitting.fitted(config, base.facts, room.free, asked, beside=beside)
    return Foreseen(need, all_in_all, place.kind, room, fit)


def needed(
    base: Base, config: RunConfig, place: Device, dataset: Dataset, at_once: int = 0
) -> Need:
    """What a run needs on these pictures.

    Raises:
        BaseModelError, AdapterError, RunError: See `memory.need`.
    """
    if not config.preview.prompts:  # captions stand in
        prompts = (dataset.caption,) * setup.DEFAULT_PROMPTS
        config = replace(config, preview=replace(config.preview, prompts=prompts))
    training = config.training
    place = replace_fields(place, held=training.base_precision, streamed=training.stream_base)
    return memory.need(
        base, config, place, at_once=at_once, pictures=dataset.pictures, caption=dataset.caption
    )


def whole(need: Need, kind: str) -> int:
    """Of the device's memory, the program and what is lost included."""
    held = need.peak + (need.cache if kind == "cpu" else 0)
    return round(held * LOST) + PROGRAM[kind]


def this_device(config: RunConfig) -> tuple[Device, Room]:
    """Where a run would compute here, and how much memory there is."""
    place = choose(config.training.precision, config.training.base_precision)
    if place.kind == "cuda":
        free, total = torch.cuda.mem_get_info(place.device)
        ours = PROGRAM["cuda"]  # what it takes to ask
        name = torch.cuda.get_device_name(place.device)
        return place, Room(name, total, min(total, free + ours))
    there, ours = psutil.virtual_memory(), psutil.Process().memory_info().rss
    name = "The main memory" if place.kind == "cpu" else "The memory of this Mac"
    return place, Room(name, there.total, min(there.total, there.available + ours))


def a_gpu(config: RunConfig, gigabytes: float) -> tuple[Device, Room]:
    """A GPU of so much memory, of which the screen takes a little."""
    total = round(gigabytes * 2**30)
    return memory.a_gpu(config), Room(f"A GPU of {gigabytes:g} GB", total, total)
