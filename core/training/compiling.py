"""torch.compile as an option: the denoiser's blocks, each kind once, and whether it pays.

What is compiled is a function of the shapes alone (no shape is left open), so that a resumed run
computes what the whole one does. Only steps are: previews and pictures held out are drawn by the
blocks as they are, since each size would be compiled anew.
"""

from __future__ import annotations

import math
import time
import warnings
from typing import TYPE_CHECKING, Any

from core.data import batches
from core.errors import full_memory
from core.protocol.events import Progress, Warned
from core.training import loop
from core.training.step import accumulated

if TYPE_CHECKING:
    from collections.abc import Generator

    from core.data.batches import Draw
    from core.protocol.events import Event
    from core.training.setup import Prepared

BACKEND = "inductor"
_SHAPES = 1024  # of a block that are compiled: past it torch would go on uncompiled without a word


def tried(prepared: Prepared, step: int, processes: int) -> Generator[Event, None, None]:
    """Compile, and take the gradient of a process's share of `step` with and without: does it pay?

    The gradient is thrown away. Where nothing can be compiled the run goes on as it is.
    """
    yield Progress(phase="Compiling the model")
    draw = _share(prepared, step, processes)
    try:
        plain = min(_seconds(prepared, draw, step) for _ in range(2))
        made_ready(prepared)
        first = _seconds(prepared, draw, step)
        then = min(_seconds(prepared, draw, step) for _ in range(2))
    except (RuntimeError, MemoryError) as error:
        if full_memory(error):
            made_ready(prepared)
            yield Warned(message="Whether compiling pays is not known: the memory is too small.")
            return  # the first step finds out how much of it fits
        for block in blocks(prepared):
            block._compiled_call_impl = None  # torch has no other way back
        reason = next(filter(None, str(error).splitlines()), type(error).__name__)
        yield Warned(
            message=f"The model cannot be compiled here, and is trained as it is: {reason} "
            "Compiling needs a C++ compiler, on a GPU Triton (training.compile)."
        )
        return
    yield Warned(message=verdict(plain, then, first - then, _left(prepared, step)))


def verdict(plain: float, then: float, took: float, left: int) -> str:
    """Whether it pays, in words.

    Args:
        plain: Seconds of a step's gradient as it is.
        then: The same compiled.
        took: Seconds that compiling took.
        left: Steps of the run.
    """
    said = (
        f"Compiling took {took:.3g} s; a step then computes for {then:.3g} s, and for {plain:.3g} "
        "s without."
    )
    if then >= plain:
        return f"{said} It does not pay here: set training.compile to false."
    steps = math.ceil(max(0.0, took) / (plain - then))
    if steps > left:
        return f"{said} It would pay after {steps:,} steps, and this run has {left:,}."
    return f"{said} It pays after {steps:,} steps."


def made_ready(prepared: Prepared) -> None:
    """Let each block be compiled when it is first called."""
    import torch._dynamo.config as dynamo  # which takes a second to import

    # dynamo looks at tensors' gradients, and torch warns of it
    warnings.filterwarnings("ignore", "The .grad attribute of a Tensor", UserWarning)
    dynamo.recompile_limit = dynamo.accumulated_recompile_limit = _SHAPES
    for block in blocks(prepared):
        block.compile(backend=BACKEND, dynamic=False)


def blocks(prepared: Prepared) -> list[Any]:
    """What a denoiser repeats, as diffusers names it."""
    net = prepared.denoiser
    names = net._repeated_blocks or net._no_split_modules  # SD 3 has the latter alone
    return [module for module in net.modules() if type(module).__name__ in names]


def _share(prepared: Prepared, step: int, processes: int) -> Draw:
    config, size = prepared.config, prepared.batch_size
    samples = next(batches.plan(prepared.items, size, config.training.seed, step))
    draw = batches.draw(prepared.items, samples, config, step=step, batch_size=size)
    return next(draw.parts(math.ceil(len(samples) / processes)))


def _seconds(prepared: Prepared, draw: Draw, step: int) -> float:
    loop.made_ready(prepared, step)
    began = time.perf_counter()
    try:
        accumulated(loop.losses_of(prepared), draw, lambda loss: loss, at_once=len(draw.latents))
        return time.perf_counter() - began
    finally:
        prepared.trainable.optimizer.zero_grad(set_to_none=True)


def _left(prepared: Prepared, step: int) -> int:
    return prepared.config.training.steps - step + 1
