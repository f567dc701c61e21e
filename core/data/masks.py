"""Masks: what of a picture is to be learnt from, white, and what is not, black; free of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from core.data.decode import UNREADABLE, as_seen, open_picture, turned

if TYPE_CHECKING:
    from pathlib import Path

    from core.config.options import DatasetConfig

ENDINGS = (
    "-masklabel",
    "-condlabel",
)  # of files beside a picture; the first is a mask (OneTrainer)


def mask_file(picture: Path) -> Path | None:
    """The mask beside a picture, if there is one."""
    file = picture.with_name(f"{picture.stem}{ENDINGS[0]}.png")
    return file if file.exists() else None


def source(picture: Path, config: DatasetConfig) -> Path | None:
    """The file that says where a picture counts; None where all of it does."""
    match config.masks:
        case "none":
            return None
        case "files":
            return mask_file(picture)
        case "alpha":
            return picture


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
