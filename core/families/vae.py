"""Pictures to latents and back through diffusers' AutoencoderKL, which most families share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from core.families.family import Model


@torch.no_grad()
def encode(model: Model, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, H, W), -1 to 1, as mean and deviation of their scaled latents."""
    vae = model.parts["vae"]
    latent = vae.encode(pixels.to(model.device)).latent_dist
    scale = vae.config.scaling_factor
    return latent.mean * scale, latent.std * scale


@torch.no_grad()
def decode(model: Model, latents: Tensor) -> Tensor:
    """Scaled latents as pictures (B, 3, H, W), -1 to 1, whole numbers whatever the net's dtype."""
    vae = model.parts["vae"]
    return vae.decode(latents.float() / vae.config.scaling_factor).sample


@torch.no_grad()
def features(model: Model, pixels: Tensor) -> list[Tensor]:
    """The encoder's features of pictures (B, 3, H, W) after each level, (B, C, h, w)."""
    encoder = model.parts["vae"].encoder
    x = encoder.conv_in(pixels.to(model.device))
    found: list[Tensor] = []
    for block in encoder.down_blocks:
        for resnet in block.resnets:
            x = resnet(x, temb=None)
        found.append(x)
        for downsampler in block.downsamplers or ():
            x = downsampler(x)
    return found
