"""Pictures to latents and back through diffusers' AutoencoderKL, which most families share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderKL

from core.families import loading, tiles
from core.families.device import Device, placed

if TYPE_CHECKING:
    from torch import Tensor

    from core.base.value import Base
    from core.families.family import Model


def load(base: Base, device: Device) -> AutoencoderKL:
    """The base's VAE, in float32: in half precision some give black.

    Raises:
        BaseModelError: It is not whole.
        MemoryFullError: It does not fit.
    """
    return placed(loading.net(base, "vae", AutoencoderKL, torch.float32), device)


def pixels_per_latent(vae: Any) -> int:  # noqa: ANN401 - untyped configs
    """How many pixels wide one latent is; some VAEs pack several of their own into one."""
    packs = getattr(vae.config, "patch_size", None) or (1,)
    return 2 ** (len(vae.config.block_out_channels) - 1) * packs[0]


@torch.no_grad()
def encode(model: Model, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, H, W), -1 to 1, as mean and deviation of their scaled latents."""
    latent, config = tiles.encode(model, pixels), model.parts["vae"].config
    scale, shift = config.scaling_factor, config.shift_factor or 0.0
    return (latent.mean - shift) * scale, latent.std * scale


@torch.no_grad()
def decode(model: Model, latents: Tensor) -> Tensor:
    """Scaled latents as pictures (B, 3, H, W), -1 to 1, whole numbers whatever the net's dtype."""
    config = model.parts["vae"].config
    plain = latents.float() / config.scaling_factor + (config.shift_factor or 0.0)
    return tiles.decode(model, plain)


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
