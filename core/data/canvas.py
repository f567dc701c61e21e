"""A picture and its mask, opened to be painted on, and masks as they are written; free of torch."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from core.data import masks, painting
from core.data.decode import FRAMED, UNREADABLE, as_seen, on_white, open_picture, turned
from core.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

    from core.data.painting import Mask, Pixels

MOST_PIXELS = 64_000_000  # each takes four bytes, and one more a step that can be taken back
SEEN_PX = 1200  # a view is about so large
_WHOLE = "Get a whole copy of it, or remove it."


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is painted on; both as large as the picture, turned as a run sees it."""

    pixels: Pixels
    mask: Mask
    smaller: tuple[Pixels, ...] = ()  # half as large, a quarter and so on: what is seen of it


def opened(picture: Path) -> Canvas:
    """A picture with its mask; one that has none is learnt everywhere.

    Raises:
        DatasetError: One of them cannot be read, or is of a kind that is not painted on.
    """
    try:
        with open_picture(picture) as image:
            _check(picture, image)
            seen = on_white(as_seen(image))
            pixels, smaller = np.array(seen), _halves(seen)
    except Image.DecompressionBombError as error:
        raise _too_large(picture) from error
    except UNREADABLE as error:
        raise _unread(picture, error, _WHOLE) from error
    height, width = pixels.shape[:2]
    return Canvas(pixels, _mask_of(picture, width, height), smaller)


def _halves(image: Image.Image) -> tuple[Pixels, ...]:
    halves: list[Pixels] = []
    while max(image.size) > SEEN_PX:
        image = image.reduce(2)
        halves.append(np.array(image))
    return tuple(halves)


def mask_of(picture: Path) -> Mask | None:
    """The mask beside a picture as it is there, in its own size; None where there is none.

    Raises:
        DatasetError: It cannot be read.
    """
    file = masks.mask_file(picture)
    if file is None:
        return None
    try:
        return np.array(masks.opened(file, "files"))
    except OSError as error:
        hint = "Put a whole copy in its place, or move it away; it was left as it is."
        raise _unread(file, error, hint) from error


def _mask_of(picture: Path, width: int, height: int) -> Mask:
    mask = mask_of(picture)
    if mask is None:
        return painting.plain(width, height)
    if mask.shape != (height, width):  # other programs write them smaller, too
        image = Image.fromarray(mask)
        return np.array(image.resize((width, height), Image.Resampling.BILINEAR))
    return mask


def transparency(picture: Path) -> Mask | None:
    """How opaque a picture is, as a mask; None where it is so everywhere.

    Raises:
        DatasetError: It cannot be read, or is of a kind that is not painted on.
    """
    try:
        with open_picture(picture) as image:
            _check(picture, image)
            seen = turned(image)
            if not seen.has_transparency_data:
                return None
            alpha = np.array(seen.convert("RGBA").getchannel("A"))
    except Image.DecompressionBombError as error:
        raise _too_large(picture) from error
    except UNREADABLE as error:
        raise _unread(picture, error, _WHOLE) from error
    return None if painting.learns_all(alpha) else alpha


def content(mask: Mask) -> bytes:
    """A mask as its file holds it: grey PNG, white is learnt."""
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return file.getvalue()


def _check(picture: Path, image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise _too_large(picture)
    frames = getattr(image, "n_frames", 1) if image.format in FRAMED else 1
    if frames > 1:
        raise DatasetError(
            f"{picture.name} has {frames} frames: masks are made for pictures of one.",
            hint="Save the frames that are to be learnt as pictures.",
        )


def _too_large(picture: Path) -> DatasetError:
    return DatasetError(
        f"{picture.name} has more than {MOST_PIXELS // 1_000_000} million pixels: that is "
        "too large to paint on.",
        hint="Save a smaller copy of it.",
    )


def _unread(file: Path, error: Exception, hint: str) -> DatasetError:
    said = getattr(error, "strerror", None) or error
    return DatasetError(f"{file.name} cannot be read ({said}).", hint=hint)
