"""Training a DoRA, of either axis, on peft's LoRA layers; peft's own knows outputs alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from peft.tuners.lora.layer import LoraVariant
from torch import Tensor, nn

from core.adapters.changes import norms
from core.adapters.weight import whole

if TYPE_CHECKING:
    from peft.tuners.lora import LoraLayer


class Magnitude(nn.Module):
    """One number for each input or output of a module, that learns."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(start)


class DoraVariant(LoraVariant):
    """W' x = m (W + s B A) x / ||W + s B A||; the norm counts as a constant (the paper's 4.3)."""

    def __init__(self, *, per_input: bool) -> None:
        self.per_input = per_input

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] - peft's is static
        self,
        module: Any,  # noqa: ANN401 - peft's layers, whose parts are untyped
        *,
        active_adapter: str,
        x: Tensor,
        result: Tensor,
        **_: object,
    ) -> Tensor:
        """What peft calls in place of adding the LoRA.

        Args:
            module: Peft's layer.
            active_adapter: The name of its adapter.
            x: What goes in.
            result: What the base's module makes of it.
        """
        base, scale = module.get_base_layer(), module.scaling[active_adapter]
        down, up = module.lora_A[active_adapter], module.lora_B[active_adapter]
        dropout = module.lora_dropout[active_adapter]
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            weight = whole(base)
            norm = norms(moved(weight, down.weight, up.weight, scale), per_input=self.per_input)
        gain = module.lora_magnitude_vector[active_adapter].weight / norm
        # of what a linear module takes and gives the channels come last, of a convolution second
        edges = [-1, *[1] * (weight.ndim - 2)]
        gain = gain.view(edges)
        if self.per_input:
            x = x * gain
            result = base(x.to(result.dtype))
        added = up(down(dropout(x).to(down.weight.dtype))) * scale
        if self.per_input:
            return result + added
        bias = 0 if base.bias is None else base.bias.view(edges)
        return (result - bias + added) * gain + bias


def moved(weight: Tensor, down: Tensor, up: Tensor, scale: float) -> Tensor:
    """W + s B A in the weight's shape, float32."""
    product = up.flatten(1).float() @ down.flatten(1).float()
    return weight.float() + product.reshape(weight.shape) * scale


def dress(layer: LoraLayer, adapter: str, *, per_input: bool) -> None:
    """Make a DoRA of a new LoRA; it changes nothing yet.

    Args:
        layer: Peft's.
        adapter: Its adapter's name.
        per_input: Which axis the magnitudes belong to.
    """
    parts: Any = layer
    weight = whole(parts.get_base_layer())
    start = norms(weight.detach().float(), per_input=per_input)
    parts.lora_magnitude_vector[adapter] = Magnitude(start)
    parts.lora_variant[adapter] = DoraVariant(per_input=per_input)
    if "lora_magnitude_vector" not in parts.adapter_layer_names:
        parts.adapter_layer_names = (*parts.adapter_layer_names, "lora_magnitude_vector")
