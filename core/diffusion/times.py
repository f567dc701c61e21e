"""How often training visits each place of a path: pure functions of numbers or tensors, no torch.

A run computes with them on tensors, the window's plot on numbers: there is one formula.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from core.config.options import NoiseConfig

_EDGE = 1e-6  # the ends of the normal distribution lie at infinity
_NORMAL = statistics.NormalDist()
# What diffusers' FlowMatchEulerDiscreteScheduler takes where a base's files say nothing.
_UNSAID = {
    "use_dynamic_shifting": False,
    "shift": 1.0,
    "base_image_seq_len": 256,
    "max_image_seq_len": 4096,
    "base_shift": 0.5,
    "max_shift": 1.15,
}


class Maths(NamedTuple):
    """What is not the same for numbers and for tensors."""

    quantile: Callable[[Any], Any]  # of the normal distribution, for shares from 0 to 1
    sigmoid: Callable[[Any], Any]


NUMBERS = Maths(
    lambda share: _NORMAL.inv_cdf(min(max(share, _EDGE), 1 - _EDGE)),
    lambda x: 1 / (1 + math.exp(-x)),
)


class Shifts(NamedTuple):
    """How far a flow is shifted at two sizes of latents, h w; the logarithm is a straight line.

    Of a larger picture as much noise hides less (arXiv:2403.03206, section 5.3.2).
    """

    small: int
    large: int
    log_shift_small: float
    log_shift_large: float

    def at(self, size: int) -> float:
        """The shift of latents of `size`."""
        slope = (self.log_shift_large - self.log_shift_small) / (self.large - self.small)
        return math.exp(self.log_shift_small + slope * (size - self.small))


@dataclass(frozen=True, slots=True)
class Times:
    """How often training visits each place of a path, 0 to 1: what makes places of even shares.

    Places are even, or logit-normal with this mean and spread around it (Esser et al. 2024,
    arXiv:2403.03206, eq. 19); then shifted towards noise by `shift` (their eq. 23): t' = shift t /
    (1 + (shift - 1) t), or by what `by_size` says; then drawn together into `first` to `last`.
    """

    logit_spread: float = 0.0  # 0 is even
    logit_mean: float = 0.0
    shift: float = 1.0
    by_size: Shifts | None = None
    first: float = 0.0
    last: float = 1.0

    def places(self, u: Any, size: int, maths: Maths) -> Any:  # noqa: ANN401 - as `u` is
        """Of `u`, evenly spread from 0 to 1, for latents of `size` = h w."""
        t = u
        if self.logit_spread:
            t = maths.sigmoid(self.logit_mean + self.logit_spread * maths.quantile(u))
        shift = self.by_size.at(size) if self.by_size else self.shift
        t = shift * t / (1 + (shift - 1) * t)
        return self.first + (self.last - self.first) * t

    def wished(self, config: NoiseConfig) -> Times:
        """As a run wants them; by default these, the base's own."""
        times = self
        if config.times == "even":
            times = Times()
        elif config.times == "logit_normal":
            times = replace(times, logit_mean=config.logit_mean, logit_spread=config.logit_spread)
        if config.shift:
            times = replace(times, shift=config.shift, by_size=None)
        return replace(times, first=config.first, last=config.last)


EVEN = Times()


def of_flow(scheduler: Mapping[str, Any], patch: int) -> Times:
    """A flow's own: logit-normal, and shifted as its scheduler's settings say.

    Args:
        scheduler: Those settings.
        patch: The edge of a place of the transformer, in units of which `size` is the square.
    """
    said = {**_UNSAID, **scheduler}
    if not said["use_dynamic_shifting"]:
        return Times(logit_spread=1.0, shift=float(said["shift"]))
    by_size = Shifts(
        said["base_image_seq_len"] * patch**2,
        said["max_image_seq_len"] * patch**2,
        said["base_shift"],
        said["max_shift"],
    )
    return Times(logit_spread=1.0, by_size=by_size)


def how_often(times: Times, size: int, spans: int, draws: int = 4000) -> list[float]:
    """How often a place in each of so many equal spans is drawn, as a multiple of evenly."""
    counts = [0] * spans
    for number in range(draws):
        place = times.places((number + 0.5) / draws, size, NUMBERS)
        counts[min(int(place * spans), spans - 1)] += 1
    return [count * spans / draws for count in counts]
