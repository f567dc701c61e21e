"""A run's pictures: read, looked over, and encoded once."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.data import buckets, captions, pixels
from core.data.batches import Item
from core.data.findings import lines
from core.data.fit import fit_findings
from core.data.scan import Dataset, Finding, Picture, dataset_of, examine, walk
from core.errors import DatasetError
from core.hashing import file_hash, key_of
from core.protocol.events import Event, Progress, Warned

if TYPE_CHECKING:
    from torch import Tensor

    from core.config.options import RunConfig
    from core.data.cache import Cache
    from core.families.family import Model
    from core.training.control import Control


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture on the disk, and a name for its content."""

    path: Path
    content: str

    @property
    def key(self) -> str:
        """For caches: the same bytes, read in the same way."""
        return key_of(self.content, pixels.RECIPE)


def read(folders: list[Path], control: Control) -> Generator[Event, None, Dataset]:
    """The dataset, whole unless asked to stop, and what is to be said of it.

    Raises:
        DatasetError: No usable picture.
    """
    there = walk(folders)
    found: list[Picture | Finding] = []
    for number, path in enumerate(there.pictures):
        yield Progress(phase="Reading the pictures", done=number, total=len(there.pictures))
        if control.stop.is_set():
            return dataset_of(found)
        found.append(examine(path))
    dataset = dataset_of(found, there.findings)
    yield from _warnings(dataset.findings)
    _check_not_empty(dataset, folders)
    return dataset


def _warnings(findings: Sequence[Finding]) -> Generator[Event, None, None]:
    for line in lines(findings):
        yield Warned(message=line)


def _check_not_empty(dataset: Dataset, folders: list[Path]) -> None:
    if dataset.pictures:
        return
    where = ", ".join(str(folder) for folder in folders)
    unusable = sum(not finding.usable for finding in dataset.findings)
    left_out = f" {unusable} could not be used." if unusable else ""
    raise DatasetError(
        f"There is no picture to train on in {where}.{left_out}",
        hint="Drop pictures on the Dataset page, or copy them into that folder.",
    )


def encode(
    dataset: Dataset, model: Model, config: RunConfig, cache: Cache, control: Control
) -> Generator[Event, None, list[Item]]:
    """The pictures' latents, from the cache where they are there; some, if asked to stop.

    Raises:
        DatasetError: Not one of them could be read any more.
    """
    encoder = model.only(model.family.picture_parts)
    sizes = buckets.sizes(config.dataset.resolution_px, model.multiple_px)
    yield from _warnings(
        fit_findings(dataset.pictures, config.dataset.resolution_px, model.multiple_px)
    )
    items: list[Item] = []
    total = len(dataset.pictures)
    for number, picture in enumerate(dataset.pictures, start=1):
        if control.stop.is_set():
            break
        size = buckets.Size(picture.width_px, picture.height_px)
        bucket = buckets.nearest(size, sizes)
        caption = captions.for_training(picture.caption, config.dataset.trigger)
        try:
            file = PictureFile(picture.path, file_hash(picture.path))
            made = cache.get(latents_of, model=encoder, picture=file, bucket=bucket)
        except OSError as error:  # it was whole a moment ago
            yield Warned(
                message=f"{picture.path.name} was left out: {error}", path=str(picture.path)
            )
            continue
        frame = buckets.frame(size, bucket)
        items.append(Item(file.content, frame, caption, made["mean"], made["std"], picture.path))
        yield Progress(phase="Encoding the pictures", done=number, total=total)
    if not items and not control.stop.is_set():
        raise DatasetError(
            f"None of the {total} pictures could be read any more.",
            hint="Check that the disk they are on is still there.",
        )
    return items


def latents_of(model: Model, picture: PictureFile, bucket: buckets.Size) -> dict[str, Tensor]:
    """Mean and deviation of one picture's latents, (C, h, w) each.

    Raises:
        OSError: The picture is gone or damaged.
    """
    image = pixels.fitted(pixels.open_rgb(picture.path), bucket)
    mean, std = model.family.encode_picture(model, pixels.to_tensor(image)[None])
    return {"mean": mean[0], "std": std[0]}


def long_captions(texts: Sequence[str], model: Model) -> str:
    """One line on captions that are not read at once; "" where there are none."""
    encoders = model.family.text_encoders.values()
    counts = [
        max((e.tokens(model, text) for e in encoders if e.tokens), key=lambda c: c[0] / c[1])
        for text in texts
    ]
    over = sum(used > limit for used, limit in counts)
    longest, limit = max(counts, default=(0, 0))
    if not over:
        return ""
    said = (
        f"{over} of {len(texts)} captions are longer than {limit} tokens, the longest has "
        f"{longest}."
    )
    if any(encoder.cuts for encoder in encoders):
        return (
            f"{said} What comes after is not read: shorten them, or have the style's words first."
        )
    return f"{said} They are read in parts of {limit}, as ComfyUI, Forge and A1111 read them."


def no_previews(config: RunConfig, texts: Sequence[str]) -> str:
    """One line where there is nothing to draw previews of; "" where there is."""
    if config.preview.prompts or any(texts):
        return ""
    return "There are neither prompts nor captions, so no previews are drawn."
