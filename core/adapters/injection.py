"""Adapters put into nets and taken out of them, through peft."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from core.adapters import dora
from core.adapters.changes import Adapter, Change, Place, tensors_of
from core.adapters.kinds import ADAPTER, KINDS, START, Kind, Room, kind_in, kind_of
from core.adapters.starts import STARTS
from core.adapters.weight import whole
from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from core.config.options import AdapterConfig

OTHER_BASE = "Use the base model that it was trained on."
_STRENGTH = "_stylewright_strength"  # a hook on a layer whose kind peft cannot scale
_KERNEL = (1, 1)


def inject(
    nets: Mapping[str, nn.Module], rooms: Mapping[str, Room], config: AdapterConfig
) -> dict[str, nn.Parameter]:
    """Put a new, neutral adapter into nets.

    Its numbers are drawn and kept in float32 whatever the net's precision, as training needs, so
    that a run begins alike on every device.

    Args:
        nets: By part.
        rooms: Which modules of each.
        config: Its kind, and more.

    Returns:
        Its parameters by peft's names with the part in front, in the order of the nets' modules.

    Raises:
        AdapterError: Nothing fits a pattern, or its kind cannot change what does.
    """
    kind = KINDS[config.kind]
    for component, room in rooms.items():
        _inject(nets[component], kind.settings(config, room), room.modules)
        for place, layer in layers({component: nets[component]}):
            base = layer.get_base_layer()
            if config.kind == "oft" and getattr(base, "kernel_size", _KERNEL) != _KERNEL:
                raise AdapterError(
                    f"An OFT cannot change {place.module}, a convolution of more than one pixel.",
                    hint="Choose another kind, or leave that layer out of adapter.pattern.",
                )
            if config.kind == "dora":
                dora.dress(layer, ADAPTER, per_input=config.dora_norm == "input")
            if config.init != "usual":
                _begin(layer, config.init)
    return parameters(nets)


def parameters(nets: Mapping[str, nn.Module]) -> dict[str, nn.Parameter]:
    """What learns in nets, by peft's names with the part in front."""
    return {
        f"{component}.{name.replace(f'.{ADAPTER}', '')}": parameter
        for component, net in nets.items()
        for name, parameter in net.named_parameters()
        if parameter.requires_grad
    }


def brought(nets: Mapping[str, nn.Module], device: torch.device) -> dict[str, nn.Parameter]:
    """`parameters`, on the device that computes: peft puts them where a base's weights lie."""
    for _, layer in layers(nets):
        for name, child in layer.named_children():
            if name != "base_layer":
                child.to(device)
    return parameters(nets)


def _inject(net: nn.Module, settings: Any, pattern: str, names: Any = None) -> None:  # noqa: ANN401
    with warnings.catch_warnings():
        # which modules end like ours and are not meant; which block size OFT takes instead; that an
        # adapter of several kinds is put in kind by kind
        warnings.filterwarnings("ignore", "While injecting the PEFT adapters", RuntimeWarning)
        warnings.filterwarnings("ignore", "Invalid `oft_block_size`", UserWarning)
        warnings.filterwarnings("ignore", "Already found a `peft_config`", UserWarning)
        try:
            with _kept_in_float32():
                inject_adapter_in_model(settings, net, state_dict=names)
        except ValueError as error:
            if "not found in the base model" not in str(error):
                raise
            raise AdapterError(
                f"No layer of the model fits {pattern!r}.",
                hint="Correct adapter.pattern, or empty it.",
            ) from error


@torch.no_grad()
def _begin(layer: Any, start: str) -> None:  # noqa: ANN401 - peft's
    """Begin a new LoRA as a part of its base's weight, with a second one that takes it away.

    peft takes it out of the base instead: at weight 0 that is not the base any more, and no other
    program has such a base.
    """
    rank, scale = layer.r[ADAPTER], layer.scaling[ADAPTER]
    down, up = STARTS[start](whole(layer.get_base_layer()), rank)
    layer.update_layer(START, rank, scale * rank, config=LoraConfig())
    for pair, value in ((layer.lora_A, down), (layer.lora_B, up / scale)):
        learns = pair[ADAPTER].weight
        learns.copy_(value.view_as(learns))
        taken = value if pair is layer.lora_A else -value
        pair[START].weight = nn.Parameter(taken.reshape(learns.shape), requires_grad=False)
    layer.set_adapter([ADAPTER, START])
    for pair in (layer.lora_A, layer.lora_B):
        pair[START].weight.requires_grad = False


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
    """The adapter that the nets carry, copied to the CPU in float32."""
    return {place: kind_in(layer).take(layer) for place, layer in layers(nets)}


@torch.no_grad()
def place_into(nets: Mapping[str, nn.Module], adapter: Adapter) -> dict[str, nn.Parameter]:
    """Put an adapter into nets that carry none, exactly as large as it is, in float32.

    Returns:
        Its parameters, as `inject` does.

    Raises:
        AdapterError: A place does not exist in the nets, or a shape differs.
    """
    modules = {Place(c, name): m for c, net in nets.items() for name, m in net.named_modules()}
    for place, change in adapter.items():
        check_fits(modules.get(place), place, change)
    for component, net in nets.items():
        own = {p.module: change for p, change in adapter.items() if p.component == component}
        for kind in dict.fromkeys(map(kind_of, own.values())):
            _put(net, kind, {name: c for name, c in own.items() if kind_of(c) is kind})
    found = list(layers(nets))
    for _, layer in found:  # another kind's injection froze them
        layer.requires_grad_(requires_grad=True)
        layer.get_base_layer().requires_grad_(requires_grad=False)
    return parameters(nets)


def check_fits(module: nn.Module | None, place: Place, change: Change) -> None:
    """Whether a change can be made at a place, where there is this module.

    Raises:
        AdapterError: There is none, or its weight has another shape.
    """
    if module is None:
        raise AdapterError(
            f"The adapter does not fit this model: it has no {place.module}.", hint=OTHER_BASE
        )
    shape = _shape(module)
    if not shape or not change.fits(shape):
        raise AdapterError(
            f"The adapter does not fit this model at {place.module}, whose weight is "
            f"{' x '.join(map(str, shape))}.",
            hint=OTHER_BASE,
        )


def _shape(module: Any) -> torch.Size:  # noqa: ANN401 - any of torch's layers
    """Of a module's weight; a quantized one's is packed."""
    if isinstance(module, nn.Linear):
        return torch.Size((module.out_features, module.in_features))
    weight = getattr(module, "weight", None)
    return torch.Size(()) if weight is None else weight.shape


def _put(net: nn.Module, kind: Kind, changes: Mapping[str, Change]) -> None:
    """Layers of one kind at these places and no others.

    Peft's patterns also fit modules whose names end with another's, and cost 10 s for SDXL: names
    of a state dict are taken as they are.
    """
    settings: Any = kind.fresh()
    settings.target_modules = list(changes)
    names = {f"{name}.{kind.prefix}x.weight": torch.empty(0) for name in changes}
    _inject(net, settings, "", names)
    modules = dict(net.named_modules())
    for name, change in changes.items():
        layer: Any = modules[name]
        device = layer.get_base_layer().weight.device
        kind.put(layer, _on(change, device))


def _on(change: Change, device: torch.device) -> Change:
    moved = {n: t.to(device, torch.float32, copy=True) for n, t in tensors_of(change).items()}
    return replace(change, **moved)


def set_weight(nets: Mapping[str, nn.Module], weight: float) -> None:
    """How strongly the adapter acts: 0 is the base model, 1 as it was trained.

    Whatever the kind, W + weight (W' - W), as all programs have it.
    """
    for _, layer in layers(nets):
        if kind_in(layer).scales:
            for adapter in layer.active_adapters:
                layer.set_scale(adapter, weight)
        else:
            _blend(layer, weight)


@contextlib.contextmanager
def off(nets: Mapping[str, nn.Module]) -> Iterator[None]:
    """Within, the nets are the base model's."""
    set_weight(nets, 0.0)
    try:
        yield
    finally:
        set_weight(nets, 1.0)


def _blend(layer: Any, weight: float) -> None:  # noqa: ANN401 - peft's
    """By the module's output, which is linear in its weight: peft cannot scale these kinds."""
    if hook := layer.__dict__.pop(_STRENGTH, None):
        hook.remove()
    if weight == 1:
        return

    def blended(module: Any, given: tuple[Any, ...], made: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
        base = module.get_base_layer()(*given)
        return base + weight * (made - base) if weight else base

    layer.__dict__[_STRENGTH] = layer.register_forward_hook(blended)


@torch.no_grad()
def cap(nets: Mapping[str, nn.Module], most: float) -> None:
    """Shrink each change whose norm is above `most` to it; of a DoRA its direction.

    As kohya's scripts do for LoRA (max_norm_regularization): a change is a product of its tensors,
    each of which takes the same share.
    """
    for _, layer in layers(nets):
        change = kind_in(layer).take(layer)
        size = change.norm()
        if size <= most:
            continue
        factors = [p for n, p in layer.named_parameters() if _is_factor(n)]
        for factor in factors:
            factor.mul_((most / size) ** (1 / len(factors)))


def _is_factor(name: str) -> bool:
    return f".{ADAPTER}" in name and "magnitude" not in name and not name.startswith("base_layer")
