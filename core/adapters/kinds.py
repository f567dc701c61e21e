"""The kinds of adapters: how peft makes each, and how its layers and our values become each other.

A kind is a row of `KINDS`; everything else asks the row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, OFTConfig
from peft.tuners.loha import LoHaLayer
from peft.tuners.lokr import LoKrLayer
from peft.tuners.lora import LoraLayer
from peft.tuners.oft import OFTLayer
from torch import nn

from core.adapters import dora
from core.adapters.changes import OFT, Change, DoRA, LoHa, LoKr, LoRA, tensors_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from peft import PeftConfig
    from torch import Tensor

    from core.config.options import AdapterConfig

    Layer = Any  # peft's, whose parts are untyped

ADAPTER = "default"  # peft's name for the adapter that learns
START = "start"  # and for what it began as, taken away


@dataclass(frozen=True, slots=True)
class Room:
    """Where in a net an adapter goes, and how large it is."""

    modules: str  # a regex of whole paths
    convolutions: str  # those that have a rank of their own
    rank: int
    alpha: float


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of adapter."""

    title: str
    change: type[Change]
    algorithm: str  # as LyCORIS calls it
    settings: Callable[[AdapterConfig, Room], PeftConfig]
    take: Callable[[Layer], Change]
    put: Callable[[Layer, Change], None]
    fresh: Callable[[], PeftConfig]  # settings under which `put` gives layers their true size
    scales: bool  # whether peft applies it at any strength rightly
    prefix: str  # of its tensors' names in peft


def _lora_settings(config: AdapterConfig, room: Room) -> LoraConfig:
    return LoraConfig(
        r=room.rank,
        lora_alpha=room.alpha,  # pyright: ignore[reportArgumentType] - floats work
        lora_dropout=config.dropout,
        target_modules=_targets(room),
        rank_pattern=_of_convolutions(room, config.conv_rank),
        alpha_pattern=_of_convolutions(room, conv_alpha(config)),
    )


def _loha_settings(config: AdapterConfig, room: Room) -> LoHaConfig:
    return LoHaConfig(
        r=room.rank,
        alpha=room.alpha,  # pyright: ignore[reportArgumentType] - floats work
        rank_dropout=config.rank_dropout,
        module_dropout=config.module_dropout,
        target_modules=_targets(room),
        rank_pattern=_of_convolutions(room, config.conv_rank),
        alpha_pattern=_of_convolutions(room, conv_alpha(config)),
    )


def _lokr_settings(config: AdapterConfig, room: Room) -> LoKrConfig:
    return LoKrConfig(
        r=room.rank,
        alpha=room.alpha,  # pyright: ignore[reportArgumentType] - floats work
        rank_dropout=config.rank_dropout,
        module_dropout=config.module_dropout,
        init_weights="lycoris",
        target_modules=_targets(room),
        rank_pattern=_of_convolutions(room, config.conv_rank),
        alpha_pattern=_of_convolutions(room, conv_alpha(config)),
    )


def _oft_settings(config: AdapterConfig, room: Room) -> OFTConfig:
    return OFTConfig(
        r=0,
        oft_block_size=room.rank,
        module_dropout=config.dropout,
        target_modules=room.modules,
    )


def _targets(room: Room) -> str:
    return f"{room.modules}|{room.convolutions}" if room.convolutions else room.modules


def _of_convolutions(room: Room, value: float) -> dict[str, Any]:
    return {room.convolutions: value} if room.convolutions else {}


def alpha(config: AdapterConfig) -> float:
    """What peft is to divide by the rank."""
    return config.alpha * (math.sqrt(config.rank) if config.rank_stabilized else 1.0)


def conv_alpha(config: AdapterConfig) -> float:
    """Of convolutions, likewise."""
    return config.conv_alpha * (math.sqrt(config.conv_rank) if config.rank_stabilized else 1.0)


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().float().cpu().clone()


def _take_lora(layer: Layer) -> LoRA:
    """With what it began as taken away, twice its rank."""
    down, up = (_copied(pair[ADAPTER].weight) for pair in (layer.lora_A, layer.lora_B))
    scale = layer.scaling[ADAPTER]
    if START in layer.lora_A:
        down = torch.cat([down, _copied(layer.lora_A[START].weight)])
        up = torch.cat([up, _copied(layer.lora_B[START].weight)], dim=1)
    return LoRA(down, up, scale * len(down))


def _take_dora(layer: Layer) -> DoRA:
    lora = _take_lora(layer)
    return DoRA(
        lora.down,
        lora.up,
        lora.alpha,
        _copied(layer.lora_magnitude_vector[ADAPTER].weight),
        layer.lora_variant[ADAPTER].per_input,
    )


def _put_lora(layer: Layer, change: Change) -> None:
    if not isinstance(change, LoRA | DoRA):
        raise TypeError(change)
    layer.update_layer(ADAPTER, change.rank, change.alpha, config=LoraConfig())
    layer.lora_A[ADAPTER].weight = nn.Parameter(change.down)
    layer.lora_B[ADAPTER].weight = nn.Parameter(change.up)


def _put_dora(layer: Layer, change: Change) -> None:
    if not isinstance(change, DoRA):
        raise TypeError(change)
    _put_lora(layer, change)
    dora.dress(layer, ADAPTER, per_input=change.per_input)
    layer.lora_magnitude_vector[ADAPTER].weight = nn.Parameter(change.magnitude)


def _take_loha(layer: Layer) -> LoHa:
    return LoHa(**_taken(layer, "hada_"), alpha=layer.scaling[ADAPTER] * layer.r[ADAPTER])


def _take_lokr(layer: Layer) -> LoKr:
    """Peft's scale is alpha / r also where neither matrix is factored; other programs' is 1."""
    found = _taken(layer, "lokr_")
    scale = layer.scaling[ADAPTER]
    change = LoKr(alpha=1.0, **found)
    if change.w1 is not None and change.w2 is not None:
        return LoKr(alpha=change.rank, w1=change.w1 * scale, w2=change.w2)
    return LoKr(alpha=scale * change.rank, **found)


def _taken(layer: Layer, prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): _copied(getattr(layer, name)[ADAPTER])
        for name in layer.adapter_layer_names
        if ADAPTER in getattr(layer, name)
    }


def _put_lycoris(prefix: str) -> Callable[[Layer, Change], None]:
    def put(layer: Layer, change: Change) -> None:
        for name in layer.adapter_layer_names:
            if ADAPTER in getattr(layer, name):
                del getattr(layer, name)[ADAPTER]
        for name, tensor in tensors_of(change).items():
            getattr(layer, prefix + name)[ADAPTER] = nn.Parameter(tensor)
        layer.r[ADAPTER] = change.rank
        layer.alpha[ADAPTER] = change.scale * change.rank
        layer.scaling[ADAPTER] = change.scale

    return put


def _take_oft(layer: Layer) -> OFT:
    return OFT(_copied(layer.oft_R[ADAPTER].weight))


def _put_oft(layer: Layer, change: Change) -> None:
    if not isinstance(change, OFT):
        raise TypeError(change)
    layer.update_layer(ADAPTER, 0, config=OFTConfig(r=0, oft_block_size=change.rank))
    layer.oft_R[ADAPTER].weight = nn.Parameter(change.angles)


KINDS: Mapping[str, Kind] = {
    "lora": Kind(
        title="LoRA",
        change=LoRA,
        algorithm="lora",
        settings=_lora_settings,
        take=_take_lora,
        put=_put_lora,
        fresh=LoraConfig,
        scales=True,
        prefix="lora_",
    ),
    "dora": Kind(
        title="DoRA",
        change=DoRA,
        algorithm="lora",
        settings=_lora_settings,
        take=_take_dora,
        put=_put_dora,
        fresh=LoraConfig,
        scales=False,
        prefix="lora_",
    ),
    "loha": Kind(
        title="LoHa",
        change=LoHa,
        algorithm="loha",
        settings=_loha_settings,
        take=_take_loha,
        put=_put_lycoris("hada_"),
        fresh=LoHaConfig,
        scales=True,
        prefix="hada_",
    ),
    "lokr": Kind(
        title="LoKr",
        change=LoKr,
        algorithm="lokr",
        settings=_lokr_settings,
        take=_take_lokr,
        put=_put_lycoris("lokr_"),
        fresh=LoKrConfig,
        scales=True,
        prefix="lokr_",
    ),
    "oft": Kind(
        title="OFT",
        change=OFT,
        algorithm="oft",
        settings=_oft_settings,
        take=_take_oft,
        put=_put_oft,
        fresh=lambda: OFTConfig(r=0, oft_block_size=4),
        scales=False,
        prefix="oft_",
    ),
}
_LAYERS = {LoHaLayer: "loha", LoKrLayer: "lokr", OFTLayer: "oft"}


def kind_of(change: Change) -> Kind:
    """The kind of a value."""
    return next(kind for kind in KINDS.values() if type(change) is kind.change)


def kind_in(layer: Layer) -> Kind:
    """The kind that one of peft's layers carries.

    Raises:
        TypeError: None of ours.
    """
    if isinstance(layer, LoraLayer):
        variant = layer.lora_variant.get(ADAPTER)
        if variant is None:
            return KINDS["lora"]
        if isinstance(variant, dora.DoraVariant):
            return KINDS["dora"]
    for kind, name in _LAYERS.items():
        if isinstance(layer, kind):
            return KINDS[name]
    raise TypeError(f"no kind of adapter: {type(layer).__name__}")
