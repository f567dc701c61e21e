"""Adapters as values, put into nets and taken out of them through peft."""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer

from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from peft import PeftConfig
    from torch import Tensor, nn

ADAPTER = "default"  # peft's name for the one adapter we inject
OTHER_BASE = "Use the base model that it was trained on."


class Place(NamedTuple):
    """Where an adapter changes a net: `unet`, `down_blocks.0.attentions.0...attn1.to_q`."""

    component: str
    module: str


@dataclass(frozen=True, slots=True)
class LoRA:
    """A change of rank r: dW = up @ down * alpha / r (Hu et al. 2021, arXiv:2106.09685).

    down is (r, in), up is (out, r); of convolutions (r, in, kh, kw) and (out, r, 1, 1).
    """

    down: Tensor
    up: Tensor
    alpha: float

    @property
    def rank(self) -> int:
        return self.down.shape[0]


Change = LoRA  # a union, as more kinds are read and written
Adapter = dict[Place, Change]


def inject(
    nets: Mapping[str, nn.Module],
    targets: Mapping[str, str],
    settings: Callable[[str], PeftConfig],
) -> dict[str, nn.Parameter]:
    """Put a new, neutral adapter into the modules that match `targets` (part to regex).

    Its numbers are drawn and kept in float32 whatever the net's precision, as training needs, so
    that a run begins alike on every device.

    Args:
        nets: By part.
        targets: Which modules of each.
        settings: Peft's, for the modules that match a regex.

    Returns:
        Its parameters by peft's names with the part in front, in the order of the nets' modules.
    """
    with _kept_in_float32():
        for component, pattern in targets.items():
            inject_adapter_in_model(settings(pattern), nets[component])
    return {
        f"{component}.{name.replace(f'.{ADAPTER}', '')}": parameter
        for component, net in nets.items()
        for name, parameter in net.named_parameters()
        if parameter.requires_grad
    }


@contextlib.contextmanager
def _kept_in_float32() -> Iterator[None]:
    """WORKAROUND: peft rounds what it has just drawn to the base's dtype (tuners_utils.py).

    Only its PeftModel wrapper undoes that, when the digits are lost already.
    """

    def device_and_float32(layer: Any, base: Any) -> tuple[Any, torch.dtype | None]:  # noqa: ANN401
        device, dtype = real(layer, base)
        return device, None if dtype is None else torch.float32

    peft: Any = BaseTunerLayer
    real = peft._get_base_layer_device_and_dtype
    peft._get_base_layer_device_and_dtype = device_and_float32
    try:
        yield
    finally:
        peft._get_base_layer_device_and_dtype = real


def layers(nets: Mapping[str, nn.Module]) -> Iterator[tuple[Place, Any]]:
    """Every module that carries an adapter: peft's layers, whose parts are untyped."""
    for component, net in nets.items():
        for name, module in net.named_modules():
            if isinstance(module, BaseTunerLayer):
                layer: Any = module
                yield Place(component, name), layer


def train_mode(nets: Mapping[str, nn.Module], *, on: bool) -> None:
    """Switch the adapter's own dropout; the frozen nets never leave evaluation."""
    for _, layer in layers(nets):
        layer.train(on)
        layer.get_base_layer().eval()


def take(nets: Mapping[str, nn.Module]) -> Adapter:
    """The adapter that the nets carry, copied to the CPU in float32.

    Raises:
        AdapterError: It is of a kind that no file of ours can hold.
    """
    return {place: _change(place, layer) for place, layer in layers(nets)}


def _change(place: Place, layer: Any) -> Change:  # noqa: ANN401
    if not isinstance(layer, LoraLayer) or ADAPTER not in layer.lora_A or layer.lora_variant:
        raise AdapterError(
            f"The adapter at {place.module} is a {type(layer).__name__}, which cannot be written.",
            hint="Train a plain LoRA.",
        )
    found: Any = layer
    return LoRA(
        found.lora_A[ADAPTER].weight.detach().float().cpu().clone(),
        found.lora_B[ADAPTER].weight.detach().float().cpu().clone(),
        found.scaling[ADAPTER] * found.r[ADAPTER],
    )


@torch.no_grad()
def attach(nets: Mapping[str, nn.Module], adapter: Adapter) -> None:
    """Put a finished adapter into nets that carry none, exactly as large as it is, frozen.

    Its numbers have the dtype of the module they change: drawing needs no more.

    Raises:
        AdapterError: A place does not exist in the nets, or a shape differs.
    """
    known = {Place(c, name) for c, net in nets.items() for name, _ in net.named_modules()}
    if lost := sorted(adapter.keys() - known):
        raise AdapterError(
            f"The adapter does not fit this model: it has no {lost[0].module}.", hint=OTHER_BASE
        )
    for component, net in nets.items():
        loras = {p.module: lora for p, lora in adapter.items() if p.component == component}
        if loras:
            _inject_exactly(net, loras)
    for place, layer in layers(nets):
        pair = adapter[place]
        a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
        if a.shape != pair.down.shape or b.shape != pair.up.shape:
            raise AdapterError(
                f"The adapter does not fit this model at {place.module}: "
                f"{tuple(pair.down.shape)} where {tuple(a.shape)} is needed.",
                hint=OTHER_BASE,
            )
        for parameter, value in ((a, pair.down), (b, pair.up)):
            parameter.copy_(value)
            parameter.requires_grad = False
        layer.eval()


def _inject_exactly(net: nn.Module, loras: Mapping[str, LoRA]) -> None:
    """Room for these changes and no others, each with its own rank and alpha.

    Peft's patterns also fit modules whose names end with another's, and cost 10 s for SDXL: names
    of a state dict are taken as they are.
    """
    usual = Counter((lora.rank, lora.alpha) for lora in loras.values()).most_common(1)[0][0]
    rank, alpha = usual
    settings = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(loras))  # pyright: ignore[reportArgumentType] - floats work
    names = {f"{name}.lora_A.weight": lora.down for name, lora in loras.items()}
    with warnings.catch_warnings():  # it says which modules end like ours and are not meant
        warnings.filterwarnings("ignore", "While injecting the PEFT adapters", RuntimeWarning)
        inject_adapter_in_model(settings, net, state_dict=names)
    for place, layer in layers({"": net}):
        lora = loras[place.module]
        if (lora.rank, lora.alpha) != usual:
            layer.update_layer(ADAPTER, lora.rank, lora.alpha, config=settings)


def set_weight(nets: Mapping[str, nn.Module], weight: float) -> None:
    """How strongly the adapter acts: 0 is the base model, 1 as it was trained."""
    for _, layer in layers(nets):
        layer.set_scale(ADAPTER, weight)
