"""Opens pictures of every format and depth that a person may have; free of torch."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

_SIXTEEN_BIT_MAX = 65535


def open_picture(path: Path) -> Image.Image:
    """As `Image.open`, HEIC too."""
    _teach_pillow_heic()
    return Image.open(path)


@cache
def _teach_pillow_heic() -> None:
    from pi_heif import register_heif_opener  # where a picture is first opened: it takes a while

    register_heif_opener()


def eight_bit(image: Image.Image) -> Image.Image:
    """`image` with 8 bits a channel; Pillow itself would cut off all above 255.

    16-bit grey is scaled from its whole range, 32-bit numbers from 0 to their brightest.
    """
    if image.mode.startswith("I;16"):
        return _scaled(image.convert("I"), 255 / _SIXTEEN_BIT_MAX)
    if image.mode in ("I", "F"):
        extrema = image.getextrema()
        brightest = float(max(extrema[1], 0))  # pyright: ignore[reportArgumentType] - one channel
        if image.mode == "I" and brightest <= _SIXTEEN_BIT_MAX:
            brightest = 255.0 if brightest <= 255 else float(_SIXTEEN_BIT_MAX)  # noqa: PLR2004
        return _scaled(image, 255 / brightest if brightest else 1.0)
    return image


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    return image.point(lambda value: value * factor + 0).convert("L")
