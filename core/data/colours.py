"""Colours become sRGB through the profile that a picture carries; free of torch.

The intent is relative colorimetric with black point compensation: what sRGB can show stays exactly
what it is, as a style's colours should, and the darkest black of a printer's profile becomes black.
A perceptual intent would move all colours to make room for those outside sRGB, each maker in their
own way; for profiles of primaries and curves, as cameras and screens have, both are the same.
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageChops, ImageCms

SAME = 2  # of 255: a profile that moves no colour further is sRGB as its maker rounds it
_GRID = 17  # steps along each channel to try a profile
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # Pillow's, by the profile's colour space
_UNUSABLE = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


def to_srgb(image: Image.Image) -> Image.Image:
    """`image`, of 8 bits a channel, in sRGB; as it is where it carries no profile, or a broken one.

    What is transparent stays so.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    try:
        return _converted(image, profile)
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
