"""Diffusers' UNet, which Stable Diffusion 1, 2 and XL share: how it is loaded and what fits it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor

from core.errors import BaseModelError
from core.families import loading, quantized, streaming
from core.families.device import Device, placed
from core.families.vae import pixels_per_latent

if TYPE_CHECKING:
    from core.base.value import Base

FEW_PLACES = 256  # up to here plain products beat the fused kernel, whose backward is slow on a CPU
SIZE = 64  # latents, of a UNet that does not say it


def load(base: Base, device: Device) -> Any:  # noqa: ANN401 - untyped
    """The base's UNet.

    Raises:
        BaseModelError: It is not whole.
        MemoryFullError: It does not fit.
    """
    unet = loading.net(base, "unet", UNet2DConditionModel, device.weights)
    if device.kind == "cpu" and attended_edge(unet) ** 2 <= FEW_PLACES:
        unet.set_attn_processor(AttnProcessor())
    if device.held != "whole":
        quantized.hold(unet, device.held, device.compute)
    return streaming.place(unet, device) if device.streams else placed(unet, device)


def edge(unet: Any) -> int:  # noqa: ANN401
    """Of the latents that it was trained on; a config may say one edge, two, or none."""
    size = unet.config.sample_size
    return max(size) if isinstance(size, list | tuple) else size or SIZE


def attended_edge(unet: Any) -> int:  # noqa: ANN401
    """The largest edge that attention sees: upper levels may be without."""
    kinds = unet.config.down_block_types
    attends = (level for level, kind in enumerate(kinds) if "Attn" in kind)
    return edge(unet) >> next(attends, len(kinds) - 1)  # the middle block attends at the last


def sizes(unet: Any, vae: Any) -> tuple[int, int]:  # noqa: ANN401
    """The edge of the pictures that it was trained on, px, and what sides are multiples of."""
    per_latent = pixels_per_latent(vae)
    levels = 2 ** (len(unet.config.block_out_channels) - 1)
    return edge(unet) * per_latent, per_latent * levels


def check_reads(base: Base, unet: Any, width: int) -> None:  # noqa: ANN401
    """Whether a UNet reads texts as wide as the text encoders write them.

    Raises:
        BaseModelError: It does not.
    """
    if unet.config.cross_attention_dim != width:
        raise BaseModelError(
            f"The base model {base.path} is mixed up: its UNet reads texts "
            f"{unet.config.cross_attention_dim} wide, its text encoder writes them {width} wide.",
            hint=loading.WHOLE,
        )


def check_knows(base: Base, encoder: Any, tokenizer: Any) -> None:  # noqa: ANN401
    """Whether a text encoder knows all of its tokenizer's tokens.

    Raises:
        BaseModelError: It does not.
    """
    if len(tokenizer) > encoder.config.vocab_size:
        raise BaseModelError(
            f"The base model {base.path} is mixed up: its tokenizer knows {len(tokenizer):,} "
            f"tokens, its text encoder {encoder.config.vocab_size:,}.",
            hint=loading.WHOLE,
        )
