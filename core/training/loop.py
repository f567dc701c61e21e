"""The training loop: a generator of events that knows no pipe, window or progress bar."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING

import torch

from core.data import batches
from core.protocol.events import CheckpointSaved, Event, StepDone
from core.training import checkpoint, lr, preview
from core.training.step import denoising_loss, set_rate, train_step

if TYPE_CHECKING:
    from core.data.batches import Batch
    from core.project.layout import Run
    from core.training.control import Control
    from core.training.setup import Prepared

TIMED_STEPS = 20  # the newest of them tell how long the rest will take


def steps(
    run: Run, prepared: Prepared, control: Control, first_step: int, clock: Clock
) -> Generator[Event, None, int]:
    """Train from `first_step` to the end or until asked to stop; returns the last step done.

    Whatever ends it, its last step has a checkpoint.

    Raises:
        DivergedError: After saving nothing: the last checkpoint is the last good one.
        StorageError: A preview or checkpoint cannot be written.
    """
    config = prepared.config.training
    every = prepared.config.preview.every
    buckets = [item.bucket for item in prepared.items]
    plan = batches.plan(buckets, config.batch_size, config.seed, first_step)

    def loss_of(batch: Batch, rng: torch.Generator) -> torch.Tensor:
        model = (prepared.family, prepared.parts)
        return denoising_loss(model, batch, prepared.condition, rng, config.min_snr_gamma)

    step = first_step - 1
    for step in range(first_step, config.steps + 1):
        began = time.monotonic()
        torch.manual_seed(batches.step_seed(config.seed, step, "dropout"))
        items = [prepared.items[index] for index in next(plan)]
        dropout = prepared.config.dataset.caption_dropout
        batch = batches.draw(items, config.seed, step, dropout)
        for net in prepared.nets.values():
            net.train()
        rate = set_rate(prepared.trainable.optimizer, lr.factor(config, step))
        done = train_step(loss_of, batch, prepared.trainable, config, step, prepared.device)
        seconds = time.monotonic() - began
        clock.step_took(seconds)
        yield StepDone(
            step=step,
            loss=done.loss,
            lr=rate,
            grad_norm=done.grad_norm,
            seconds=seconds,
            seconds_left=clock.left(step),
        )
        last = step == config.steps or control.stop.is_set()
        drawing = step == config.steps or control.taken(control.preview) or _due(step, every)
        saving = last or drawing or _due(step, config.checkpoint_every)
        if saving:  # before the drawing, which may take minutes in which a run can die
            began = time.monotonic()
            folder = checkpoint.save(run, prepared, step)
            yield CheckpointSaved(step=step, path=str(folder))
            clock.save_took(time.monotonic() - began)
        if drawing:
            began = time.monotonic()
            yield from preview.draw(run, prepared, control, step)
            clock.previews_took(time.monotonic() - began)
        if last or (saving and control.stop.is_set()):
            break
    return step


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


class Clock:
    """Estimates the time left from the newest steps, previews and checkpoint, in seconds."""

    def __init__(self, steps: int, preview_every: int, save_every: int) -> None:
        """`previews_took` and `save_took` may be told from the start; until then they are 0."""
        self._steps = steps
        self._preview_every = preview_every
        self._save_every = save_every
        self._took: list[float] = []
        self._previews = 0.0
        self._save = 0.0

    def step_took(self, seconds: float) -> None:
        self._took = [*self._took[-TIMED_STEPS + 1 :], seconds]

    def previews_took(self, seconds: float) -> None:
        self._previews = seconds

    def save_took(self, seconds: float) -> None:
        self._save = seconds

    def left(self, step: int) -> float:
        """Of the steps after `step`, and of the previews and checkpoints from `step` on."""
        typical = sorted(self._took)[len(self._took) // 2]
        previews = self._rounds(step, self._preview_every) * self._previews
        saves = self._rounds(step, self._save_every) * self._save
        return (self._steps - step) * typical + previews + saves

    def _rounds(self, step: int, every: int) -> int:
        """How often something comes from `step` on that is due `every` so often and at the end."""
        every = every or self._steps
        at_the_end = self._steps % every > 0
        return self._steps // every - (step - 1) // every + at_the_end
