"""Aspect buckets: the sizes that pictures are fitted to, so that a batch has one shape."""

from __future__ import annotations

import math
from typing import NamedTuple


class Size(NamedTuple):
    """A picture's size, px."""

    width: int
    height: int


class Crop(NamedTuple):
    """What is kept of a picture once it is resized to `resized`: a centred box of `bucket`."""

    resized: Size
    left: int
    top: int
    bucket: Size


def sizes(resolution_px: int, multiple_px: int, max_aspect: float = 2.0) -> list[Size]:
    """All sizes of at most `resolution_px`² pixels whose sides are multiples of `multiple_px`.

    For each width the largest height that fits; a square of the resolution is among them where
    the multiple divides it.
    """
    area = resolution_px**2
    found: set[Size] = set()
    for width in range(multiple_px, int(resolution_px * max_aspect) + 1, multiple_px):
        height = area // width // multiple_px * multiple_px
        if height and max(width, height) <= max_aspect * min(width, height):
            found |= {Size(width, height), Size(height, width)}
    return sorted(found) or [Size(multiple_px, multiple_px)]


def nearest(size: Size, choices: list[Size]) -> Size:
    """The choice whose aspect is nearest; among equals the largest."""
    aspect = math.log(size.width / size.height)
    return min(
        choices,
        key=lambda c: (round(abs(math.log(c.width / c.height) - aspect), 9), -c.width * c.height),
    )


def crop(size: Size, bucket: Size) -> Crop:
    """Resize so that the bucket is just covered, then cut evenly from both sides."""
    scale = max(bucket.width / size.width, bucket.height / size.height)
    resized = Size(
        max(bucket.width, round(size.width * scale)),
        max(bucket.height, round(size.height * scale)),
    )
    left = (resized.width - bucket.width) // 2
    top = (resized.height - bucket.height) // 2
    return Crop(resized, left, top, bucket)
