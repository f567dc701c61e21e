"""Weights in fp8 with a scale beside each, as ComfyUI's files have them, as plain numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

_SCALES = (".scale_weight", ".weight_scale")  # older and newer
# of inputs, which are not rounded here; what says how a weight is held; a mark of the whole file
_ASIDE = (*_SCALES, ".scale_input", ".input_scale", ".comfy_quant", "scaled_fp8")
_WEIGHT = ".weight"


def unscaled(own: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """The same tensors with the scales multiplied in; where there are none, what was given.

    A layer at a time, so that what comes out is all that takes memory.

    Args:
        own: A net's tensors by their names in the file.
        dtype: Of what was scaled.
    """
    if not any(name.endswith(_SCALES) for name in own):
        return own
    made: dict[str, Tensor] = {}
    for name, tensor in own.items():
        if name.endswith(_ASIDE):
            continue
        stem = name.removesuffix(_WEIGHT)
        scale = next((own[stem + s] for s in _SCALES if name != stem and stem + s in own), None)
        if scale is not None:
            rows = scale.numel() if scale.numel() > 1 else 1
            scale = scale.float().reshape(rows, *[1] * (tensor.ndim - 1))
            tensor = (tensor.float() * scale).to(dtype)  # noqa: PLW2901
        made[name] = tensor
    return made
