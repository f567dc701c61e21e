"""What to change so that a run fits: the cheapest change first, the picture's size last."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from core.config.facts import FLOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from core.config.facts import Facts
    from core.config.options import Held, RunConfig

PIECE_PX = 512  # what is no larger goes through a VAE whole
SIZES_PX = (1024, 896, 768, 640, 512, 384, 256)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is done for a smaller memory."""

    option: str  # its dotted path; "" where the run does it by itself
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Fit:
    """Settings, changed as little as it takes."""

    config: RunConfig
    at_once: int  # of a batch's pictures
    changes: tuple[Change, ...]
    bytes: int  # what they need
    fits: bool  # False: not even all changes together are enough


def fitted(
    config: RunConfig,
    facts: Facts,
    room: int,
    needed: Callable[[RunConfig, int], int],
    *,
    beside: bool = False,
) -> Fit:
    """The first of ever smaller runs that fits.

    Args:
        config: What is wished for.
        facts: Of its base.
        room: Bytes that there are.
        needed: What settings need, with so many pictures of a batch at once. Each of the smaller
            runs needs at most as much as the one before it, so that few are asked for.
        beside: Whether there is a main memory beside the one that computes.
    """
    rungs = list(_smaller(config, facts, beside=beside))
    asked = cache(lambda number: needed(rungs[number][0], rungs[number][1]))
    first = bisect.bisect_left(range(len(rungs)), 1, key=lambda number: asked(number) <= room)
    number = min(first, len(rungs) - 1)
    smaller, at_once, changes = rungs[number]
    if _IN_PIECES in changes:  # which helps where pictures, not steps, need the most
        whole = replace(smaller, training=replace(smaller.training, vae_tiles="auto"))
        if (bytes_ := needed(whole, at_once)) <= max(room, asked(number)):
            others = tuple(change for change in changes if change is not _IN_PIECES)
            return Fit(whole, at_once, others, bytes_, first < len(rungs))
    return Fit(smaller, at_once, changes, asked(number), first < len(rungs))


Rung = tuple["RunConfig", int, tuple[Change, ...]]


def _smaller(config: RunConfig, facts: Facts, *, beside: bool) -> Iterator[Rung]:
    """The run as it is wished for, then with one change more each time."""
    at_once, changes = config.training.batch_size, ()
    yield config, at_once, changes
    if not config.training.recompute and facts.predicts != FLOW:  # those always do
        config = replace(config, training=replace(config.training, recompute=True))
        changes = (*changes, _RECOMPUTE)
        yield config, at_once, changes
    before = changes
    while at_once > 1:
        at_once = (at_once + 1) // 2
        changes = (*before, _at_once(at_once, config.training.batch_size))
        yield config, at_once, changes
    edges = (config.dataset.resolution_px, *config.dataset.more_resolutions_px)
    if config.training.vae_tiles == "auto" and max(edges) > PIECE_PX:
        config = replace(config, training=replace(config.training, vae_tiles="always"))
        changes = (*changes, _IN_PIECES)
        yield config, at_once, changes
    if beside and not config.training.offload_activations:
        config = replace(config, training=replace(config.training, offload_activations=True))
        changes = (*changes, _OFFLOADED)
        yield config, at_once, changes
    before, wished_bits = changes, config.training.base_precision
    for held in _fewer_bits(config):
        config = replace(config, training=replace(config.training, base_precision=held))
        changes = (*before, Change("training.base_precision", held, _FEWER_BITS[held]))
        yield config, at_once, changes
    if beside and not config.training.stream_base and wished_bits != "int8":
        training = config.training
        if training.base_precision == "int8":  # which cannot be moved: whole, and moved, is less
            training, changes = replace(training, base_precision="whole"), before
        if training.compile:
            training, changes = replace(training, compile=False), (*changes, _UNCOMPILED)
        config = replace(config, training=replace(training, stream_base=True))
        changes = (*changes, _STREAMED)
        yield config, at_once, changes
    before, wished = changes, config.dataset.resolution_px
    for edge in SIZES_PX:
        if edge < wished:
            config = _at_size(config, edge)
            why = f"smaller pictures; drawings at {wished} px will be less sharp in detail"
            changes = (*before, Change("dataset.resolution_px", str(edge), why))
            yield config, at_once, changes


def _fewer_bits(config: RunConfig) -> list[Held]:
    """In which the base can be held, more of them first."""
    cannot = set[str]()
    if config.adapter.kind in ("loha", "lokr"):
        cannot.add("nf4")
    if config.training.stream_base:
        cannot.add("int8")
    now = _BITS[config.training.base_precision]
    return [held for held in _FEWER_BITS if held not in cannot and _BITS[held] < now]


def _at_size(config: RunConfig, edge: int) -> RunConfig:
    more = tuple(other for other in config.dataset.more_resolutions_px if other < edge)
    dataset = replace(config.dataset, resolution_px=edge, more_resolutions_px=more)
    return replace(config, dataset=dataset)


_BITS = {"whole": 16, "int8": 8, "nf4": 4, "int8_weights": 8, "fp8": 8}
_RECOMPUTE = Change(
    "training.recompute",
    "true",
    "layers are computed anew on the way back instead of kept: what is learnt is the same, a step "
    "takes about a third longer",
)
_IN_PIECES = Change(
    "training.vae_tiles",
    "always",
    "pictures are encoded and drawn in pieces: a little less exact",
)
_OFFLOADED = Change(
    "training.offload_activations",
    "true",
    "what is kept for the way back lies in the main memory until then: what is learnt is the same, "
    "a step takes longer",
)
_UNCOMPILED = Change(
    "training.compile", "false", "blocks whose weights come and go cannot be compiled"
)
_STREAMED = Change(
    "training.stream_base",
    "true",
    "the base's blocks lie in the main memory, and are on the GPU while they compute: what is "
    "learnt is the same, a step takes far longer",
)
_FEWER_BITS: Mapping[Held, str] = {
    "int8": "the base is held in 8 bits: a little less exact, and slower",
    "nf4": "the base is held in 4 bits: less exact than 8, and smaller",
}


def _at_once(count: int, batch: int) -> Change:
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    return Change(
        "",
        str(count),
        f"{pictures} of a batch of {batch} at a time: what is learnt is the same; the run does so "
        "by itself when the memory is full",
    )
