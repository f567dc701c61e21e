"""The training loop: a generator of events that knows no pipe, window or progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

import torch

from core.adapters import injection
from core.data import batches
from core.errors import ProcessLostError, full_memory
from core.protocol.events import CheckpointSaved, Event, StepDone, Warned
from core.training import checkpoint, heldout, lr, preview
from core.training.step import StepResult, accumulated, denoising_losses, set_rate, train_step

if TYPE_CHECKING:
    from core.data.batches import Draw, Sample
    from core.project.layout import Run
    from core.training.clock import Clock
    from core.training.control import Control
    from core.training.setup import Prepared


def steps(
    run: Run,
    prepared: Prepared,
    control: Control,
    first_step: int,
    clock: Clock,
    untrained: Sequence[range] = (),
) -> Generator[Event, None, int]:
    """Train from `first_step` to the end or until asked to stop; returns the last step done.

    `untrained` are the previews of the base alone that are still to be drawn: one part of them
    after each step, so that the first step does not wait for them.

    When it returns, that step has a checkpoint. When it raises, the newest checkpoint is the last
    good one: nothing is saved of a step that failed.

    Raises:
        DivergedError: The loss or a gradient is no finite number.
        MemoryFullError: Not even one picture at a time fits.
        ProcessLostError: One of several processes is gone; what was learnt so far is saved.
        StorageError: A preview or checkpoint cannot be written.
    """
    config, every = prepared.config.training, prepared.config.preview.every
    plan = batches.plan(prepared.items, prepared.batch_size, config.seed, first_step)
    at_once, waiting = prepared.at_once, list(untrained)
    for step, samples in zip(range(first_step, config.steps + 1), plan, strict=False):
        began = time.monotonic()
        try:
            done, rate, at_once = yield from taken(prepared, samples, step, at_once)
        except ProcessLostError:  # what there is is that of the last whole step
            if step > first_step:
                folder = checkpoint.save(run, prepared, step - 1, planned=False)
                yield CheckpointSaved(step=step - 1, path=str(folder))
            raise
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
        yield from _measured(run, prepared, control, clock, step)
        now = waiting if step == config.steps else waiting[:1]
        yield from preview.draw(run, prepared, control, clock, preview.UNTRAINED, now)
        waiting = waiting[len(now) :]
        draws = step == config.steps or control.taken(control.preview) or due(step, every)
        planned = draws or due(step, config.checkpoint_every)
        saves = planned or control.stop.is_set() or clock.save_due()
        if saves:  # before the drawing, which may take minutes in which a run can die
            began = time.monotonic()
            folder = checkpoint.save(run, prepared, step, planned=planned)
            yield CheckpointSaved(step=step, path=str(folder))
            clock.save_took(time.monotonic() - began)
        if draws:
            yield from preview.draw(run, prepared, control, clock, step)
        if saves and control.stop.is_set():
            return step
    return config.steps


def taken(
    prepared: Prepared, samples: Sequence[Sample], step: int, at_once: int
) -> Generator[Event, None, tuple[StepResult, float, int]]:
    """One step, as the plan has it; also the rate, and how many pictures fitted the memory.

    Raises:
        DivergedError: The loss or a gradient is no finite number.
        MemoryFullError: Not even one picture at a time fits.
    """
    config = prepared.config
    rate = set_rate(prepared.trainable.optimizer, lr.factor(config.training, step), step)
    draw = batches.draw(prepared.items, samples, config, step=step, batch_size=prepared.batch_size)
    done, at_once = yield from _fitting_step(prepared, draw, step, at_once)
    return done, rate, at_once


def _measured(
    run: Run, prepared: Prepared, control: Control, clock: Clock, step: int
) -> Generator[Event, None, None]:
    """Look at the pictures held out, if it is time; stop, if nothing better comes of it."""
    config = prepared.config.training
    if not prepared.held_out or not (step == config.steps or due(step, config.measure_every)):
        return
    began = time.monotonic()
    before = heldout.told(run)
    if not before:  # not before the first step, which a person waits for
        yield heldout.measure(run, prepared, 0, ())
        before = heldout.told(run)
    event = heldout.measure(run, prepared, step, before)
    clock.measuring_took(time.monotonic() - began)
    yield event
    since = sum(other.step > event.best_step for other in [*before, event])
    if config.patience and since >= config.patience and step < config.steps:
        yield Warned(
            message=f"Stopped at step {step:,}: none of {since} measurements was better than that "
            f"of step {event.best_step:,} (training.patience)."
        )
        control.stop.set()


def due(step: int, every: int) -> bool:
    """Whether something comes after `step` that comes every so often; 0 is never."""
    return every > 0 and step % every == 0


def _fitting_step(
    prepared: Prepared, draw: Draw, step: int, at_once: int
) -> Generator[Event, None, tuple[StepResult, int]]:
    """One step with as many pictures in the memory as fit; the step itself stays the same."""
    while True:
        try:
            return one_step(prepared, draw, step, at_once), at_once
        except (RuntimeError, MemoryError) as error:
            if at_once == 1 or not full_memory(error):
                raise
        # outside of `except`: its traceback would hold on to the memory that is missing
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        at_once = (at_once + 1) // 2
        yield Warned(
            message=f"The memory is too small for the whole batch: {at_once} of its pictures are "
            "taken at a time. What is learnt is the same; lower the resolution to be faster."
        )


def one_step(prepared: Prepared, draw: Draw, step: int, at_once: int) -> StepResult:
    """A whole step on what was drawn for it."""
    config, team = prepared.config.training, prepared.team
    made_ready(prepared, batches.step_seed(config.seed, step, "dropout"))
    result = train_step(
        losses_of(prepared),
        draw,
        prepared.trainable,
        at_once=at_once,
        step=step,
        accumulate=accumulated if team is None else team.takes(prepared, step),
    )
    if config.max_weight_norm:
        injection.cap(prepared.nets, config.max_weight_norm)
    if average := prepared.trainable.average:
        average.add(prepared.trainable.parameters, step)
    return result


def losses_of(prepared: Prepared) -> Callable[[Draw], torch.Tensor]:
    """The losses of a part of a draw, with the adapter as it is."""
    config, model = prepared.config.training, prepared.model

    def of(part: Draw) -> torch.Tensor:
        with model.place.autocast():
            return denoising_losses(
                model, part, prepared.conditions, config, lambda: injection.off(prepared.nets)
            )

    return of


def made_ready(prepared: Prepared, seed: int) -> None:
    """Let the nets compute as a step wants them, with the dropout of this seed."""
    torch.manual_seed(seed)
    injection.train_mode(prepared.nets, on=True)
