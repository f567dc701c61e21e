"""Previews: the same prompts and seeds at every step, the untrained model first."""

from __future__ import annotations

import io
from collections.abc import Generator
from typing import TYPE_CHECKING

from PIL import PngImagePlugin

from core.adapters import lora
from core.config.files import write_beside
from core.data import buckets, pixels
from core.families.family import DrawOptions
from core.protocol.events import Event, PreviewReady, Progress

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from core.config.options import PreviewConfig, RunConfig
    from core.project.layout import Run
    from core.training.control import Control
    from core.training.setup import Prepared

TOGETHER = 4  # in one pass: more gain nothing on a CPU and cost memory on a GPU


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


def draw(run: Run, prepared: Prepared, control: Control, step: int) -> Generator[Event, None, None]:
    """Draw all prompts with the adapter as it is after `step`, or some, if asked to stop."""
    config = prepared.config.preview
    chosen = options(config, prepared.config.dataset.resolution_px, prepared.model.multiple_px)
    prompts = config.prompts
    lora.train_mode(prepared.nets, on=False)
    for start in range(0, len(prompts), TOGETHER):
        if control.stop.is_set():
            return
        yield Progress(phase="Drawing previews", done=start, total=len(prompts))
        some = prompts[start : start + TOGETHER]
        seeds = [config.seed + start + offset for offset in range(len(some))]
        pictures = prepared.model.family.draw(prepared.model, some, seeds, chosen)
        for offset, picture in enumerate(pictures):
            path = run.preview_file(step, start + offset)
            said = {"prompt": some[offset], "seed": str(seeds[offset]), "step": str(step)}
            write_png(path, picture, said)
            yield PreviewReady(
                step=step,
                index=start + offset,
                prompt=some[offset],
                seed=seeds[offset],
                path=str(path),
            )


def missing(run: Run, config: RunConfig, step: int, *, due: bool) -> bool:
    """Whether previews of `step` should be there and are not, or only some of them.

    A run that died between a checkpoint and its previews draws them when it goes on.
    """
    there = [run.preview_file(step, i).exists() for i in range(len(config.preview.prompts))]
    return not all(there) and (due or any(there))


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
