"""Masks: what of a picture is to be learnt from, white, and what is not, black; free of torch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from PIL import Image

from core.data.decode import UNREADABLE, as_seen, open_picture, turned
from core.data.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from core.config.options import DatasetConfig
    from core.data.examine import Picture

ENDINGS = (
    "-masklabel",
    "-condlabel",
)  # of files beside a picture; the first is a mask (OneTrainer)


def name_of(picture: str) -> str:
    """What the mask of a picture is called, by its name."""
    return f"{picture.rpartition('.')[0]}{ENDINGS[0]}.png"


def place(picture: Path) -> Path:
    """Where a picture's mask is, or would be."""
    return picture.with_name(name_of(picture.name))


def mask_file(picture: Path) -> Path | None:
    """The mask beside a picture, if there is one."""
    file = place(picture)
    return file if os.path.exists(file) else None  # noqa: PTH110 - see `captions.caption_file`


def source(picture: Path, config: DatasetConfig) -> Path | None:
    """The file that says where a picture counts; None where all of it does."""
    match config.masks:
        case "none":
            return None
        case "files":
            return mask_file(picture)
        case "alpha":
            return picture


def unheeded(pictures: Iterable[Picture], config: DatasetConfig) -> list[Finding]:
    """Pictures whose masks a run would not heed."""
    if config.masks == "files":
        return []
    said = "It has a mask, which a run does not heed."
    hint = 'Set dataset.masks to "files", if it is to be learnt only where its mask is white.'
    return [Finding(one.path, said, hint, usable=True) for one in pictures if one.masked]


def opened(file: Path, kind: str) -> Image.Image:
    """A mask, 8-bit grey, as large as its file; of `kind` alpha, how opaque a picture is.

    Raises:
        OSError: The file is gone or damaged.
    """
    try:
        with open_picture(file) as image:
            if kind == "alpha":
                seen = turned(image)
                clear = seen.convert("RGBA") if seen.has_transparency_data else None
                return clear.getchannel("A") if clear else Image.new("L", seen.size, 255)
            return as_seen(image).convert("L")
    except OSError:
        raise
    except UNREADABLE as error:
        raise OSError(str(error)) from error
