"""The training loop: a generator of events that knows no pipe, window or progress bar."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

import torch

from core.adapters import injection
from core.data import batches
from core.errors import ProcessLostError, full_memory
from core.families.device import let_go
from core.protocol.events import CheckpointSaved, Event, StepDone, Warned
from core.training import checkpoint, heldout, lr, preview
from core.training.offload import offloaded
from core.training.step import StepResult, accumulated, denoising_losses, set_rate, train_step

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

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
    waiting = list(untrained)
    for step, samples in zip(range(first_step, config.steps + 1), plan, strict=False):
        began = time.monotonic()
        try:
            done, rate = yield from taken(prepared, samples, step)
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


def all_ready(prepared: Prepared, first_step: int) -> Generator[Event, None, None]:
    """What comes right before the first step: other processes, and compiling.

    Raises:
        ProcessLostError: One of the processes is gone, or found other files.
    """
    team = prepared.team
    if team is not None:
        yield from team.tell(prepared)
    if prepared.config.training.compile:
        from core.training import compiling  # seldom wished for

        yield from compiling.tried(prepared, first_step, prepared.processes)
    if team is not None:
        yield from team.joined(prepared)


def taken(
    prepared: Prepared, samples: Sequence[Sample], step: int, factor: float | None = None
) -> Generator[Event, None, tuple[StepResult, float]]:
    """One step, as the plan has it, and the rate.

    Rates are multiplied with `factor`, by default with what the schedule says.

    Raises:
        DivergedError: The loss or a gradient is no finite number.
        MemoryFullError: Not even one picture at a time fits.
    """
    config = prepared.config
    factor = lr.factor(config.training, step) if factor is None else factor
    rate = set_rate(prepared.trainable.optimizer, factor, step)
    draw = batches.draw(prepared.items, samples, config, step=step, batch_size=prepared.batch_size)
    return (yield from _fitting_step(prepared, draw, step)), rate


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
        yield (yield from heldout.measure(run, prepared, 0, ()))
        before = heldout.told(run)
    event = yield from heldout.measure(run, prepared, step, before)
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


def _fitting_step(prepared: Prepared, draw: Draw, step: int) -> Generator[Event, None, StepResult]:
    """One step with as much in the memory as fits; the step itself stays the same."""
    denoiser = prepared.denoiser

    def tried() -> Generator[Event, None, StepResult]:
        return prepared.at_once.fitting(
            prepared.share_of(len(draw.latents)),
            lambda at_once: one_step(prepared, draw, step, at_once),
            "The memory is too small for the whole batch: {} of its pictures are taken at a time. "
            "What is learnt is the same; lower the resolution to be faster.",
        )

    try:
        return (yield from tried())
    except (RuntimeError, MemoryError) as error:
        if denoiser.is_gradient_checkpointing or not full_memory(error):
            raise
    let_go()
    denoiser.enable_gradient_checkpointing()
    yield Warned(
        message="The memory is too small for one picture: layers are computed anew on the way back "
        "from here on. What is learnt is the same; training.recompute does so from the start."
    )
    return (yield from tried())


def _kept(prepared: Prepared) -> AbstractContextManager[None]:
    """Where what a step keeps lies; on a CPU there is but one memory."""
    place = prepared.model.place
    if not prepared.config.training.offload_activations or place.kind != "cuda":
        return contextlib.nullcontext()
    return offloaded([prepared.denoiser, *prepared.nets.values()], place)


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
        with model.place.autocast(), _kept(prepared):
            return denoising_losses(
                model, part, prepared.conditions, config, lambda: injection.off(prepared.nets)
            )

    return of


def made_ready(prepared: Prepared, seed: int) -> None:
    """Let the nets compute as a step wants them, with the dropout of this seed."""
    torch.manual_seed(seed)
    injection.train_mode(prepared.nets, on=True)
