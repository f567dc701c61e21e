"""A LoRA as a value, put into nets and taken out of them through peft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer

from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor, nn

ADAPTER = "default"  # peft's name for the one adapter we inject


class Place(NamedTuple):
    """Where a pair of matrices sits: `unet`, `down_blocks.0.attentions.0...attn1.to_q`."""

    component: str
    module: str


@dataclass(frozen=True, slots=True)
class Pair:
    """dW = up @ down * alpha / rank. down is (r, in), up is (out, r)."""

    down: Tensor
    up: Tensor
    alpha: float

    @property
    def rank(self) -> int:
        return self.down.shape[0]


Adapter = dict[Place, Pair]


def inject(
    nets: Mapping[str, nn.Module], targets: Mapping[str, str], config: LoraConfig
) -> list[nn.Parameter]:
    """Put a new, neutral LoRA into the modules that match `targets` (component to regex).

    Its weights are float32 whatever the net's precision, as training them needs.

    Returns:
        Its parameters, in the order of the nets' modules.
    """
    for component, pattern in targets.items():
        settings = LoraConfig(**{**config.to_dict(), "target_modules": pattern})
        inject_adapter_in_model(settings, nets[component])
    parameters = [p for net in nets.values() for p in net.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.float()
    return parameters


def layers(nets: Mapping[str, nn.Module]) -> Iterator[tuple[Place, Any]]:
    """Every module that carries a LoRA: peft's LoraLayer, whose parts are untyped."""
    for component, net in nets.items():
        for name, module in net.named_modules():
            if isinstance(module, LoraLayer) and ADAPTER in module.lora_A:
                yield Place(component, name), module


def take(nets: Mapping[str, nn.Module]) -> Adapter:
    """The LoRA that the nets carry, copied to the CPU in float32."""
    return {
        place: Pair(
            layer.lora_A[ADAPTER].weight.detach().float().cpu().clone(),
            layer.lora_B[ADAPTER].weight.detach().float().cpu().clone(),
            float(layer.lora_alpha[ADAPTER]),
        )
        for place, layer in layers(nets)
    }


@torch.no_grad()
def put(nets: Mapping[str, nn.Module], adapter: Adapter) -> None:
    """Copy an adapter's weights into the LoRA that the nets carry already.

    Raises:
        AdapterError: A place is missing on either side, or a shape differs.
    """
    places = dict(layers(nets))
    if places.keys() != adapter.keys():
        odd = sorted(places.keys() ^ adapter.keys())[0]
        raise AdapterError(
            f"The adapter does not fit this model: {odd.component} {odd.module} has no partner.",
            hint="Use the base model that it was trained on.",
        )
    for place, pair in adapter.items():
        layer = places[place]
        a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
        if a.shape != pair.down.shape or b.shape != pair.up.shape:
            raise AdapterError(
                f"The adapter does not fit this model at {place.module}: "
                f"{tuple(pair.down.shape)} where {tuple(a.shape)} is needed.",
                hint="Use the base model that it was trained on.",
            )
        a.copy_(pair.down)
        b.copy_(pair.up)


def attach(nets: Mapping[str, nn.Module], adapter: Adapter) -> None:
    """Put a finished adapter into nets that carry none, exactly as large as it is.

    Raises:
        AdapterError: A place does not exist in the nets, or a shape differs.
    """
    known = {Place(c, name) for c, net in nets.items() for name, _ in net.named_modules()}
    if lost := sorted(adapter.keys() - known):
        raise AdapterError(
            f"The adapter does not fit this model: it has no {lost[0].module}.",
            hint="Use the base model that it was trained on.",
        )
    for component, net in nets.items():
        pairs = {p.module: pair for p, pair in adapter.items() if p.component == component}
        if pairs:
            settings = LoraConfig(
                target_modules=list(pairs),
                rank_pattern={f"^{name}$": pair.rank for name, pair in pairs.items()},
                alpha_pattern={f"^{name}$": pair.alpha for name, pair in pairs.items()},
            )
            inject_adapter_in_model(settings, net)
    put(nets, adapter)


def set_weight(nets: Mapping[str, nn.Module], weight: float) -> None:
    """How strongly the adapter acts: 0 is the base model, 1 as it was trained."""
    for _, layer in layers(nets):
        layer.set_scale(ADAPTER, weight)
