"""Which learning rate suits a project: a short run whose rate rises, of which nothing is kept."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from core.config.optimizers import OPTIMIZERS
from core.config.presets import RATE_DIGITS
from core.data import batches
from core.errors import DivergedError, RunError, naming_full_memory
from core.protocol.events import Event, Finished, Progress, RateFound, RateTried
from core.training import heldout, loop, setup, sweep

if TYPE_CHECKING:
    from collections.abc import Generator

    from core.config.options import RunConfig
    from core.project.layout import Project
    from core.training.control import Control
    from core.training.setup import Prepared

PICTURES = 8  # that are looked at, at the most
TIMES = 4  # of each: the same ones at every rate, so that the curve is no noise


def find(project: Project, config: RunConfig, control: Control) -> Generator[Event, None, None]:
    """Learn at rising rates on the project's own pictures and settings, and propose one.

    Neither the project nor any of its runs is changed; what is encoded is cached for the next run.
    The same project gives the same answer.

    Raises:
        RunError: The optimizer has no rate to find, or the denoiser learns nothing.
        UserError: As for a run that begins.
    """
    check(config)
    with naming_full_memory("Lower batch size, resolution or rank, or close other programs."):
        prepared = yield from setup.prepare(project, sweep_config(config), control)
        if prepared is not None:
            usual = OPTIMIZERS[config.training.optimizer].usual_rate(
                prepared.model.facts.learning_rate
            )
            yield from _swept(prepared, control, usual)
    yield Finished(stopped=control.stop.is_set())


def check(config: RunConfig) -> None:
    """Whether there is a rate to find.

    Raises:
        RunError: There is none.
    """
    training = config.training
    row = OPTIMIZERS[training.optimizer]
    if row.finds_rate:
        raise RunError(
            f"There is nothing to find: {row.title} finds its rate by itself.",
            hint="Leave training.learning_rate at 1.",
        )
    if row.averages:
        raise RunError(
            f"There is nothing to find for {row.title}: it averages its steps, so a rate that "
            "rises tells nothing of one that stays.",
            hint="Its usual rate suits it widely; or find one with training.optimizer = adamw.",
        )
    if not training.learning_rate:
        raise RunError(
            "There is no rate to find: training.learning_rate is 0, so only text encoders learn.",
            hint="Set training.learning_rate to anything above 0.",
        )


def sweep_config(config: RunConfig) -> RunConfig:
    """The project's own settings, but for what hides a rate's effect: its course, an average."""
    training = replace(
        config.training,
        steps=sweep.STEPS,
        schedule="constant",
        warmup_steps=0,
        average=0.0,
        text_encoder_share=1.0,
        compile=False,  # so few steps would not repay it
    )
    return replace(config, training=training)


def _measured(looked_at: Prepared) -> Generator[Event, None, list[float]]:
    """The loss of each picture, as many of its times at once as fit."""
    return (
        yield from looked_at.at_once.fitting(
            min(TIMES, looked_at.batch_size),
            lambda at_once: heldout.losses(looked_at, at_once, TIMES),
            "The memory is full: {} at a time from now on.",
        )
    )


def _swept(prepared: Prepared, control: Control, usual: float) -> Generator[Event, None, None]:
    """All rates of the denoiser's, the others' in proportion; then what they say."""
    began, own = time.monotonic(), prepared.config.training.learning_rate
    looked_at = _looked_at(prepared)
    untrained = yield from _measured(looked_at)
    points: list[sweep.Point] = []
    seed, diverged = prepared.config.training.seed, False
    plan = batches.plan(prepared.items, prepared.batch_size, seed, 1)
    for step, samples in zip(range(1, sweep.STEPS + 1), plan, strict=False):
        if control.stop.is_set():
            return
        left = (time.monotonic() - began) / step * (sweep.STEPS - step)
        yield Progress(phase="Trying rates", done=step, total=sweep.STEPS, seconds_left=left)
        rate = sweep.rate_of(step, usual)
        try:
            yield from loop.taken(prepared, samples, step, rate / own)
        except DivergedError:
            diverged = True
            break
        if step % sweep.EVERY:
            continue
        point = sweep.Point(rate, (yield from _measured(looked_at)))
        if diverged := sweep.diverges(point.loss, sum(untrained) / len(untrained)):
            break
        points.append(point)
        yield RateTried(rate=rate, loss=point.loss)
    yield _found(prepared.config, untrained, points, diverged=diverged)


def _found(
    config: RunConfig,
    untrained: list[float],
    points: list[sweep.Point],
    *,
    diverged: bool,
) -> RateFound:
    said = sweep.proposed(untrained, points, diverged=diverged)
    training = config.training
    text_rate = training.text_encoder_learning_rate * said.rate / training.learning_rate
    return RateFound(
        rate=said.rate,
        text_encoder_rate=round(text_rate, RATE_DIGITS),
        least=said.least,
        most=said.most,
        words=said.words,
        smoothed=sweep.smoothed([point.loss for point in points]),
    )


def _looked_at(prepared: Prepared) -> Prepared:
    """The pictures held out, or some of all, from all over the dataset.

    Those that are learnt from will do: in so few steps nothing is learnt by heart, and they are
    noised otherwise.
    """
    there = prepared.held_out or prepared.own
    spread = max(1, len(there) // PICTURES)
    return dataclasses.replace(prepared, held_out=there[::spread][:PICTURES])


def accepted(config: RunConfig, found: RateFound) -> RunConfig:
    """The settings with the rate that was found; a text encoder's goes with it."""
    training = replace(
        config.training,
        learning_rate=found.rate,
        text_encoder_learning_rate=found.text_encoder_rate,
    )
    return replace(config, training=training)
