"""What each step learns from: a pure function of seed and step."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from core.data import variation
from core.diffusion.noise import pyramid, shifted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from core.config.options import RunConfig
    from core.data.buckets import Frame, Size

SPANS = 8  # of the path, at the least, that are visited before one is visited again


@dataclass(frozen=True, slots=True)
class Item:
    """One encoded picture: the mean and deviation of its latents, (C, H, W) each, scaled."""

    key: str  # of the picture's content
    frame: Frame
    caption: str
    mean: Tensor
    std: Tensor
    path: Path
    bodies: tuple[str, ...] = ()  # the captions in its file, of which each step tells one
    repeats: int = 1  # how often it comes in an epoch
    mask: Tensor | None = None  # where it counts, (h, w), 0 to 1, its mean 1
    of_class: bool = False  # it shows what is to stay, and is told as it is written
    weight: float = 1.0  # of its loss

    @property
    def bucket(self) -> Size:
        return self.frame.bucket

    @property
    def content(self) -> str:
        """Of its file, whether it is mirrored or not."""
        return self.key.partition("/")[0]


class Shown(Protocol):
    """What a plan has to know of a picture."""

    @property
    def bucket(self) -> Size:
        """What it is fitted to."""
        ...

    @property
    def repeats(self) -> int:
        """How often it comes in an epoch."""
        ...

    @property
    def of_class(self) -> bool:
        """Whether it comes only as often as there is room beside the others."""
        ...

    @property
    def weight(self) -> float:
        """Of its loss."""
        ...


class Sample(NamedTuple):
    """A picture in a batch."""

    item: int  # its number among all
    weight: float  # its own, times its repeats / how often it comes in this epoch


@dataclass(frozen=True, slots=True)
class Draw:
    """All that is random in one step, drawn whole before anything is computed.

    A part of it is that part of the same step: whatever splits a step (to accumulate gradients, to
    fit a smaller memory, to share it between processes) changes no number of it.
    """

    latents: Tensor  # (B, C, H, W), drawn from each picture's distribution
    noise: Tensor  # as latents, standard normal unless the config says otherwise
    input_noise: Tensor  # what the latents are noised with: `noise`, or that and a little more
    u: Tensor  # (B,), where on the path from data (0) to noise (1)
    weights: Tensor  # (B,), of each picture's loss
    masks: Tensor | None  # (B, 1, h, w), of each place's loss, each with a mean of 1
    prior: Tensor  # (B,), whether the base's own answer is wanted of it
    captions: tuple[str, ...]  # some of them left empty
    frames: tuple[Frame, ...]  # how each picture is shown
    files: tuple[str, ...]  # the pictures' names, for messages
    batch_size: int  # what the sum of losses is divided by

    def parts(self, size: int) -> Iterator[Draw]:
        """Cut into draws of at most `size` pictures."""
        for start in range(0, len(self.latents), size):
            yield self._part(slice(start, start + size))

    def share(self, number: int, of: int) -> Draw:
        """What process `number` of so many computes; sizes differ by one picture at the most."""
        count = len(self.latents)
        return self._part(slice(number * count // of, (number + 1) * count // of))

    def _part(self, some: slice) -> Draw:
        return replace(
            self,
            latents=self.latents[some],
            noise=self.noise[some],
            input_noise=self.input_noise[some],
            u=self.u[some],
            weights=self.weights[some],
            masks=None if self.masks is None else self.masks[some],
            prior=self.prior[some],
            captions=self.captions[some],
            frames=self.frames[some],
            files=self.files[some],
        )


def step_seed(seed: int, step: int, purpose: str) -> int:
    """The seed of one purpose in one step: all randomness of a run derives from here.

    A resumed run needs no saved random state, and a step can be looked at by itself.
    """
    return random.Random(f"{seed}/{step}/{purpose}").getrandbits(63)  # noqa: S311


def generator(seed: int, step: int, purpose: str) -> torch.Generator:
    """A CPU generator, so that every device sees the same numbers."""
    return torch.Generator().manual_seed(step_seed(seed, step, purpose))


def whole_batch(items: Sequence[Shown], batch_size: int) -> int:
    """The largest batch there can be: a bucket may hold fewer pictures than `batch_size`."""
    return min(batch_size, max(map(len, _shown(items, 0, 0).values())))


def _shown(items: Sequence[Shown], seed: int, number: int) -> dict[Size, list[int]]:
    """What an epoch shows in each bucket: its pictures, and as many class pictures if it has any.

    These take turns from epoch to epoch, in a random order, each once before one comes twice.
    """
    shown: dict[Size, list[int]] = {}
    of_class: dict[Size, list[int]] = {}
    for index, item in enumerate(items):
        if item.of_class:
            of_class.setdefault(item.bucket, []).append(index)
        else:
            shown.setdefault(item.bucket, []).extend([index] * item.repeats)
    for bucket in shown.keys() & of_class.keys():
        indices, others = shown[bucket], of_class[bucket]
        turns = range(number * len(indices), (number + 1) * len(indices))
        passes = {turn // len(others) for turn in turns}
        orders = {which: others.copy() for which in passes}
        for which, order in orders.items():
            random.Random(step_seed(seed, which, f"class {bucket}")).shuffle(order)  # noqa: S311
        shown[bucket] += [orders[turn // len(others)][turn % len(others)] for turn in turns]
    return shown


def epoch(items: Sequence[Shown], batch_size: int, seed: int, number: int) -> list[list[Sample]]:
    """One pass over all pictures: shuffled batches of one bucket each.

    A bucket's last batch is filled up with pictures from its beginning while it has others, so
    that steps are alike; a bucket smaller than a batch makes a smaller batch. The weights of each
    picture add up to its repeats times its own, whatever its shape and however often it comes.
    """
    rng = random.Random(step_seed(seed, number, "epoch"))  # noqa: S311
    members = _shown(items, seed, number)
    asked = Counter(index for indices in members.values() for index in indices)
    batches: list[list[int]] = []
    for bucket in sorted(members):
        indices = members[bucket]
        rng.shuffle(indices)
        for start in range(0, len(indices), batch_size):
            batch = indices[start : start + batch_size]
            missing = min(batch_size, len(indices)) - len(batch)
            batches.append(batch + indices[:missing])
    rng.shuffle(batches)
    times = Counter(index for batch in batches for index in batch)
    return [[Sample(i, items[i].weight * asked[i] / times[i]) for i in batch] for batch in batches]


def plan(
    items: Sequence[Shown], batch_size: int, seed: int, first_step: int
) -> Iterator[list[Sample]]:
    """The batches of steps `first_step`, `first_step + 1`, ...; steps count from 1."""
    length = len(epoch(items, batch_size, seed, 0))
    number, skip = divmod(first_step - 1, length)
    while True:
        yield from epoch(items, batch_size, seed, number)[skip:]
        number, skip = number + 1, 0


def draw(
    items: Sequence[Item],
    samples: Sequence[Sample],
    config: RunConfig,
    *,
    step: int,
    batch_size: int,
) -> Draw:
    """All random numbers of a step: latents, captions that are left out, times and noise."""
    chosen = [items[sample.item] for sample in samples]
    seed = config.training.seed
    rng = generator(seed, step, "batch")
    mean = torch.stack([item.mean for item in chosen])
    std = torch.stack([item.std for item in chosen])
    latents = mean + std * torch.randn(mean.shape, generator=rng)
    empty = torch.rand(len(chosen), generator=rng) < config.dataset.caption_dropout
    told = captions(items, samples, config, step)
    told = tuple("" if left_out else text for text, left_out in zip(told, empty, strict=True))
    u, rng = _places(len(chosen), seed=seed, step=step, batch_size=batch_size)
    noise = _coloured(torch.randn(mean.shape, generator=rng), config, step)
    return Draw(
        latents=latents,
        noise=noise,
        input_noise=_perturbed(noise, config, step),
        u=u,
        weights=torch.tensor([sample.weight for sample in samples]),
        masks=_masks(chosen),
        prior=_prior(chosen, config, step),
        captions=told,
        frames=tuple(item.frame for item in chosen),
        files=tuple(item.path.name for item in chosen),
        batch_size=batch_size,
    )


def captions(
    items: Sequence[Item], samples: Sequence[Sample], config: RunConfig, step: int
) -> tuple[str, ...]:
    """What a step tells of each of its pictures, before any caption is left out."""
    chosen = [items[sample.item] for sample in samples]
    if variation.varies(config.dataset):
        seed = step_seed(config.training.seed, step, "captions")
        rng = random.Random(seed)  # noqa: S311
        told = [
            item.caption if item.of_class else variation.drawn(item.bodies, config.dataset, rng)
            for item in chosen
        ]
    else:
        told = [item.caption for item in chosen]
    return tuple(
        variation.untriggered(text, config.dataset.trigger) if kept else text
        for text, kept in zip(told, _prior(chosen, config, step), strict=True)
    )


def _prior(chosen: Sequence[Item], config: RunConfig, step: int) -> Tensor:
    share, count = config.training.prior_share, len(chosen)
    if not share:
        return torch.zeros(count, dtype=torch.bool)
    asked = torch.rand(count, generator=generator(config.training.seed, step, "prior")) < share
    return asked & ~torch.tensor([item.of_class for item in chosen])


def _masks(chosen: Sequence[Item]) -> Tensor | None:
    if all(item.mask is None for item in chosen):
        return None
    whole = torch.ones(chosen[0].mean.shape[-2:])
    return torch.stack([whole if item.mask is None else item.mask for item in chosen])[:, None]


def _coloured(plain: Tensor, config: RunConfig, step: int) -> Tensor:
    """Noise as the config wants it: the same, to the bit, where it wants nothing."""
    noise, seed = plain, config.training.seed
    if config.noise.pyramid:
        noise = pyramid(noise, generator(seed, step, "pyramid"), config.noise.pyramid)
    if config.noise.offset:
        of_channels = torch.randn(noise.shape[:2], generator=generator(seed, step, "offset"))
        noise = shifted(noise, of_channels, config.noise.offset)
    return noise


def _perturbed(noise: Tensor, config: RunConfig, step: int) -> Tensor:
    """What goes into the picture: more than the net is asked for (arXiv:2301.11706, eq. 6)."""
    if not config.noise.perturbation:
        return noise
    rng = generator(config.training.seed, step, "perturbation")
    return noise + config.noise.perturbation * torch.randn(noise.shape, generator=rng)


def _places(count: int, *, seed: int, step: int, batch_size: int) -> tuple[Tensor, torch.Generator]:
    """Where on the path the samples of a step are, (count,), 0 to 1; and the generator after that.

    The path is cut into equal spans of which each is visited once, in a random order, before one is
    visited again: within a batch, and for batches below `SPANS` across the steps that share an
    order. The gradient's mean stays as it is, its noise falls.
    """
    rng = generator(seed, step, "noise")
    steps = math.ceil(SPANS / count) if count == batch_size else 1
    order = torch.randperm(steps * count, generator=rng)
    if place := (step - 1) % steps:  # the first step of those that share an order draws it
        order = torch.randperm(steps * count, generator=generator(seed, step - place, "noise"))
    mine = order[place * count : (place + 1) * count]
    return (mine + torch.rand(count, generator=rng)) / (steps * count), rng
