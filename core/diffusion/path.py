"""The path from data to noise as a value: what lies on it, and what a net says of it.

x_t = signal(t) x_0 + noise(t) n. `u` is where on the path a sample is, evenly spread from 0 (data)
to 1 (noise); a path turns it into its own times, which the net is told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor

Prediction = Literal["epsilon", "v_prediction", "flow"]


class NoisePath(Protocol):
    """Times (B,) to what they mean; a value, not a state."""

    @property
    def prediction(self) -> Prediction:
        """What the net is asked for."""
        ...

    def time(self, u: Tensor, size: int) -> Tensor:
        """The path's times at `u`, (B,), 0 to 1, for latents of `size` = h w."""
        ...

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """The shares of signal and of noise at times `t`, (B,) each."""
        ...

    def snr(self, t: Tensor) -> Tensor:
        """Signal-to-noise ratio of the variances, (B,)."""
        ...


@dataclass(frozen=True, slots=True)
class Diffusion:
    """The discrete path of DDPM (Ho et al. 2020, arXiv:2006.11239, eq. 4).

    signal = sqrt(alpha_bar), noise = sqrt(1 - alpha_bar). Times are whole numbers, 0 to T - 1.
    """

    alpha_bars: Tensor  # (T,), the signal's share of the variance
    prediction: Literal["epsilon", "v_prediction"]

    def time(self, u: Tensor, size: int) -> Tensor:  # noqa: ARG002 - all sizes alike
        count = len(self.alpha_bars)
        return (u * count).long().clamp(max=count - 1)

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        alpha_bar = self.alpha_bars[t]
        return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()

    def snr(self, t: Tensor) -> Tensor:
        alpha_bar = self.alpha_bars[t]
        return alpha_bar / (1 - alpha_bar)


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
class Flow:
    """The straight path of rectified flow (Liu et al. 2022, arXiv:2209.03003, time reversed).

    signal = 1 - t, noise = t, 0 <= t <= 1. Times are drawn evenly, or logit-normal with the given
    spread around even odds (Esser et al. 2024, arXiv:2403.03206, eq. 19); then shifted towards
    noise by `shift` (their eq. 23): t' = shift t / (1 + (shift - 1) t), or by what `by_size` says.
    """

    shift: float = 1.0
    logit_spread: float = 0.0  # 0 is even
    by_size: Shifts | None = None
    prediction: Literal["flow"] = "flow"

    def time(self, u: Tensor, size: int) -> Tensor:
        # the ends of the normal distribution lie at infinity
        even = u.clamp(1e-6, 1 - 1e-6)
        t = torch.sigmoid(self.logit_spread * torch.special.ndtri(even)) if self.logit_spread else u
        shift = self.by_size.at(size) if self.by_size else self.shift
        return shift * t / (1 + (shift - 1) * t)

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return 1 - t, t

    def snr(self, t: Tensor) -> Tensor:
        return ((1 - t) / t).square()


def noised(x0: Tensor, noise: Tensor, signal_share: Tensor, noise_share: Tensor) -> Tensor:
    """x_t = signal x_0 + noise n.

    Args:
        x0: Clean latents, (B, ...).
        noise: Standard normal, same shape.
        signal_share: Of each sample, (B,).
        noise_share: Of each sample, (B,).

    Raises:
        ValueError: A share is not one value per sample.
    """
    return _per_sample(signal_share, x0) * x0 + _per_sample(noise_share, x0) * noise


def target(
    x0: Tensor,
    noise: Tensor,
    signal_share: Tensor,
    noise_share: Tensor,
    prediction: Prediction,
) -> Tensor:
    """What the net is asked for at that point of the path.

    epsilon: the noise. v_prediction: signal n - noise x_0 (Salimans & Ho 2022, arXiv:2202.00512,
    appendix D). flow: n - x_0, the velocity of the straight path. Shapes as in `noised`.

    Raises:
        ValueError: A share is not one value per sample.
    """
    match prediction:
        case "epsilon":
            return noise
        case "v_prediction":
            return _per_sample(signal_share, x0) * noise - _per_sample(noise_share, x0) * x0
        case "flow":
            return noise - x0


def min_snr_weight(snr: Tensor, gamma: float, prediction: Prediction) -> Tensor:
    """Loss weight of each sample, (B,): min(SNR, gamma) on x_0's error (arXiv:2303.09556).

    An error of epsilon counts SNR times on x_0, one of v SNR + 1 times, one of the flow's velocity
    (1 + sqrt(SNR))^2 = 1 / t^2 times, hence the divisors. gamma 0 turns it off: all ones.
    """
    if gamma == 0:
        return torch.ones_like(snr)
    weight = snr.clamp(max=gamma)
    match prediction:
        case "epsilon":  # without any signal left the quotient's limit is 1
            return (weight / snr).nan_to_num(nan=1)
        case "v_prediction":
            return weight / (snr + 1)
        case "flow":
            return weight / (1 + snr.sqrt()).square()


def _per_sample(values: Tensor, like: Tensor) -> Tensor:
    """(B,) reshaped to multiply (B, ...)."""
    if values.shape != like.shape[:1]:
        raise ValueError(f"one value per sample expected, got {tuple(values.shape)}")
    return values.view(-1, *[1] * (like.ndim - 1)).to(like.dtype)
