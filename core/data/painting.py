"""Masks as arrays, and what is done to them by hand: uint8, (H, W), 255 is learnt and 0 is not.

Pure functions of numbers; free of torch and of files.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Mask = NDArray[np.uint8]  # (H, W)
Pixels = NDArray[np.uint8]  # (H, W, 3), sRGB
Spot = tuple[float, float]  # x, y in px from the left and the top; 0.5 is a first pixel's middle
WHITE = 255


class Box(NamedTuple):
    """A part of a mask, in px; right and bottom are outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def empty(self) -> bool:
        return self.right <= self.left or self.bottom <= self.top

    def with_(self, other: Box) -> Box:
        """The smallest that holds both."""
        if self.empty or other.empty:
            return other if self.empty else self
        low = (min(a, b) for a, b in zip(self[:2], other[:2], strict=True))
        high = (max(a, b) for a, b in zip(self[2:], other[2:], strict=True))
        return Box(*low, *high)

    def of(self, mask: Mask) -> Mask:
        """That part, not a copy."""
        return mask[self.top : self.bottom, self.left : self.right]


class Brush(NamedTuple):
    """Round: a hard one has an edge of a pixel, a soft one grows weaker from its middle on."""

    radius_px: float
    soft: bool = False
    learnt: bool = False  # whether it makes white, else black


def whole(mask: Mask) -> Box:
    """All of a mask."""
    return Box(0, 0, mask.shape[1], mask.shape[0])


def touched(mask: Mask, brush: Brush, start: Spot, end: Spot) -> Box:
    """What a stroke may change."""
    reach = brush.radius_px + 1
    width, height = mask.shape[1], mask.shape[0]
    return Box(
        max(0, math.floor(min(start[0], end[0]) - reach)),
        max(0, math.floor(min(start[1], end[1]) - reach)),
        min(width, math.ceil(max(start[0], end[0]) + reach)),
        min(height, math.ceil(max(start[1], end[1]) + reach)),
    )


def stroke(mask: Mask, brush: Brush, start: Spot, end: Spot) -> Box:
    """Draw a straight line into `mask`; returns what may have changed.

    A line that is drawn twice, or in several parts, is the same: what is there already stays where
    it is stronger. A hard brush covers a pixel by radius + 1/2 - distance, from 0 to 1; a soft one
    by (1 - (distance / radius)^2)^2.
    """
    box = touched(mask, brush, start, end)
    if box.empty:
        return box
    strength = _coverage(box, brush, start, end)
    part = box.of(mask)
    if brush.learnt:
        np.maximum(part, strength, out=part)
    else:
        np.minimum(part, WHITE - strength, out=part)
    return box


def _coverage(box: Box, brush: Brush, start: Spot, end: Spot) -> Mask:
    """How strong a stroke is in each pixel of `box`, 0 to 255."""
    x = np.arange(box.left, box.right, dtype=np.float32)[None] + np.float32(0.5 - start[0])
    y = np.arange(box.top, box.bottom, dtype=np.float32)[:, None] + np.float32(0.5 - start[1])
    along_x, along_y = np.float32(end[0] - start[0]), np.float32(end[1] - start[1])
    if length := along_x**2 + along_y**2:
        share = x * (along_x / length) + y * (along_y / length)
        np.clip(share, 0, 1, out=share)
        far = np.square(x - share * along_x)
        share *= along_y
        np.subtract(y, share, out=share)
        far += np.square(share, out=share)
    else:
        far = np.square(x) + np.square(y)
    if brush.soft:
        far *= np.float32(-1 / brush.radius_px**2)
        far += 1
        np.maximum(far, 0, out=far)
        np.square(far, out=far)
    else:
        np.sqrt(far, out=far)
        np.subtract(np.float32(brush.radius_px + 0.5), far, out=far)
        np.clip(far, 0, 1, out=far)
    far *= WHITE
    far += 0.5
    return far.astype(np.uint8)


def flooded(pixels: Pixels, x: int, y: int, tolerance: int) -> NDArray[np.bool_]:
    """What hangs together with a pixel and is of its colour, (H, W).

    Args:
        pixels: The picture.
        x: Of the pixel, from the left.
        y: From the top.
        tolerance: What each channel may differ by, of 255.
    """
    alike = np.ones(pixels.shape[:2], dtype=bool)
    for channel in range(pixels.shape[2]):
        plane, wanted = pixels[..., channel], int(pixels[y, x, channel])
        alike &= plane >= max(0, wanted - tolerance)
        alike &= plane <= min(255, wanted + tolerance)
    return _joined(alike, x, y)


def _joined(alike: NDArray[np.bool_], x: int, y: int) -> NDArray[np.bool_]:
    """What hangs together with a pixel, over edges: of runs in rows, which are joined by numbers.

    Each run leads to a lower one that it touches, until all of a piece lead to its lowest; the
    rounds that takes grow with the logarithm of the runs, whatever the shape.
    """
    height, width = alike.shape
    wide = np.zeros((height, width + 1), dtype=np.int8)  # a column beside, so that rows end
    wide[:, :width] = alike
    steps = np.diff(wide.ravel(), prepend=np.int8(0))
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    first = np.searchsorted(ends, starts + width + 1, side="right")  # that it touches in the next
    last = np.searchsorted(starts, ends + width + 1, side="left")
    counts = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(starts)), counts)
    begun = np.repeat(np.cumsum(counts) - counts, counts)
    lower = np.repeat(first, counts) + np.arange(len(upper)) - begun
    leads = _leads(len(starts), upper, lower)
    mine = leads[np.searchsorted(starts, y * (width + 1) + x, side="right") - 1]
    chosen = leads == mine
    marks = np.zeros(height * (width + 1) + 1, dtype=np.int8)
    marks[starts[chosen]] = 1
    marks[ends[chosen]] -= 1
    found = np.cumsum(marks[:-1], dtype=np.int8).reshape(height, width + 1)
    return found[:, :width].astype(bool)


def _leads(count: int, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lowest number of each piece, where pairs hang together."""
    leads = np.arange(count)
    while True:
        first, second = leads[one], leads[other]
        apart = first != second
        if not apart.any():
            return leads
        one, other, first, second = one[apart], other[apart], first[apart], second[apart]
        np.minimum.at(leads, np.maximum(first, second), np.minimum(first, second))
        while ((further := leads[leads]) != leads).any():
            leads = further


def filled(mask: Mask, where: NDArray[np.bool_], *, learnt: bool) -> Mask:
    """`mask` with white, or black, where it is to be."""
    return np.where(where, np.uint8(WHITE if learnt else 0), mask)


def grown(mask: Mask, radius_px: int) -> Mask:
    """What is learnt grows by so many px in every direction; below 0 it shrinks.

    Each pixel becomes the brightest within a disc, also of greys. Past the edges there is nothing,
    so that a mask that reaches an edge goes on reaching it.
    """
    if radius_px < 0:
        return inverted(grown(inverted(mask), -radius_px))
    wide = mask.copy()  # the brightest of a row, within what the disc is wide there
    result = mask.copy()
    reached = 0
    for away in range(radius_px, -1, -1):
        half = math.isqrt(radius_px**2 - away**2)
        for step in range(reached + 1, half + 1):
            np.maximum(wide[:, step:], mask[:, :-step], out=wide[:, step:])
            np.maximum(wide[:, :-step], mask[:, step:], out=wide[:, :-step])
        reached = max(reached, half)
        if away == 0:
            np.maximum(result, wide, out=result)
        elif away < mask.shape[0]:
            np.maximum(result[away:], wide[:-away], out=result[away:])
            np.maximum(result[:-away], wide[away:], out=result[:-away])
    return result


def blurred(mask: Mask, radius_px: float) -> Mask:
    """Edges become soft; a plain mask stays as it is."""
    return np.array(Image.fromarray(mask).filter(ImageFilter.GaussianBlur(radius_px)))


def inverted(mask: Mask) -> Mask:
    """What is learnt and what is not change places."""
    return WHITE - mask


def plain(width: int, height: int) -> Mask:
    """All of a picture is learnt."""
    return np.full((height, width), WHITE, dtype=np.uint8)


def learns_all(mask: Mask) -> bool:
    """Whether a mask says no more than none would."""
    return bool((mask == WHITE).all())


def share(mask: Mask) -> float:
    """How much of a picture is learnt, 0 to 1."""
    return float(mask.mean(dtype=np.float64)) / WHITE
