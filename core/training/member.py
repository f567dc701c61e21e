"""A process that computes its share of each step of a run that another one trains."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from core.data import batches
from core.errors import ProcessLostError, RunError, full_memory
from core.families.device import let_go
from core.project.layout import Project
from core.protocol.events import Event, Finished, Progress
from core.training import link as links
from core.training import loop, setup
from core.training.orders import (
    OPEN,
    READY,
    STOP,
    Done,
    Order,
    Ready,
    Said,
    Then,
    done_of,
    gradients,
    here_of,
    order_of,
    put_values,
    then_of,
    values,
)
from core.training.step import accumulated
from core.training.team import check_devices, threads_shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.data.batches import Draw
    from core.protocol.commands import ShareJob
    from core.training.control import Control
    from core.training.link import Link
    from core.training.setup import Prepared


def share(job: ShareJob, control: Control) -> Iterator[Event]:
    """Take part until the process that trains says that all is over, or is gone.

    Raises:
        ProcessLostError: It is gone.
        RunError: This machine has other pictures, another base, or no device for it.
        UserError: As for a run that is trained.
    """
    check_devices(job.here)
    if torch.cuda.is_available():
        torch.cuda.set_device(job.device)
    yield Progress(phase=f"Looking for the process that trains at {job.host}:{job.port}")
    stores = [links.calling(job.host, job.port, control.stop.is_set) for _ in range(2)]
    if stores[0] is None or stores[1] is None:
        yield Finished(stopped=True)
        return
    link, signs = links.Link(stores[0], job.number, job.of), stores[1]
    with (
        links.beating(signs, job.number, control.stop.set),
        threads_shared(job.here),
        _naming_the_end(),
    ):
        try:
            yield from _taking_part(job, link, control)
        finally:
            link.close()


def _taking_part(job: ShareJob, link: Link, control: Control) -> Iterator[Event]:
    yield Progress(phase="Waiting for the process that trains")
    if not link.wait([READY], control.stop.is_set):
        link.say(STOP, Said())
        yield Finished(stopped=True)
        return
    ready = link.heard(READY, Ready)
    prepared = yield from setup.prepare(Project(Path(job.project)), ready.config, control)
    if prepared is None:
        link.say(STOP, Said())
        yield Finished(stopped=True)
        return
    _check_alike(ready, prepared)
    if ready.config.training.compile:
        from core.training import compiling  # seldom wished for

        yield from compiling.tried(prepared, 1, job.of)
    link.say(here_of(0, job.number), Said())
    if not link.wait([OPEN], lambda: _over(link, control)):
        yield Finished(stopped=True)
        return
    link.open_for(prepared.model.device)
    draws = _Draws(prepared)
    number = 1
    while (order := _next(link, number, control)).step:
        link.say(here_of(number, job.number), Said())
        parameters = list(prepared.trainable.parameters.values())
        put_values(parameters, link.from_first(values(parameters)))
        done = _computed(prepared, draws.of(order.step).share(job.number, job.of), order, link)
        link.say(done_of(number, job.number), done)
        link.wait([then_of(number)])
        if link.heard(then_of(number), Then).sums:
            link.summed(gradients(parameters))
        yield Progress(phase="Sharing steps", done=order.step, total=prepared.config.training.steps)
        number += 1
    yield Finished()


def _next(link: Link, number: int, control: Control) -> Order:
    """The next order, however long it takes: pictures may be drawn meanwhile."""
    told = False

    def look() -> bool:
        nonlocal told
        if control.stop.is_set() and not told:  # all stop together, after a checkpoint
            link.say(STOP, Said())
            told = True
        return False

    look()
    link.wait([order_of(number)], look)
    return link.heard(order_of(number), Order)


def _over(link: Link, control: Control) -> bool:
    """Whether all ended before the first step, or it is asked for here."""
    if control.stop.is_set():
        link.say(STOP, Said())
    return link.there(order_of(1))


class _Draws:
    """The draws of steps; those that follow one another cost no new plan."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._next = 0

    def of(self, step: int) -> Draw:
        """All of a step's draw."""
        prepared = self._prepared
        config = prepared.config
        if step == self._next - 1:  # again, in smaller parts
            return self._draw
        if step != self._next:
            size, seed = prepared.batch_size, config.training.seed
            self._plan = batches.plan(prepared.items, size, seed, step)
        self._draw = batches.draw(
            prepared.items,
            next(self._plan),
            config,
            step=step,
            batch_size=prepared.batch_size,
        )
        self._next = step + 1
        return self._draw


def _computed(prepared: Prepared, mine: Draw, order: Order, link: Link) -> Done:
    """Have the gradient of a share."""
    seed = prepared.config.training.seed
    purpose = f"dropout of process {link.number}"
    loop.made_ready(prepared, batches.step_seed(seed, order.step, purpose))
    if order.anew:
        prepared.denoiser.enable_gradient_checkpointing()
    prepared.trainable.optimizer.zero_grad(set_to_none=True)
    try:
        total = accumulated(
            loop.losses_of(prepared),
            mine,
            lambda loss: loss * order.scale,
            at_once=order.at_once,
        )
        return Done(total=total if math.isfinite(total) else None)
    except Exception as error:
        if not full_memory(error):
            raise
    # outside of `except`: its traceback would hold on to the memory that is missing
    let_go()
    return Done(total=None, full=True)


def _check_alike(ready: Ready, prepared: Prepared) -> None:
    """Whether all processes compute the same.

    Raises:
        RunError: They do not.
    """
    for what, theirs, ours in (
        ("pictures and captions here are", ready.dataset, prepared.dataset_key),
        ("base model here is", ready.base, dict(prepared.model.keys)),
        ("way of encoding pictures here is", ready.config.training.vae_tiles, prepared.model.tiles),
    ):
        if theirs != ours:
            raise RunError(
                f"The {what} not what the process that trains has.",
                hint="Have the project and the base in a folder that all machines reach.",
            )
    ours = str(prepared.model.place.compute)
    if ready.compute != ours:
        raise RunError(
            f"This process would compute in {ours}, the one that trains in {ready.compute}.",
            hint="Set training.precision to one that both have.",
        )


@contextlib.contextmanager
def _naming_the_end() -> Iterator[None]:
    try:
        yield
    except links.BrokenLinkError as error:
        raise ProcessLostError(
            f"The process that trains is gone: {error}", hint="Resume the run there."
        ) from error
