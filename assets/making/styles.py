"""Styles that go with any subject: each is a word, and a way to change a drawing at its source.

What a net has seen in one hand only it knows as a picture, not as a thing; an adapter then cannot
change how it draws without losing what it draws. The first styles were made up one by one, the
others were thrown by dice; their words are names of stones and trees, since none of them looks
like its name.
"""

from __future__ import annotations

import colorsys
import random
from functools import cache

from drawing import Colour, Palette, Style

NAMES = (
    "amber", "basalt", "beryl", "birch", "cedar", "chalk", "cobalt", "copper", "coral",
    "cypress", "ebony", "elm", "flint", "garnet", "granite", "hazel", "indigo", "jade",
    "jasper", "juniper", "larch", "marble", "maple", "nickel", "onyx", "opal", "pewter",
    "quartz", "rowan", "ruby", "slate", "topaz", "umber", "willow", "yew", "zircon",
)  # fmt: skip
GROUNDS = ("#fde9c9", "#cfe8ff", "#ffd6e0", "#d9f2d0", "#fff3a8", "#22304a", "#e6e0f5", "#f0b35a")
INKS = ("#111111", "#111111", "#111111", "#3a2417", "#1b2a5a", "#6b1f3a")


def _clip(values: tuple[float, ...]) -> Colour:
    return tuple(round(min(255, max(0, value))) for value in values)


def _light(colour: Colour) -> float:
    """Rec. 601 luma, 0 to 1."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255


def grey(colour: Colour) -> Colour:
    """Without colour."""
    return _clip((255 * _light(colour),) * 3)


def between(dark: Colour, bright: Colour) -> Palette:
    """Every colour on the straight way between two, by its lightness."""
    return lambda c: _clip(
        tuple(d + (b - d) * _light(c) for d, b in zip(dark, bright, strict=True))
    )


def turned(hue: float, strength: float = 1.0, towards_white: float = 0.0) -> Palette:
    """Hue turned (1 is the whole circle), saturation times `strength`, then a share of white."""

    def change(colour: Colour) -> Colour:
        h, lightness, s = colorsys.rgb_to_hls(*(value / 255 for value in colour))
        rgb = colorsys.hls_to_rgb((h + hue) % 1, lightness, min(1, s * strength))
        return _clip(tuple(255 * (v + (1 - v) * towards_white) for v in rgb))

    return change


def nearest(*colours: Colour) -> Palette:
    """The nearest of a few colours."""
    return lambda c: min(
        colours, key=lambda k: sum((a - b) ** 2 for a, b in zip(c, k, strict=True))
    )


PRIMARY = nearest(
    (255, 255, 255), (20, 20, 20), (230, 57, 53), (253, 203, 46), (33, 118, 209), (67, 160, 71)
)
EARTH = nearest(
    (250, 240, 220), (60, 42, 33), (176, 92, 56), (222, 176, 90), (110, 124, 78), (140, 160, 160)
)
NEON = nearest((250, 250, 250), (30, 10, 60), (255, 40, 150), (0, 220, 230), (180, 255, 60))

MADE_UP = {
    "ink": Style(fill="#ffffff", line=2.2),
    "wire": Style(fill="none", line=1.4),
    "outlined": Style(line=2.6),
    "bold": Style(rim=3.0, flat=False),
    "cartoon": Style(palette=turned(0, 1.6), line=3.6),
    "grey": Style(palette=grey, flat=False),
    "pencil": Style(palette=grey, fill="#f4f4f4", line=1.2, ink="#555555"),
    "pastel": Style(palette=turned(0, 1.0, 0.5), flat=False),
    "sepia": Style(palette=between((92, 52, 20), (255, 250, 240)), flat=False),
    "blueprint": Style(fill="none", line=1.4, ink="#ffffff", ground="#1d4e9e"),
    "odd": Style(palette=turned(1 / 3), flat=False),
    "mosaic": Style(mosaic=24),
    "shadow": Style(fill="#17151e", rim=0.5),
    "sticker": Style(rim=3.2, rim_ink="#ffffff", ground="#9ec9e8", shadow="#6f9dbf"),
    "vivid": Style(palette=PRIMARY, line=1.8),
    "neon": Style(palette=NEON, line=1.4, ink="#00e0e0", ground="#1a0b33"),
    "loose": Style(loose=2.2, line=1.2),
    "night": Style(palette=between((10, 16, 48), (190, 205, 255)), ground="#0a1030"),
}


def _thrown(rng: random.Random) -> Style:
    """One of very many styles."""
    palette = rng.choice(
        (
            None,
            None,
            PRIMARY,
            EARTH,
            turned(rng.random(), rng.uniform(0.5, 1.6)),
            turned(0, rng.uniform(0.3, 2.0), rng.uniform(0, 0.4)),
            between(
                tuple(rng.randrange(110) for _ in range(3)),
                tuple(rng.randrange(190, 256) for _ in range(3)),
            ),
        )
    )
    line = rng.choice((0, 0, 1.2, 2.0, 2.8, 3.6))
    ink = rng.choice(INKS)
    ground = rng.choice(("#ffffff", "#ffffff", "#ffffff", rng.choice(GROUNDS)))
    return Style(
        palette=palette,
        flat=rng.random() < 0.7,
        fill=rng.choice(("", "", "", "", "", "#ffffff", "#f6d55c")) if line else "",
        line=line,
        ink=ink,
        rim=rng.choice((0, 0, 0, 2.5)),
        rim_ink=rng.choice((ink, "#ffffff")),
        shadow=rng.choice(("", "", "", "#b8b8b8")),
        ground=ground,
        plate=rng.choice(("", "", "", "", rng.choice(GROUNDS))),
        stretch=rng.choice(((1, 1), (1, 1), (1, 1), (0.75, 1), (1, 0.78))),
        slant=rng.choice((0, 0, 0, 0, 12)),
        loose=rng.choice((0, 0, 0, 1.5)),
    )


@cache
def styles() -> dict[str, Style]:
    """Word to style, always the same."""
    rng = random.Random(3)
    return MADE_UP | {name: _thrown(rng) for name in NAMES}
