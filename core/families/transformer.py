"""Transformers on latents, which flow families share: how they are loaded, and packed latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from core.families import loading, quantized
from core.families.device import Device, placed

if TYPE_CHECKING:
    from torch import Tensor

    from core.base.value import Base


def load(base: Base, kind: Any, device: Device) -> Any:  # noqa: ANN401 - untyped
    """The base's transformer. Backward it computes each block anew: else no card could hold it.

    Raises:
        BaseModelError: It is not whole.
        MemoryFullError: It does not fit.
    """
    net = loading.net(base, "transformer", kind, device.weights)
    net.enable_gradient_checkpointing()
    if device.held != "whole":
        quantized.hold(net, device.held, device.compute)
    return placed(net, device)


def packed(latents: Tensor, patch: int) -> Tensor:
    """Latents (B, C, h, w) as a sequence of squares, (B, h w / patch^2, C patch^2)."""
    batch, channels, height, width = latents.shape
    squares = latents.view(batch, channels, height // patch, patch, width // patch, patch)
    return squares.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, channels * patch**2)


def unpacked(sequence: Tensor, height: int, width: int, patch: int) -> Tensor:
    """Back from `packed`, for latents of this height and width."""
    batch, _, numbers = sequence.shape
    channels = numbers // patch**2
    squares = sequence.view(batch, height // patch, width // patch, channels, patch, patch)
    return squares.permute(0, 3, 1, 4, 2, 5).reshape(batch, channels, height, width)


def places(height: int, width: int, device: torch.device) -> Tensor:
    """Where each square of a sequence lies: (h w, 3), of which the first number is unused."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([torch.zeros_like(rows), rows, columns], dim=-1).view(-1, 3).to(device)
