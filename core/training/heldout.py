"""Pictures that are not learnt from: what holds for them was learnt, not kept by heart.

They are noised in the same way at every measurement, so that its curve is smooth: what differs
between two of them is the adapter.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import statistics
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from core.adapters import files, injection
from core.config.options import TrainingConfig
from core.data.batches import Draw, Item, generator
from core.protocol.events import Event, HeldOutMeasured
from core.training.log import event_of, read_log_lines
from core.training.step import denoising_losses

if TYPE_CHECKING:
    from core.project.layout import Run
    from core.training.setup import Prepared

TIMES = 8  # of each picture, evenly over the path
SURE = 2.0  # standard errors of a difference that is taken for one
RECENT = 1 / 3  # of the measurements: whether these still went down


def chosen(
    contents: Sequence[str], share: float, marked: Collection[str] = frozenset()
) -> set[str]:
    """Which pictures are held out, by the names of their contents.

    All that are marked, which count towards the share; of a share at least one and never all. A
    picture that is added changes the choice of few others.
    """
    names = sorted(set(contents), key=lambda name: hashlib.sha256(name.encode()).digest())
    names.sort(key=lambda name: name not in marked)
    count = min(len(names) - 1, max(1, round(share * len(names)))) if share else 0
    return set(names[: max(count, len(marked))])


def draw_of(item: Item, times: int = TIMES) -> Draw:
    """The same noise and times for a picture, whatever else is held out and in whatever run."""
    rng = generator(0, 0, f"held out {item.key}")
    latents = item.mean.expand(times, *item.mean.shape)
    noise = torch.randn(latents.shape, generator=rng)
    return Draw(
        latents=latents,
        noise=noise,
        input_noise=noise,
        u=(torch.arange(times) + 0.5) / times,
        weights=torch.ones(times),
        masks=None if item.mask is None else item.mask.expand(times, 1, *item.mask.shape),
        prior=torch.zeros(times, dtype=torch.bool),
        captions=(item.caption,) * times,
        frames=(item.frame,) * times,
        files=(item.path.name,) * times,
        batch_size=times,
    )


def told(run: Run) -> list[HeldOutMeasured]:
    """What was measured so far, oldest first."""
    events = [event_of(line) for line in read_log_lines(run)]
    return [event for event in events if isinstance(event, HeldOutMeasured)]


def measure(
    run: Run, prepared: Prepared, step: int, before: Sequence[HeldOutMeasured]
) -> Generator[Event, None, HeldOutMeasured]:
    """Measure the adapter after `step`; 0 is without it. The best one so far is kept.

    Raises:
        StorageError: The run's folder cannot be written.
    """
    with contextlib.nullcontext() if step else injection.off(prepared.nets):
        now = yield from prepared.at_once.fitting(
            min(TIMES, prepared.batch_size),
            lambda at_once: losses(prepared, at_once),
            "The memory is too small for the pictures held out: {} at a time.",
        )
    said = verdict([*((event.step, event.losses) for event in before), (step, now)])
    if step and said.best_step == step:
        with prepared.trainable.learnt():
            values = {n: p.detach().cpu() for n, p in prepared.trainable.parameters.items()}
            files.write(run.best_file(step), values, {})
        for older in run.best.iterdir():
            if older != run.best_file(step):
                older.unlink(missing_ok=True)
    return HeldOutMeasured(step=step, losses=now, best_step=said.best_step, verdict=said.words)


def overfitting(run: Run, step: int) -> int:
    """The step whose adapter is better than that of `step`, beyond chance; 0 if there is none."""
    measured = [(event.step, event.losses) for event in told(run) if event.step <= step]
    said = verdict(measured) if measured else None
    kept = said is not None and said.overfits and run.best_file(said.best_step).exists()
    return said.best_step if said is not None and kept else 0


@torch.no_grad()
def losses(prepared: Prepared, at_once: int, times: int = TIMES) -> list[float]:
    """The mean squared error of each held-out picture, of the adapter that would be exported."""
    model = prepared.model
    injection.train_mode(prepared.nets, on=False)
    found = []
    with prepared.trainable.learnt(), model.place.autocast(), prepared.uncompiled():
        for item in prepared.held_out:
            parts = draw_of(item, times).parts(at_once)
            plain = [
                denoising_losses(model, part, prepared.conditions, TrainingConfig())
                for part in parts
            ]
            found.append(torch.cat(plain).mean().item())
    return found


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the held-out pictures say of a run so far."""

    best_step: int
    words: str
    overfits: bool = False


def verdict(measured: Sequence[tuple[int, Sequence[float]]]) -> Verdict:
    """Of the losses at each step, oldest first; step 0 is without an adapter.

    Two steps are compared picture by picture: pictures differ far more than steps do.
    """
    steps = [step for step, _ in measured]
    means = [statistics.fmean(each) for _, each in measured]
    best = min(range(len(means)), key=means.__getitem__)
    first, last = measured[0][1], measured[-1][1]
    if best == 0 or not _below(measured[best][1], first):
        return Verdict(steps[best], "Nothing that holds for the pictures held out was learnt yet.")
    better = 1 - means[best] / means[0]
    gain = f"{better:.0%} better than the untrained model" if better >= 0.01 else "a little better"  # noqa: PLR2004
    if best != len(means) - 1 and _below(measured[best][1], last):
        worse = means[-1] / means[best] - 1
        return Verdict(
            steps[best],
            f"It overfits since step {steps[best]:,}: the pictures held out were drawn {gain} "
            f"there, and are drawn {worse:.1%} worse now. The adapter of that step is kept, too.",
            overfits=True,
        )
    recent = measured[math.floor((len(measured) - 1) * (1 - RECENT))]
    if len(measured) > 2 and not _below(last, recent[1]):  # noqa: PLR2004
        level = next(step for step, each in measured if not _below(measured[best][1], each))
        words = f"It has learnt what it can since about step {level:,}"
    else:
        words = "It is still learning"
    return Verdict(steps[best], f"{words}: the pictures held out are drawn {gain}.")


def _below(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    """Whether losses are lower beyond chance: a paired test, one picture alone counts as it is."""
    differences = [b - a for a, b in zip(ours, theirs, strict=True)]
    mean = statistics.fmean(differences)
    if len(differences) == 1:
        return mean > 0
    return mean > SURE * statistics.stdev(differences) / math.sqrt(len(differences))
