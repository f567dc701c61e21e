"""VAEs made for films: a picture is a film of one frame, and each channel has its own scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from core.families import loading, tiles
from core.families.device import Device, placed

if TYPE_CHECKING:
    from torch import Tensor

    from core.base.value import Base
    from core.families.family import Model


def load(base: Base, kind: Any, device: Device) -> Any:  # noqa: ANN401 - untyped
    """The base's VAE, in float32.

    Raises:
        BaseModelError: It is not whole.
        MemoryFullError: It does not fit.
    """
    return placed(loading.net(base, "vae", kind, torch.float32), device)


def pixels_per_latent(vae: Any) -> int:  # noqa: ANN401
    """How many pixels wide one latent is."""
    return 2 ** len(vae.config.temperal_downsample)


def _norm(vae: Any) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """Mean and deviation of each channel, (1, C, 1, 1)."""
    mean, deviation = (
        torch.tensor(numbers, device=vae.device).view(1, -1, 1, 1)
        for numbers in (vae.config.latents_mean, vae.config.latents_std)
    )
    return mean, deviation


@torch.no_grad()
def encode(model: Model, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, H, W), -1 to 1, as mean and deviation of their scaled latents."""
    latent = tiles.encode(model, pixels.unsqueeze(2))
    mean, deviation = _norm(model.parts["vae"])
    return (latent.mean.squeeze(2) - mean) / deviation, latent.std.squeeze(2) / deviation


@torch.no_grad()
def decode(model: Model, latents: Tensor) -> Tensor:
    """Scaled latents as pictures (B, 3, H, W), -1 to 1."""
    mean, deviation = _norm(model.parts["vae"])
    return tiles.decode(model, (latents.float() * deviation + mean).unsqueeze(2)).squeeze(2)


@torch.no_grad()
def features(model: Model, pixels: Tensor) -> list[Tensor]:
    """The encoder's features of pictures (B, 3, H, W) after each level, (B, C, h, w)."""
    encoder = model.parts["vae"].encoder
    x = encoder.conv_in(pixels.to(model.device).unsqueeze(2))
    found: list[Tensor] = []
    for block in encoder.down_blocks:
        if hasattr(block, "resample"):
            found.append(x.squeeze(2))
        x = block(x)
    return [*found, x.squeeze(2)]
