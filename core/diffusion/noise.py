"""Noise that is not plain, and times that are not the base's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

if TYPE_CHECKING:
    from torch import Tensor

    from core.config.options import NoiseConfig
    from core.diffusion.path import NoisePath

_LEVELS = 10  # of the pyramid, at the most


def shifted(noise: Tensor, of_channels: Tensor, strength: float) -> Tensor:
    """Noise offset: of each channel all places are moved alike (Guttenberg 2023, Cross Labs).

    Plain noise leaves a channel's mean nearly as it is: a net never learns to draw very dark or
    bright pictures.

    Args:
        noise: Standard normal, (B, C, ...).
        of_channels: Standard normal, (B, C).
        strength: Of the offset; 0.05 to 0.1 is usual.
    """
    return noise + strength * of_channels.view(*of_channels.shape, *[1] * (noise.ndim - 2))


def pyramid(noise: Tensor, rng: torch.Generator, discount: float) -> Tensor:
    """Multi-resolution noise: coarser noise is added at falling strength (Whitaker 2023).

    Level i, of a 2 to 4 times smaller edge each, counts discount^i. The result is brought back to a
    deviation of 1 for each sample.

    Args:
        noise: Standard normal, (B, C, h, w).
        rng: All chance comes from it.
        discount: 0.1 to 0.4 is usual.
    """
    count, channels, height, width = noise.shape
    edges = torch.tensor([height, width], dtype=torch.float64)
    whole = noise.clone()
    for level in range(1, _LEVELS + 1):
        edges = edges / (2 + 2 * torch.rand(1, generator=rng).item())
        size = [max(1, int(edge)) for edge in edges.tolist()]
        coarse = torch.randn(count, channels, *size, generator=rng)
        coarse = F.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
        whole += discount**level * coarse
        if size == [1, 1]:
            break
    return whole / whole.flatten(1).std(dim=1).view(-1, 1, 1, 1)


def timed(path: NoisePath, config: NoiseConfig) -> NoisePath:
    """A path whose times are drawn as a run wants them; by default as its base was made."""
    return path.timed(path.times.wished(config))
