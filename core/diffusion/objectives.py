"""Noised latents, what the net should say about them, and how much each time weighs.

Names follow Ho et al. 2020 (arXiv:2006.11239): `alpha_bar` is the share of signal left in the
variance, so that x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Prediction = Literal["epsilon", "v_prediction"]


def _per_sample(values: Tensor, like: Tensor) -> Tensor:
    """(B,) reshaped to multiply (B, ...)."""
    if values.shape != like.shape[:1]:
        raise ValueError(f"one value per sample expected, got {tuple(values.shape)}")
    return values.view(-1, *[1] * (like.ndim - 1)).to(like.dtype)


def noised(x0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise (arXiv:2006.11239, eq. 4).

    Args:
        x0: Clean latents, (B, C, H, W).
        noise: Standard normal, same shape.
        alpha_bar: Of each sample's time, (B,), 0 to 1.

    Raises:
        ValueError: `alpha_bar` is not one value per sample.
    """
    a = _per_sample(alpha_bar, x0)
    return a.sqrt() * x0 + (1 - a).sqrt() * noise


def target(x0: Tensor, noise: Tensor, alpha_bar: Tensor, prediction: Prediction) -> Tensor:
    """What the net is asked for.

    epsilon: the noise. v_prediction: sqrt(alpha_bar) noise - sqrt(1 - alpha_bar) x_0 (Salimans &
    Ho 2022, arXiv:2202.00512, appendix D). Shapes as in `noised`.

    Raises:
        ValueError: `alpha_bar` is not one value per sample.
    """
    if prediction == "epsilon":
        return noise
    a = _per_sample(alpha_bar, x0)
    return a.sqrt() * noise - (1 - a).sqrt() * x0


def min_snr_weight(alpha_bar: Tensor, gamma: float, prediction: Prediction) -> Tensor:
    """Loss weight of each sample, (B,): min(SNR, gamma) on x_0's error (arXiv:2303.09556).

    SNR = alpha_bar / (1 - alpha_bar). An error of epsilon counts SNR times on x_0, one of v
    SNR + 1 times, hence the divisors. gamma 0 turns it off: all ones.
    """
    if gamma == 0:
        return torch.ones_like(alpha_bar)
    snr = alpha_bar / (1 - alpha_bar)
    weight = snr.clamp(max=gamma)
    # at zero terminal SNR the quotient's limit is 1 for epsilon and 0 for v
    return weight / (snr + 1) if prediction == "v_prediction" else (weight / snr).nan_to_num(nan=1)


def loss(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean squared error, a scalar in float32; weight is (B,)."""
    per_sample = (made.float() - wanted.float()).square().flatten(1).mean(dim=1)
    return (per_sample * weight.float()).mean()
