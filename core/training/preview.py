"""Previews: the same prompts and seeds at every step, and the untrained model's."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING

from PIL import PngImagePlugin

from core.adapters import injection
from core.config.files import write_beside
from core.data import buckets, pixels
from core.errors import MemoryFullError, full_memory
from core.families.device import let_go
from core.families.family import DrawOptions, Prompts
from core.protocol.events import Event, PreviewReady, Progress, Warned

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from core.config.options import PreviewConfig
    from core.project.layout import Run
    from core.training.clock import Clock
    from core.training.control import Control
    from core.training.setup import Prepared

_NO_ROOM = (
    "The previews of step {step:,} were not drawn: the memory is full. The run goes on; close "
    "other programs, or resume it at its end to have its last previews drawn."
)
TOGETHER = 4  # in one pass on a GPU: more cost memory
UNTRAINED = 0  # the step of the pictures that are drawn without the adapter


def edge_px(resolution_px: int, multiple_px: int) -> int:
    """The largest edge up to `resolution_px` that the net can draw."""
    return max(multiple_px, resolution_px // multiple_px * multiple_px)


def options(preview: PreviewConfig, resolution_px: int, multiple_px: int) -> DrawOptions:
    """Square pictures of the run's resolution, rounded down to what the net can draw."""
    edge = edge_px(resolution_px, multiple_px)
    return DrawOptions(
        width_px=edge,
        height_px=edge,
        inference_steps=preview.inference_steps,
        guidance=preview.guidance,
        guidance_rescale=preview.guidance_rescale,
    )


def write_png(path: Path, picture: Tensor, said: dict[str, str]) -> None:
    """A picture (3, H, W), -1 to 1, as PNG; `said` goes into its text entries.

    Raises:
        StorageError: It cannot be written.
    """
    info = PngImagePlugin.PngInfo()
    for name, value in said.items():
        info.add_text(name, value)
    content = io.BytesIO()
    pixels.to_image(picture).save(content, "PNG", pnginfo=info)
    write_beside(path, content.getvalue())


def draw(
    run: Run,
    prepared: Prepared,
    control: Control,
    clock: Clock,
    step: int,
    parts: Sequence[range] | None = None,
) -> Generator[Event, None, None]:
    """Draw prompts with the adapter as it is after `step`; step 0 is without it.

    Asked to stop, it ends within one pass through the net. `parts` are of `parts_of`; all by
    default.
    """
    config, total = prepared.config.preview, len(prepared.config.preview.prompts)
    chosen = options(config, prepared.config.dataset.resolution_px, prepared.model.multiple_px)
    for part in parts_of(prepared) if parts is None else parts:
        left = clock.left(step)
        yield Progress(phase="Drawing previews", done=part[0], total=total, seconds_left=left)
        began = time.monotonic()
        prompts, seeds = [config.prompts[i] for i in part], [config.seed + i for i in part]
        drawn: list[Tensor] = []
        try:
            with _stopping(prepared, control):
                drawn = yield from _fitting(
                    prepared, prompts, seeds, chosen, untrained=step == UNTRAINED
                )
        except (RuntimeError, MemoryError, MemoryFullError) as error:
            if not full_memory(error):
                raise
        if control.stop.is_set():
            return
        if not drawn:
            let_go()
            yield Warned(message=_NO_ROOM.format(step=step))
            return
        clock.pictures_took(time.monotonic() - began, len(part), step)
        for index, prompt, seed, picture in zip(part, prompts, seeds, drawn, strict=True):
            path = run.preview_file(step, index)
            write_png(path, picture, {"prompt": prompt, "seed": str(seed), "step": str(step)})
            yield PreviewReady(step=step, index=index, prompt=prompt, seed=seed, path=str(path))


def _fitting(
    prepared: Prepared,
    prompts: Sequence[str],
    seeds: Sequence[int],
    chosen: DrawOptions,
    *,
    untrained: bool,
) -> Generator[Event, None, list[Tensor]]:
    """As `pictures`, in as many passes as the memory wants."""
    drawn: list[Tensor] = []

    def on(at_once: int) -> list[Tensor]:
        while len(drawn) < len(prompts):
            some = slice(len(drawn), len(drawn) + at_once)
            drawn.extend(
                pictures(prepared, prompts[some], seeds[some], chosen, untrained=untrained)
            )
        return drawn

    return (
        yield from prepared.drawn_at_once.fitting(
            len(prompts), on, "The memory is too small for the previews of one pass: {} at a time."
        )
    )


def pictures(
    prepared: Prepared,
    prompts: Sequence[str],
    seeds: Sequence[int],
    chosen: DrawOptions,
    *,
    untrained: bool,
) -> list[Tensor]:
    """Pictures (3, H, W), -1 to 1, of prompts in one pass, as the adapter is now or without it."""
    with _ready_to_draw(prepared, untrained=untrained):
        empty, *each = prepared.conditions.each(["", *prompts])
        return prepared.model.family.draw(prepared.model, Prompts(each, empty), seeds, chosen)


def parts_of(prepared: Prepared) -> list[range]:
    """The prompts that are drawn in one pass: always the same ones, so that a pass is repeatable.

    On a CPU one by one: several gain little there, and come late.
    """
    total = len(prepared.config.preview.prompts)
    size = 1 if prepared.model.place.kind == "cpu" else TOGETHER
    return [range(start, min(start + size, total)) for start in range(0, total, size)]


@contextlib.contextmanager
def _ready_to_draw(prepared: Prepared, *, untrained: bool) -> Iterator[None]:
    """What is exported, without dropout; for a picture of the base no adapter at all."""
    injection.train_mode(prepared.nets, on=False)
    what = injection.off(prepared.nets) if untrained else prepared.trainable.learnt()
    with what, prepared.uncompiled():
        yield


class _StoppedError(Exception):
    """Ends a drawing that nobody waits for."""


@contextlib.contextmanager
def _stopping(prepared: Prepared, control: Control) -> Iterator[None]:
    """Look at Stop before every pass of the denoiser; one that it ends, ends quietly."""

    def look(*_: object) -> None:
        if control.stop.is_set():
            raise _StoppedError

    hook = prepared.denoiser.register_forward_pre_hook(look)
    try:
        with contextlib.suppress(_StoppedError):
            yield
    finally:
        hook.remove()


def read_back(run: Run, prepared: Prepared, step: int) -> list[Tensor]:
    """The previews of `step`, (3, H, W) each."""
    indices = range(len(prepared.config.preview.prompts))
    paths = [run.preview_file(step, index) for index in indices]
    return [pixels.to_tensor(pixels.open_rgb(path)) for path in paths if path.exists()]


def size_of(prepared: Prepared) -> buckets.Size:
    """The size of this run's previews, px."""
    config = prepared.config
    chosen = options(config.preview, config.dataset.resolution_px, prepared.model.multiple_px)
    return buckets.Size(chosen.width_px, chosen.height_px)
