"""A learning rate's range test as pure functions: which rates, a smooth curve, what it says.

Smith 2017, arXiv:1506.01186, section 3.3: a short run whose rate rises until it diverges; here by
equal factors, so that each power of ten gets as many steps.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

STEPS = 100  # of a whole sweep
EVERY = 4  # steps between two measurements
REACH = 100.0  # it begins at the usual rate divided by this, and would end at it times this
TOO_HIGH = 2.0  # times the untrained loss: it diverges
LEAST_POINTS = 5  # of a curve that anything is read from
SURE = 2.0  # standard errors of a difference that is taken for one
STEEP = 0.5  # of the steepest fall: as good as that, as far as a short run can tell
DIGITS = 2  # of a rate that is proposed: more would be made up
_KERNEL = (1, 2, 3, 2, 1)


@dataclass(frozen=True, slots=True)
class Point:
    """What came of a rate: the loss of each picture that is looked at, noised alike each time."""

    rate: float
    losses: Sequence[float]

    @property
    def loss(self) -> float:
        return statistics.fmean(self.losses)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a sweep says; a rate of 0 is that it says nothing."""

    rate: float
    least: float  # from here
    most: float  # to here it would be much the same
    words: str


def rate_of(step: int, usual: float) -> float:
    """The rate in `step`, from 1: usual / reach in the first, usual times reach in the last."""
    return usual * REACH ** (2 * (step - 1) / (STEPS - 1) - 1)


def diverges(loss: float, untrained: float) -> bool:
    """Whether there is no use in still higher rates."""
    return not math.isfinite(loss) or loss > TOO_HIGH * untrained


def smoothed(values: Sequence[float]) -> list[float]:
    """A weighted mean about each point, at the ends of what is there.

    Not of those before it alone, as an exponential mean is: that would lag, and name rates that
    are too high.
    """
    half, made = len(_KERNEL) // 2, []
    for place in range(len(values)):
        near = range(max(0, place - half), min(len(values), place + half + 1))
        weights = [_KERNEL[other - place + half] for other in near]
        summed = sum(weight * values[other] for weight, other in zip(weights, near, strict=True))
        made.append(summed / sum(weights))
    return made


def slopes(values: Sequence[float]) -> list[float]:
    """How much a curve rises at each of its points, which stand evenly; to one side at its ends."""
    last = len(values) - 1
    return [
        (values[min(place + 1, last)] - values[max(place - 1, 0)])
        / (min(place + 1, last) - max(place - 1, 0))
        for place in range(len(values))
    ]


def proposed(untrained: Sequence[float], points: Sequence[Point], *, diverged: bool) -> Proposal:
    """Where the loss falls most steeply by the logarithm of the rate, before it is lowest.

    At the lowest point rates already do as much harm as good; where the fall is steepest a step
    teaches the most.

    Args:
        untrained: Of each picture, before the first step.
        points: In the order of their rates, which rise by equal factors.
        diverged: Whether a rate came after them that did not learn any more.
    """
    curve = smoothed([point.loss for point in points])
    if len(curve) < LEAST_POINTS:
        return _nothing("It diverged almost at once: something other than the rate is amiss.")
    lowest = min(range(len(curve)), key=curve.__getitem__)
    gains = [a - b for a, b in zip(untrained, points[lowest].losses, strict=True)]
    if not _holds(gains):
        return _nothing(
            "At no rate did so few steps make a difference that is more than chance, so nothing "
            "can be read from this: stay with the usual rate."
        )
    falls = [-slope for slope in slopes(curve)]
    steepest = max(range(lowest + 1), key=falls.__getitem__)
    enough = STEEP * falls[steepest]
    first = last = steepest
    while first > 0 and falls[first - 1] >= enough:
        first -= 1
    while last < lowest and falls[last + 1] >= enough:
        last += 1
    rate, least, most = (rounded(points[place].rate) for place in (steepest, first, last))
    return Proposal(rate, least, most, _words(points, (steepest, lowest), diverged=diverged))


def rounded(rate: float) -> float:
    """To so many digits as there is reason for."""
    return float(f"{rate:.{DIGITS}g}")


def _nothing(words: str) -> Proposal:
    return Proposal(0.0, 0.0, 0.0, words)


def _words(points: Sequence[Point], places: tuple[int, int], *, diverged: bool) -> str:
    steepest, lowest = (rounded(points[place].rate) for place in places)
    if diverged:
        end = f", and it came apart above {rounded(points[-1].rate):g}"
    elif places[1] == len(points) - 1:
        end = " and was still falling at the highest rate that was tried: more may be better"
    else:
        end = f" and rose again up to {rounded(points[-1].rate):g}"
    return (
        f"The loss fell fastest at {steepest:g}, was lowest at {lowest:g}{end}. A short run tells "
        "a rate to a factor of about three, not better: this is where to begin."
    )


def _holds(gains: Sequence[float]) -> bool:
    """Whether a gain is more than chance; a picture alone counts as it is."""
    mean = statistics.fmean(gains)
    if len(gains) == 1:
        return mean > 0
    return mean > SURE * statistics.stdev(gains) / math.sqrt(len(gains))
