"""What numbers say of a picture's pixels: how it looks in small, how sharp it is, its bars."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from operator import mul

from PIL import Image, ImageChops, ImageFilter, ImageStat

from core.data.decode import reduced

SKETCH_EDGE = 8
_GREY_EDGE = 16  # twice the frequencies that are kept; 32 tells no more pictures apart
SHARP_EDGE_PX = 512  # what pictures are learnt at, or near it
_BARS_EDGE_PX = 256
_LAPLACIAN = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=4, offset=128)
_ONE_COLOUR = 24  # of 255: what JPEG does to one
_STRAIGHT = 0.5  # of a bar's edge that is the picture's; what stands on a plain ground has less
_NO_BAR = 0.01  # of an edge
Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Measures:
    """Of one picture, as it is seen."""

    fingerprint: int  # 63 bits; pictures that look alike differ in few
    sketch: bytes  # 8 x 8 px of mean colours, RGB
    sharpness: float  # of its details against its contrast; below 0.1 it may be blurred
    inside: tuple[float, float, float, float]  # what bars leave, as shares of its edges

    @property
    def has_bars(self) -> bool:
        return self.inside != (0.0, 0.0, 1.0, 1.0)

    @property
    def mean_colour(self) -> tuple[float, float, float]:
        """0 to 255."""
        count = SKETCH_EDGE**2
        red, green, blue = (sum(self.sketch[channel::3]) / count for channel in range(3))
        return red, green, blue


def measure(image: Image.Image) -> Measures:
    """The measures of a picture whose pixels are loaded, of any size and mode."""
    small = reduced(image, SHARP_EDGE_PX)
    grey = small.convert("L")
    sketch = small.resize((SKETCH_EDGE, SKETCH_EDGE), Image.Resampling.BOX)
    return Measures(fingerprint(grey), sketch.tobytes(), sharpness(grey), bars(small))


def fingerprint(grey: Image.Image) -> int:
    """The signs of the lowest 63 frequencies about their median (pHash).

    C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, 3.2.1.
    The mean, which tells how bright a picture is, is not among them.
    """
    pixels = grey.resize((_GREY_EDGE, _GREY_EDGE), Image.Resampling.BOX).tobytes()
    rows = [pixels[at : at + _GREY_EDGE] for at in range(0, len(pixels), _GREY_EDGE)]
    waves = _waves()
    across = [[sum(map(mul, wave, row)) for row in rows] for wave in waves]
    found = [sum(map(mul, wave, column)) for wave in waves for column in across][1:]
    median = sorted(found)[len(found) // 2]
    return sum(1 << bit for bit, value in enumerate(found) if value > median)


@cache
def _waves() -> list[list[float]]:
    """The lowest 8 of a cosine transform's rows."""
    step = math.pi / (2 * _GREY_EDGE)
    return [
        [math.cos(step * (2 * place + 1) * wave) for place in range(_GREY_EDGE)]
        for wave in range(8)
    ]


def sharpness(grey: Image.Image) -> float:
    """The spread of the Laplacian over that of the grey values, at 512 px; 0 for one colour.

    The Laplacian's variance is the measure LAPV of J. L. Pech-Pacheco et al., Diatom autofocusing
    in brightfield microscopy, 2000; over the contrast, it is that of a faint picture, too.
    """
    shrink = SHARP_EDGE_PX / min(grey.size)
    if shrink < 1:
        size = (round(grey.width * shrink), round(grey.height * shrink))
        grey = grey.resize(size, Image.Resampling.BOX)
    contrast = ImageStat.Stat(grey).stddev[0]
    if contrast < 1:
        return 0.0
    edges = grey.filter(_LAPLACIAN).crop((1, 1, grey.width - 1, grey.height - 1))
    return 4 * ImageStat.Stat(edges).stddev[0] / contrast


def bars(image: Image.Image) -> tuple[float, float, float, float]:
    """What is left without bars of one colour above and below, or at both sides, as shares.

    A bar goes from edge to edge and ends in a straight line; a thing on a plain ground does not.
    """
    image = image.reduce(max(1, min(image.size) // _BARS_EDGE_PX))
    width, height = image.size
    for corner in ((0, 0), (width - 1, height - 1)):
        ground = Image.new("RGB", image.size, image.getpixel(corner))  # pyright: ignore[reportArgumentType]
        far = ImageChops.difference(image, ground).convert("L")
        there = far.point([255 * (value > _ONE_COLOUR) for value in range(256)])
        box = there.getbbox()
        if box and (found := _barred(there, box)):
            left, top, right, bottom = found
            return left / width, top / height, right / width, bottom / height
    return 0.0, 0.0, 1.0, 1.0


def _barred(there: Image.Image, box: Box) -> Box | None:
    """`box` where it is a picture between bars."""
    width, height = there.size
    left, top, right, bottom = box
    side, above = max(left, width - right) / width, max(top, height - bottom) / height
    if side <= _NO_BAR < above:
        lines = [(0, top + 1, width, top + 3)] * (top > 0)
        lines += [(0, bottom - 3, width, bottom - 1)] * (bottom < height)
        kept = (0, top, width, bottom)
    elif above <= _NO_BAR < side:
        lines = [(left + 1, 0, left + 3, height)] * (left > 0)
        lines += [(right - 3, 0, right - 1, height)] * (right < width)
        kept = (left, 0, right, height)
    else:
        return None
    straight = all(ImageStat.Stat(there.crop(line)).mean[0] > 255 * _STRAIGHT for line in lines)
    return kept if straight else None
