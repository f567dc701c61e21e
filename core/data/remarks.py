"""What is to be said of a picture's pixels: it can be used, but may not be what the person sees."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from core.data.decode import FRAMED, UNREADABLE, eight_bit, on_white, open_picture
from core.data.findings import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

FLAT = 8  # of 255: less between darkest and brightest is one colour
DARK = 16  # of 255: what no screen tells from black
MIN_CLEAR = 0.01  # of the area: less is a smoothed corner


def remarks(path: Path, image: Image.Image) -> list[Finding]:
    """Findings about a picture whose pixels are loaded."""
    found = [*_frames(path, image), *_profile(path, image)]
    seen = eight_bit(image)
    clear = _clear_share(seen)
    if clear == 1:
        hint = "Remove it, or save it with a ground."
        return [*found, _remark(path, "It is wholly transparent, which becomes white.", hint)]
    if clear > MIN_CLEAR:
        hint = "Put a ground behind it, if white is not what is to be learnt."
        found.append(_remark(path, "Its transparent parts become white.", hint))
    if colour := _flat(on_white(seen) if clear else seen):
        found.append(_remark(path, f"It is {colour} all over.", "Remove it, or save it again."))
    return found


def _frames(path: Path, image: Image.Image) -> list[Finding]:
    if image.format not in FRAMED:
        return []
    count = 1
    # Opened anew: to count frames moves on through them. The later ones may be damaged.
    with contextlib.suppress(*UNREADABLE), open_picture(path) as again:
        count = getattr(again, "n_frames", 1)
    if count == 1:
        return []
    return [
        _remark(
            path,
            f"It has {count} frames; the first is used.",
            "Save the frames that are to be learnt as pictures.",
            "It has several frames; the first is used.",
        )
    ]


def _profile(path: Path, image: Image.Image) -> list[Finding]:
    from core.data.colours import hdr, profile_fault  # as in `decode`: not while the window starts

    if kind := hdr(image):
        message = f"It is HDR ({kind}), and is learnt paler than a person sees it."
        return [_remark(path, message, "Save it as a picture in sRGB.")]
    if not (fault := profile_fault(image)):
        return []
    return [
        _remark(
            path,
            f"Its colour profile is not used ({fault}).",
            "If its colours are wrong, save it again as sRGB.",
            "Its colour profile is broken, and is not used.",
        )
    ]


def _clear_share(image: Image.Image) -> float:
    """How much of the picture is transparent, 0 to 1."""
    if not image.has_transparency_data:
        return 0.0
    counts = image.convert("RGBA").getchannel("A").histogram()
    return sum(n * (255 - value) for value, n in enumerate(counts)) / (255 * sum(counts))


def _flat(image: Image.Image) -> str:
    """Its one colour in words; "" where it has several."""
    if image.mode in ("P", "1", "CMYK", "YCbCr", "LAB"):
        image = image.convert("RGB")
    extrema = image.getextrema()
    bands = [extrema] if isinstance(extrema[0], int | float) else extrema
    low, high = zip(*bands, strict=True)  # pyright: ignore[reportArgumentType]
    if max(high) < DARK:
        return "black"
    if max(h - w for h, w in zip(high, low, strict=True)) >= FLAT:
        return ""
    return "white" if min(low) > 255 - DARK else "of one colour"


def _remark(path: Path, message: str, hint: str, summary: str = "") -> Finding:
    return Finding(path, message, hint, usable=True, summary=summary)
