"""The path from data to noise as a value: what lies on it, and what a net says of it.

x_t = signal(t) x_0 + noise(t) n. `u` is where on the path a sample is, evenly spread from 0 (data)
to 1 (noise); a path turns it into its own times, which the net is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import torch

from core.diffusion.times import EVEN, Maths, Times

if TYPE_CHECKING:
    from torch import Tensor

Prediction = Literal["epsilon", "v_prediction", "flow"]


class NoisePath(Protocol):
    """Times (B,) to what they mean; a value, not a state."""

    @property
    def prediction(self) -> Prediction:
        """What the net is asked for."""
        ...

    @property
    def times(self) -> Times:
        """How often training visits each place."""
        ...

    def timed(self, times: Times) -> NoisePath:
        """The same path, whose places are visited otherwise."""
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


def _quantile(share: Tensor) -> Tensor:
    return torch.special.ndtri(share.clamp(1e-6, 1 - 1e-6))  # its ends lie at infinity


TENSORS = Maths(_quantile, torch.sigmoid)


@dataclass(frozen=True, slots=True)
class Diffusion:
    """The discrete path of DDPM (Ho et al. 2020, arXiv:2006.11239, eq. 4).

    signal = sqrt(alpha_bar), noise = sqrt(1 - alpha_bar). Times are whole numbers, 0 to T - 1.
    """

    alpha_bars: Tensor  # (T,), the signal's share of the variance
    prediction: Literal["epsilon", "v_prediction"]
    times: Times = EVEN

    def timed(self, times: Times) -> Diffusion:
        return replace(self, times=times)

    def time(self, u: Tensor, size: int) -> Tensor:
        count = len(self.alpha_bars)
        return (self.times.places(u, size, TENSORS) * count).long().clamp(max=count - 1)

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        alpha_bar = self.alpha_bars[t]
        return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()

    def snr(self, t: Tensor) -> Tensor:
        alpha_bar = self.alpha_bars[t]
        return alpha_bar / (1 - alpha_bar)


@dataclass(frozen=True, slots=True)
class Flow:
    """The straight path of rectified flow (Liu et al. 2022, arXiv:2209.03003, time reversed).

    signal = 1 - t, noise = t, 0 <= t <= 1.
    """

    times: Times = EVEN
    prediction: Literal["flow"] = "flow"

    def timed(self, times: Times) -> Flow:
        return replace(self, times=times)

    def time(self, u: Tensor, size: int) -> Tensor:
        return self.times.places(u, size, TENSORS)

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

    gamma 0 turns it off: all ones.
    """
    return torch.ones_like(snr) if gamma == 0 else _on_x0(snr.clamp(max=gamma), snr, prediction)


def debiased_weight(snr: Tensor, prediction: Prediction) -> Tensor:
    """Loss weight of each sample, (B,): sqrt(SNR) on x_0's error.

    Of epsilon that is 1 / sqrt(SNR), as Yu et al. 2023 have it (arXiv:2310.08442, eq. 12): noisy
    times count for more.
    """
    return _on_x0(snr.sqrt(), snr, prediction)


def _on_x0(weight: Tensor, snr: Tensor, prediction: Prediction) -> Tensor:
    """A weight of x_0's error as one of what the net says.

    An error of epsilon counts SNR times on x_0, one of v SNR + 1 times, one of the flow's velocity
    (1 + sqrt(SNR))^2 = 1 / t^2 times, hence the divisors.
    """
    match prediction:
        case "epsilon":  # without any signal left there is nothing to tell x_0 by
            return (weight / snr).nan_to_num(nan=1, posinf=1)
        case "v_prediction":
            return (weight / (snr + 1)).nan_to_num(nan=0)
        case "flow":
            return (weight / (1 + snr.sqrt()).square()).nan_to_num(nan=0)


def squared_error(made: Tensor, wanted: Tensor) -> Tensor:
    """(B, ...), element by element."""
    return (made - wanted).square()


def huber_error(made: Tensor, wanted: Tensor, c: float) -> Tensor:
    """Pseudo-Huber, element by element: 2 c (sqrt(d^2 + c^2) - c), as in kohya's scripts.

    d^2 for differences far below `c`, 2 c |d| far above: pictures that fit nothing else pull less
    (Khrapov et al. 2024, arXiv:2403.16728).
    """
    return 2 * c * (((made - wanted).square() + c**2).sqrt() - c)


def _per_sample(values: Tensor, like: Tensor) -> Tensor:
    """(B,) reshaped to multiply (B, ...)."""
    if values.shape != like.shape[:1]:
        raise ValueError(f"one value per sample expected, got {tuple(values.shape)}")
    return values.view(-1, *[1] * (like.ndim - 1)).to(like.dtype)
