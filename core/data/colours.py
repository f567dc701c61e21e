"""Colours become sRGB through the profile that a picture carries, or what else it says of them.

Free of torch. Without a profile these are heeded: a camera's EXIF for Adobe RGB, Display P3 by the
numbers of H.273 (in HEIC, AVIF and PNG), and PNG's own chromaticities and gamma. Not heeded are
other numbers, such as BT.2020's and those of HDR (which is told), EXIF in a TIFF, whose entry
Pillow does not reach, and the colours in a BMP's head.

The intent is relative colorimetric with black point compensation: what sRGB can show stays exactly
what it is, as a style's colours should, and the darkest black of a printer's profile becomes black.
A perceptual intent would move all colours to make room for those outside sRGB, each maker in their
own way; for profiles of primaries and curves, as cameras and screens have, both are the same.
"""

from __future__ import annotations

import contextlib
import struct
from functools import lru_cache
from io import BytesIO

from PIL import ExifTags, Image, ImageChops, ImageCms

from core.data.decode import CODES, UNREADABLE

# White, red, green and blue as x and y of each, as PNG has them.
SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE_RGB = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
DISPLAY_P3 = (0.3127, 0.3290, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
_P3_CODES = (12, 13)  # P3's primaries, sRGB's curve
_UNSAID = 2  # of primaries
_HDR_CODES = {16: "PQ", 18: "HLG"}  # of curves
_GAMMAS = (0.1, 10.0)  # what a PNG's may be, that of the file
_UNCALIBRATED = 0xFFFF
SAME = 2  # of 255: a profile that moves no colour further is sRGB as its maker rounds it
_GRID = 17  # steps along each channel to try a profile
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # Pillow's, by the profile's colour space
_UNUSABLE = (ImageCms.PyCMSError, OSError, ValueError, TypeError, ArithmeticError, struct.error)


def to_srgb(image: Image.Image) -> Image.Image:
    """`image`, of 8 bits a channel, in sRGB; as it is where it says nothing of use about colours.

    What is transparent stays so.
    """
    try:
        profile = image.info.get("icc_profile") or _said_otherwise(image)
        return _converted(image, profile) if profile else image
    except _UNUSABLE:
        return image


def profile_fault(image: Image.Image) -> str:
    """Why the profile that it carries cannot be used; "" where it can, or there is none."""
    profile = image.info.get("icc_profile")
    if not profile:
        return ""
    try:
        _transform(profile, _mode_for(profile, image.mode))
    except _UNUSABLE as error:
        return str(error)
    return ""


def hdr(image: Image.Image) -> str:
    """Which curve of HDR it has; "" for none, and where a profile says how it is to be seen."""
    _, curve = image.info.get(CODES, (_UNSAID, _UNSAID))
    return "" if image.info.get("icc_profile") else _HDR_CODES.get(curve, "")


def _said_otherwise(image: Image.Image) -> bytes | None:
    """A profile for what a picture without one says of its colours; None: they are sRGB's.

    What comes first outweighs the rest, as PNG's third edition has it.

    Raises:
        ValueError, ArithmeticError, struct.error: What it says makes no sense.
    """
    codes = image.info.get(CODES, (_UNSAID, _UNSAID))
    if codes[0] != _UNSAID:
        return _made(DISPLAY_P3, None) if codes == _P3_CODES else None
    if "srgb" in image.info:
        return None
    points, gamma = image.info.get("chromaticity"), image.info.get("gamma", 0)
    gamma = 1 / gamma if _GAMMAS[0] < gamma < _GAMMAS[1] else None
    if points or gamma:
        return _of_png(points or SRGB, gamma)
    return _made(ADOBE_RGB, 563 / 256) if _adobe_by_exif(image) else None


def _of_png(points: tuple[float, ...], gamma: float | None) -> bytes | None:
    """Most PNGs say sRGB in these words, with 2.2 for its curve, within libpng's tolerances."""
    if all(abs(a - b) < 0.01 for a, b in zip(points, SRGB, strict=True)):  # noqa: PLR2004
        points = SRGB
        if gamma is None or abs(gamma / 2.2 - 1) < 0.05:  # noqa: PLR2004
            return None
    return _made(points, gamma)


def _adobe_by_exif(image: Image.Image) -> bool:
    """Whether it is as cameras write Adobe RGB: no known space, and the mark of DCF's other one."""
    with contextlib.suppress(*UNREADABLE):
        exif = image.getexif()
        space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        mark = exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex)
        return space == _UNCALIBRATED and str(mark).startswith("R03")
    return False


@lru_cache(maxsize=32)
def _made(points: tuple[float, ...], gamma: float | None) -> bytes:
    """An ICC profile (version 4) of a white, three primaries and a gamma; None is sRGB's curve.

    The white becomes D50's by Bradford's matrix (ICC.1:2022, annex E).

    Raises:
        ValueError, ArithmeticError, struct.error: There is no such space.
    """
    import numpy as np  # seldom needed, and not while the window starts

    pairs = zip(points[::2], points[1::2], strict=True)
    white, *primaries = ([x / y, 1.0, (1 - x - y) / y] for x, y in pairs)
    own = np.array(primaries).T
    own *= np.linalg.solve(own, white)
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    cones = np.diag(bradford @ (0.9642, 1.0, 0.8249) / (bradford @ white))
    under_d50 = np.linalg.solve(bradford, cones @ bradford @ own)
    curve = (0, gamma) if gamma else (3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    tags = {
        f"{name}TRC": struct.pack(">4sxxxxHxx", b"para", curve[0]) + _fixed(*curve[1:])
        for name in "rgb"
    }
    tags |= {
        f"{name}XYZ": b"XYZ \0\0\0\0" + _fixed(*column)
        for name, column in zip("rgb", under_d50.T, strict=True)
    }
    place, entries = 128 + 4 + 12 * len(tags), b""
    for name, content in tags.items():
        entries += struct.pack(">4sII", name.encode(), place, len(content))
        place += len(content)
    head = struct.pack(">I4xI4s4s4s", place, 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    head = head.ljust(36, b"\0") + b"acsp" + bytes(28) + _fixed(0.9642, 1.0, 0.8249)
    return b"".join((head.ljust(128, b"\0"), struct.pack(">I", len(tags)), entries, *tags.values()))


def _fixed(*numbers: float) -> bytes:
    """ICC's numbers, of 16 bits before the point and 16 after it."""
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    mode = _mode_for(profile, image.mode)
    transform = _transform(profile, mode)
    if transform is None:
        return image
    if not image.has_transparency_data:
        return transform.apply(image.convert(mode))
    clear = image.convert("RGBA")
    seen = transform.apply(clear.convert(mode))
    seen.putalpha(clear.getchannel("A"))
    return seen


def _mode_for(profile: bytes, mode: str) -> str:
    """In which mode a picture's values fit the profile.

    A grey picture may carry a profile of three colours, not the other way round.

    Raises:
        ValueError: It is for other channels than the picture has.
        OSError: It is no profile.
    """
    read = ImageCms.ImageCmsProfile(BytesIO(profile)).profile
    space = read.xcolor_space.strip()  # pyright: ignore[reportAttributeAccessIssue]
    grey, four = mode in ("1", "L", "LA", "La"), mode == "CMYK"
    fits = {"RGB": mode != "LAB" and not four, "GRAY": grey, "CMYK": four}
    if not fits.get(space, False):
        raise ValueError(f"it is for {space} colours, the picture is {mode}")
    return _MODES[space]


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """To sRGB from a profile; None if that changes nothing, so that such pictures stay as they are.

    Raises:
        PyCMSError, OSError: The profile cannot be used.
    """
    made = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if mode == "CMYK":
        return made
    tried = _grid() if mode == "RGB" else Image.frombytes("L", (256, 1), bytes(range(256)))
    moved = ImageChops.difference(made.apply(tried), tried.convert("RGB"))
    furthest = max(high for _, high in moved.getextrema())  # pyright: ignore[reportGeneralTypeIssues]
    return made if furthest > SAME else None


def _grid() -> Image.Image:
    """Colours from all over RGB."""
    steps = [round(n * 255 / (_GRID - 1)) for n in range(_GRID)]
    values = bytes(v for r in steps for g in steps for b in steps for v in (r, g, b))
    return Image.frombytes("RGB", (_GRID**2, _GRID), values)
