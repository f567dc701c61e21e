"""Opens pictures of every format and depth that a person may have; free of torch."""

from __future__ import annotations

import contextlib
import re
import struct
import warnings
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

MAX_PIXELS = 150_000_000  # decoding needs 3 bytes each, several times over
# What Pillow raises for a file that is gone, damaged, no picture, or too large; the last four for
# odd entries and numbers in damaged ones.
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
    LookupError,
    ArithmeticError,
)
# Those that Pillow has loaded by then first: the others cost a tenth of a second, once.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "HEIF", "AVIF")
# Of these several frames are shown one after the other, or are pages. Those of others (MPO, HEIF)
# are a telephone's depth or brightness beside its picture.
FRAMED = frozenset({"GIF", "PNG", "WEBP", "TIFF", "AVIF"})
CODES = "h273"  # in a picture's `info`: the numbers of its primaries and its curve, by H.273
# PNG's chunk and AVIF's box, which Pillow passes over; both stand before the pixels.
_CODED = re.compile(rb"\0\0\0\x04cICP(.)(.)|colrnclx\0(.)\0(.)", re.DOTALL)
_HEAD_BYTES = 4096
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
    """As `Image.open`, HEIC too; kinds that no picture of ours has are not tried.

    Some of those start other programs (EPS), whatever the file is called.

    Raises:
        Image.DecompressionBombError: It has more than `MAX_PIXELS`.
        UNREADABLE: See there.
    """
    _prepare_pillow()
    image = Image.open(path, formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise Image.DecompressionBombError(f"more than {MAX_PIXELS} pixels")
    if codes := _codes(image):
        image.info[CODES] = codes
    return image


def _codes(image: Image.Image) -> tuple[int, int] | None:
    """What a file says in numbers of its colours; None for nothing, or for several things."""
    if said := image.info.get("nclx_profile"):  # HEIC's box
        return said["color_primaries"], said["transfer_characteristics"]
    file = getattr(image, "fp", None)
    if image.format not in ("PNG", "AVIF") or file is None:
        return None
    at = file.tell()
    file.seek(0)
    found = {b"".join(groups) for groups in _CODED.findall(file.read(_HEAD_BYTES))}
    file.seek(at)
    if len(found) != 1:
        return None
    primaries, curve = found.pop()
    return primaries, curve


@cache
def _prepare_pillow() -> None:
    """Teach it HEIC and our limits, once a picture is opened: it takes a while."""
    from pi_heif import register_heif_opener
    from PIL import PngImagePlugin

    register_heif_opener()
    # Our own limit holds (see `open_picture`); Pillow's prints warnings above 89 million.
    Image.MAX_IMAGE_PIXELS = None
    # Programs write their whole workflow into a PNG, and some profiles have several MB. Pillow
    # takes more than 1 MB for an attack, and gives the picture up.
    PngImagePlugin.MAX_TEXT_CHUNK = 64 * 2**20
    PngImagePlugin.MAX_TEXT_MEMORY = 256 * 2**20
    # What else Pillow warns of is for who writes such files: odd entries, missing tables.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def open_rgb(path: Path) -> Image.Image:
    """A picture as a person sees it: turned by EXIF, in sRGB, transparency on white, 8-bit RGB.

    Raises:
        OSError: The file is gone or damaged.
    """
    try:
        with open_picture(path) as image:
            return on_white(as_seen(image))
    except OSError:
        raise
    except UNREADABLE as error:
        raise OSError(str(error)) from error


def as_seen(image: Image.Image) -> Image.Image:
    """Turned by EXIF, 8 bits a channel, in sRGB; of its own mode where it was so already."""
    return in_srgb(eight_bit(turned(image)))


def reduced(image: Image.Image, edge_px: int) -> Image.Image:
    """As a person sees it, in RGB, made smaller by a whole number if it is twice `edge_px` or more.

    Far faster than to bring all of a large picture into sRGB.
    """
    seen = eight_bit(turned(image))
    if seen.mode in ("P", "PA", "1"):
        seen = seen.convert("RGBA")  # a palette has no means
    if (times := min(seen.size) // edge_px) > 1:
        seen = seen.reduce(times)
    return on_white(in_srgb(seen))


def in_srgb(image: Image.Image) -> Image.Image:
    """See `core.data.colours.to_srgb`, which is loaded here for the reason of `_prepare_pillow`."""
    from core.data.colours import to_srgb

    return to_srgb(image)


def on_white(image: Image.Image) -> Image.Image:
    """`image` as RGB, on white where it is transparent."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    clear = image.convert("RGBA")
    ground = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(ground, clear).convert("RGB")


def turned(image: Image.Image) -> Image.Image:
    """`image` as its EXIF entry says it is to be seen.

    Pillow's own `exif_transpose` writes the other entries anew and fails on odd ones.
    """
    image.load()  # a TIFF turns itself here, and forgets the entry
    turn = _TURNS.get(orientation(image))
    return image if turn is None else image.transpose(turn)


def orientation(image: Image.Image) -> int:
    """EXIF's value, 1 to 8; 1 is upright, as is a picture whose EXIF is damaged."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would decode all of it, to look for EXIF behind the pixels
    with contextlib.suppress(*UNREADABLE):
        return image.getexif().get(0x0112, 1)
    return 1


def eight_bit(image: Image.Image) -> Image.Image:
    """`image` with 8 bits a channel; Pillow itself would cut off all above 255.

    16-bit grey is scaled from its whole range, 32-bit numbers from 0 to their brightest.
    """
    if image.mode.startswith("I;16"):
        grey = _scaled(image.convert("I"), 255 / _SIXTEEN_BIT_MAX)
        grey.info.pop("transparency", None)  # a grey of 16 bits, which would be sought among 8
        return grey
    if image.mode in ("I", "F"):
        extrema = image.getextrema()
        brightest = float(max(extrema[1], 0))  # pyright: ignore[reportArgumentType] - one channel
        if image.mode == "I" and brightest <= _SIXTEEN_BIT_MAX:
            brightest = 255.0 if brightest <= 255 else float(_SIXTEEN_BIT_MAX)  # noqa: PLR2004
        return _scaled(image, 255 / brightest if brightest else 1.0)
    return image


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    return image.point(lambda value: value * factor + 0.5).convert("L")  # which cuts off
