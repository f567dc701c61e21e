"""Aspect buckets: the sizes that pictures are fitted to, so that a batch has one shape."""

from __future__ import annotations

import math
from typing import NamedTuple


class Size(NamedTuple):
    """A picture's size, px."""

    width: int
    height: int


class Crop(NamedTuple):
    """What is kept of a picture once it is resized to `resized`: a box of `bucket`."""

    resized: Size
    left: int
    top: int
    bucket: Size


class Frame(NamedTuple):
    """How a picture is shown, for nets that are told: its own size, and where the crop begins."""

    original: Size
    left: int  # of the resized picture
    top: int
    bucket: Size


def sizes(resolution_px: int, multiple_px: int, max_aspect: float = 2.0) -> list[Size]:
    """All sizes of at most `resolution_px`² pixels whose sides are multiples of `multiple_px`.

    For each width the largest height that fits, and always the largest square: without it, square
    pictures would be cut wherever the multiple does not divide the resolution (500, 700, 800 px).
    A resolution below the multiple has one size, a square of that.
    """
    area = resolution_px**2
    edge = max(multiple_px, resolution_px // multiple_px * multiple_px)
    found = {Size(edge, edge)}
    for width in range(multiple_px, int(resolution_px * max_aspect) + 1, multiple_px):
        height = area // width // multiple_px * multiple_px
        if height and max(width, height) <= max_aspect * min(width, height):
            found |= {Size(width, height), Size(height, width)}
    return sorted(found)


def nearest(size: Size, choices: list[Size]) -> Size:
    """The choice whose aspect is nearest; among equals the largest."""
    aspect = math.log(size.width / size.height)
    return min(
        choices,
        key=lambda c: (round(abs(math.log(c.width / c.height) - aspect), 9), -c.width * c.height),
    )


def scale(size: Size, bucket: Size) -> float:
    """How many times a picture is enlarged to just cover the bucket."""
    return max(bucket.width / size.width, bucket.height / size.height)


def crop(size: Size, bucket: Size, focus: tuple[float, float] | None = None) -> Crop:
    """Resize so that the bucket is just covered, then cut off what is beyond it.

    Args:
        size: Of the picture.
        bucket: What it is fitted to.
        focus: What is to be in the middle, as far as that goes, as shares of the picture's edges;
            without one both sides lose alike.
    """
    times = scale(size, bucket)
    resized = Size(
        max(bucket.width, round(size.width * times)),
        max(bucket.height, round(size.height * times)),
    )
    over = Size(resized.width - bucket.width, resized.height - bucket.height)
    left, top = over.width // 2, over.height // 2
    if focus is not None:
        left = min(over.width, max(0, round(focus[0] * resized.width - bucket.width / 2)))
        top = min(over.height, max(0, round(focus[1] * resized.height - bucket.height / 2)))
    return Crop(resized, left, top, bucket)


def frame(size: Size, bucket: Size, focus: tuple[float, float] | None = None) -> Frame:
    """How a picture of `size` is shown in `bucket`."""
    plan = crop(size, bucket, focus)
    return Frame(size, plan.left, plan.top, bucket)
