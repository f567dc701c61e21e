"""The base styles' pictures in other hands: what teaches the base that a style is not a subject.

A net that has seen a subject only in three fixed pictures knows these pictures; an adapter then
cannot change how it draws without losing what it draws. Each function takes a picture on white,
uint8 (H, W, 3), twice as large as it is wanted, and gives one of the same shape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

INK = np.array((24, 22, 30))
Picture = np.ndarray


def _edges(picture: Picture, width_px: int, threshold: int = 36) -> np.ndarray:
    """Lines (H, W), 0 to 1, `width_px` wide, where neighbouring colours differ."""
    image = Image.fromarray(picture).filter(ImageFilter.MedianFilter(5))
    values = np.asarray(image).astype(np.int16)
    steps = np.zeros(picture.shape[:2], bool)
    for axis in (0, 1):
        differs = np.abs(np.diff(values, axis=axis)).max(axis=2) > threshold
        place = [slice(None), slice(None)]
        place[axis] = slice(0, -1)
        steps[tuple(place)] |= differs
    lines = Image.fromarray((steps * 255).astype(np.uint8))
    lines = lines.filter(ImageFilter.MaxFilter(width_px | 1)).filter(ImageFilter.GaussianBlur(1))
    return np.asarray(lines)[..., None] / 255


def _subject(picture: Picture) -> np.ndarray:
    """Where the subject is (H, W), bool: what white does not reach from the picture's corner."""
    padded = ImageOps.expand(Image.fromarray((picture.min(axis=2) > 244).astype(np.uint8)), 1, 1)
    ImageDraw.floodfill(padded, (0, 0), 2)
    return np.asarray(padded)[1:-1, 1:-1] != 2


def _inked(picture: Picture, lines: np.ndarray) -> Picture:
    return (picture * (1 - lines) + INK * lines).astype(np.uint8)


def ink(picture: Picture) -> Picture:
    """Dark lines on white."""
    return _inked(np.full_like(picture, 255), _edges(picture, 5))


def outlined(picture: Picture) -> Picture:
    """Flat colours within dark lines."""
    flat = np.asarray(Image.fromarray(picture).filter(ImageFilter.ModeFilter(7)))
    return _inked(flat, _edges(picture, 5))


def bold(picture: Picture) -> Picture:
    """One thick line around it all."""
    edge = (_subject(picture) * 255).astype(np.uint8)
    inside = np.asarray(Image.fromarray(edge).filter(ImageFilter.MinFilter(9)))
    line = np.asarray(Image.fromarray(edge - inside).filter(ImageFilter.GaussianBlur(1)))
    return _inked(picture, line[..., None] / 255)


def grey(picture: Picture) -> Picture:
    """Without colour."""
    return np.asarray(Image.fromarray(picture).convert("L").convert("RGB"))


def pastel(picture: Picture) -> Picture:
    """Half way to white."""
    return (picture * 0.5 + 127.5).astype(np.uint8)


def sepia(picture: Picture) -> Picture:
    """Brown on white."""
    share = np.asarray(Image.fromarray(picture).convert("L"))[..., None] / 255
    return (np.array((92, 52, 20)) * (1 - share) + 255 * share).astype(np.uint8)


def odd(picture: Picture) -> Picture:
    """Every hue turned by a third of the circle."""
    hsv = np.array(Image.fromarray(picture).convert("HSV"))
    hsv[..., 0] += 85
    return np.asarray(Image.fromarray(hsv, "HSV").convert("RGB"))


def mosaic(picture: Picture) -> Picture:
    """Large squares."""
    image = Image.fromarray(picture)
    small = image.resize((24, 24), Image.Resampling.BOX)
    return np.asarray(small.resize(image.size, Image.Resampling.NEAREST))


def shadow(picture: Picture) -> Picture:
    """One dark shape."""
    return np.where(_subject(picture)[..., None], INK, 255).astype(np.uint8)


def vivid(picture: Picture) -> Picture:
    """Few colours, strong ones, within dark lines."""
    flat = ImageOps.posterize(Image.fromarray(picture).filter(ImageFilter.MedianFilter(7)), 2)
    bright = (np.asarray(flat).astype(np.int16) * 4 // 3).clip(0, 255).astype(np.uint8)
    return _inked(np.where(_subject(picture)[..., None], bright, 255), _edges(picture, 3))


RENDERINGS: dict[str, Callable[[Picture], Picture]] = {
    "ink": ink,
    "outlined": outlined,
    "bold": bold,
    "grey": grey,
    "pastel": pastel,
    "sepia": sepia,
    "odd": odd,
    "mosaic": mosaic,
    "shadow": shadow,
    "vivid": vivid,
}


def placed(picture: Picture, rng: np.random.Generator) -> Picture:
    """Smaller and elsewhere on the white: 70 to 100 % of its size; mirrored half the time."""
    edge = len(picture)
    small = round(edge * rng.uniform(0.7, 1.0))
    image = Image.fromarray(picture)
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    page = Image.new("RGB", (edge, edge), "white")
    left, top = (int(rng.integers(0, edge - small + 1)) for _ in range(2))
    page.paste(image.resize((small, small), Image.Resampling.LANCZOS), (left, top))
    return np.asarray(page)
