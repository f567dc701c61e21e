"""What is to be said of pictures beside one another: alike, unlike the others, captioned alike.

Each rule is a pure function of all pictures. What is said of one alone is in `remarks` (pixels),
`wording` (captions), `fit` (a run's size) and `walk` (files).
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from core.data import captions
from core.data.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from core.data.examine import Picture
    from core.data.measures import Measures

# Of 2,012 drawings of 503 things and 27 photographs, these found 98 % again after a save as a poor
# JPEG, a resize to half or a lighter copy, and held 7 of two million other pairs for alike.
ALIKE_BITS = 8  # of 63 that may differ
ALIKE_COLOUR = 8.0  # of 255, the mean difference of the sketches
_BITS = 63
_MANY = 5_000  # pictures; every near pair of more would be minutes of work
BLURRED = 0.1  # sharpness at 512 px; photographs in focus have 0.25 to 1
BLURRED_SHARE = 0.25  # of the others' sharpness, since a style may be soft
FEWEST = 8  # pictures that can say what the others are like
FAR = 6.0  # times the usual distance from the middle colour
FAR_COLOUR = 60.0  # of 255
SAME_CAPTION = 3  # pictures
ALIKE = "It looks like another picture."
BLURRED_SUMMARY = "It is far less sharp than the others."
BARS = "It has bars of one colour at its edges."
COLOUR = "Its colours are far from all others'."
SAME = "Its caption is that of other pictures, too."
OF_PIXELS = frozenset({ALIKE, BLURRED_SUMMARY, BARS, COLOUR})  # whatever their captions become


def set_findings(pictures: Sequence[Picture]) -> list[Finding]:
    """All that is to be said of these pictures beside one another."""
    rules = (alike_findings, blurred_findings, bar_findings, colour_findings, caption_findings)
    return [finding for rule in rules for finding in rule(pictures)]


def alike(pictures: Sequence[Picture]) -> list[list[Picture]]:
    """Groups of pictures that look alike, each with the best first: the largest, then by name.

    Two fingerprints that differ in 8 bits at most are equal in one of 9 parts, so that only
    pictures with a part in common are compared. Of very many pictures the parts are wider, and
    some pairs that differ in more than 3 bits are not found; a copy differs in 0 to 2.
    """
    seen = [(number, one.measures) for number, one in enumerate(pictures) if one.measures]
    by_part: dict[tuple[int, int], list[int]] = defaultdict(list)
    leads = list(range(len(pictures)))
    parts = ALIKE_BITS + 1 if len(seen) <= _MANY else ALIKE_BITS // 2
    width = -(-_BITS // parts)

    def lead(number: int) -> int:
        while leads[number] != number:
            leads[number] = number = leads[leads[number]]
        return number

    first: dict[tuple[int, bytes], int] = {}  # of those that look the same to the last bit
    for number, measures in seen:
        one = first.setdefault((measures.fingerprint, measures.sketch), number)
        if one != number:
            leads[number] = one
            continue
        for part in range(parts):
            bits = (measures.fingerprint >> part * width) & (2**width - 1)
            others = by_part[part, bits]
            for other in others:
                if lead(other) != lead(number) and _look_alike(measures, pictures[other].measures):
                    leads[lead(number)] = lead(other)
            others.append(number)
    groups: dict[int, list[Picture]] = defaultdict(list)
    for number, _ in seen:
        groups[lead(number)].append(pictures[number])
    return [sorted(group, key=_best_first) for group in groups.values() if len(group) > 1]


def _look_alike(one: Measures, other: Measures | None) -> bool:
    if other is None or (one.fingerprint ^ other.fingerprint).bit_count() > ALIKE_BITS:
        return False
    difference = sum(abs(a - b) for a, b in zip(one.sketch, other.sketch, strict=True))
    return difference <= ALIKE_COLOUR * len(one.sketch)


def _best_first(picture: Picture) -> tuple[int, str]:
    return (-picture.width_px * picture.height_px, str(picture.path))


def alike_findings(pictures: Sequence[Picture]) -> list[Finding]:
    """All but the best of each group."""
    hint = "Remove it, unless both are to be learnt: twice the same weighs twice."
    return [
        replace(_finding(one, f"It looks like {best.path.name}.", hint, ALIKE), beside=best.path)
        for best, *others in alike(pictures)
        for one in others
    ]


def blurred_findings(pictures: Sequence[Picture]) -> list[Finding]:
    """Pictures that are blurred where the others are not."""
    seen = [(one, one.measures.sharpness) for one in pictures if one.measures]
    if len(seen) < FEWEST:
        return []
    limit = min(BLURRED, BLURRED_SHARE * _middle(sharpness for _, sharpness in seen))
    hint = "Use a sharper copy, or remove it: blur is learnt as part of the style."
    return [
        _finding(one, BLURRED_SUMMARY, hint)
        for one, sharpness in seen
        if 0 < sharpness < limit  # 0 is one colour, which has its own finding
    ]


def bar_findings(pictures: Sequence[Picture]) -> list[Finding]:
    """Pictures in letterboxes."""
    hint = "Crop them off: they are learnt with the rest."
    found = (one for one in pictures if one.measures and one.measures.has_bars)
    return [_finding(one, BARS, hint) for one in found]


def colour_findings(pictures: Sequence[Picture]) -> list[Finding]:
    """Pictures whose mean colour is far from that of most: one photograph among drawings."""
    seen = [(one, one.measures.mean_colour) for one in pictures if one.measures]
    if len(seen) < FEWEST:
        return []
    middle = [_middle(colour[channel] for _, colour in seen) for channel in range(3)]
    far = [(one, math.dist(colour, middle)) for one, colour in seen]
    usual = _middle(distance for _, distance in far)
    limit = max(FAR_COLOUR, FAR * usual)
    hint = "Look whether it belongs to the style."
    return [_finding(one, COLOUR, hint) for one, distance in far if distance > limit]


def caption_findings(pictures: Sequence[Picture]) -> list[Finding]:
    """Captions that several pictures share."""
    same: dict[str, list[Picture]] = defaultdict(list)
    for one in pictures:
        if not captions.says_nothing(one.caption):
            same[one.caption].append(one)
    hint = "Say what tells each picture from the others; what all share is the style's."
    return [
        _finding(one, f"Its caption is that of {len(group) - 1:,} other pictures, too.", hint, SAME)
        for group in same.values()
        if len(group) >= SAME_CAPTION
        for one in group
    ]


def _middle(numbers: Iterable[float]) -> float:
    """The median, of an even count the upper; `statistics` would slow the window's start."""
    found = sorted(numbers)
    return found[len(found) // 2]


def _finding(picture: Picture, message: str, hint: str, summary: str = "") -> Finding:
    return Finding(picture.path, message, hint, usable=True, summary=summary)
