"""Which pictures a step sees: a pure function of seed and step."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from core.data.buckets import Size


@dataclass(frozen=True, slots=True)
class Item:
    """One encoded picture: the mean and deviation of its latents, (C, H, W) each, scaled."""

    key: str  # of the picture's content
    bucket: Size
    caption: str
    mean: Tensor
    std: Tensor
    path: Path


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from."""

    latents: Tensor  # (B, C, H, W), drawn from each picture's distribution
    captions: tuple[str, ...]
    files: tuple[str, ...]  # the pictures' names, for messages


def step_seed(seed: int, step: int, purpose: str) -> int:
    """The seed of one purpose in one step: all randomness of a run derives from here.

    A resumed run needs no saved random state, and a step can be looked at by itself.
    """
    return random.Random(f"{seed}/{step}/{purpose}").getrandbits(63)  # noqa: S311


def generator(seed: int, step: int, purpose: str) -> torch.Generator:
    """A CPU generator, so that every device sees the same numbers."""
    return torch.Generator().manual_seed(step_seed(seed, step, purpose))


def epoch(buckets: Sequence[Size], batch_size: int, seed: int, number: int) -> list[list[int]]:
    """One pass over all pictures: shuffled batches of one bucket each, every picture once.

    A bucket's last batch is filled up with pictures from its beginning while it has others, so
    that steps weigh the same; a bucket smaller than a batch makes a smaller batch.
    """
    rng = random.Random(step_seed(seed, number, "epoch"))  # noqa: S311
    members: dict[Size, list[int]] = {}
    for index, bucket in enumerate(buckets):
        members.setdefault(bucket, []).append(index)
    batches: list[list[int]] = []
    for bucket in sorted(members):
        indices = members[bucket]
        rng.shuffle(indices)
        for start in range(0, len(indices), batch_size):
            batch = indices[start : start + batch_size]
            missing = min(batch_size, len(indices)) - len(batch)
            batches.append(batch + indices[:missing])
    rng.shuffle(batches)
    return batches


def plan(
    buckets: Sequence[Size], batch_size: int, seed: int, first_step: int
) -> Iterator[list[int]]:
    """The batches of steps `first_step`, `first_step + 1`, ...; steps count from 1."""
    length = len(epoch(buckets, batch_size, seed, 0))
    number, skip = divmod(first_step - 1, length)
    while True:
        yield from epoch(buckets, batch_size, seed, number)[skip:]
        number, skip = number + 1, 0


def draw(items: Sequence[Item], seed: int, step: int, caption_dropout: float) -> Batch:
    """Sample latents from the encoded pictures and leave out a share of the captions."""
    rng = generator(seed, step, "batch")
    mean = torch.stack([item.mean for item in items])
    std = torch.stack([item.std for item in items])
    noise = torch.randn(mean.shape, generator=rng)
    empty = torch.rand(len(items), generator=rng) < caption_dropout
    captions = tuple(
        "" if blank else item.caption for item, blank in zip(items, empty.tolist(), strict=True)
    )
    return Batch(mean + std * noise, captions, tuple(item.path.name for item in items))
