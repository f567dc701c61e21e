"""Opens pictures of every format and depth that a person may have; free of torch."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

# What Pillow raises for a file that is gone, damaged, no picture, or too large; the last three for
# a TIFF with odd EXIF entries.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    RuntimeError,
    Image.DecompressionBombError,
    struct.error,
    TypeError,
    AttributeError,
)
_SIXTEEN_BIT_MAX = 65535
_TURNS = {  # by the value of EXIF's orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_picture(path: Path) -> Image.Image:
    """As `Image.open`, HEIC too."""
    _teach_pillow_heic()
    return Image.open(path)


@cache
def _teach_pillow_heic() -> None:
    from pi_heif import register_heif_opener  # where a picture is first opened: it takes a while

    register_heif_opener()


def turned(image: Image.Image) -> Image.Image:
    """`image` as its EXIF entry says it is to be seen.

    Pillow's own `exif_transpose` writes the other entries anew and fails on odd ones.
    """
    image.load()  # a TIFF turns itself here, and forgets the entry
    turn = _TURNS.get(orientation(image))
    return image if turn is None else image.transpose(turn)


def orientation(image: Image.Image) -> int:
    """EXIF's value, 1 to 8; 1 is upright."""
    return image.getexif().get(0x0112, 1)


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
