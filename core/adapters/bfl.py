"""How Black Forest Labs' code calls the layers of Flux.1, which has several of diffusers' in one.

Adapters of kohya's scripts have these names. What is joined there (q, k and v; in single blocks
also the first layer of the MLP) is cut along the outputs, which of a LoRA is exact.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from core.adapters.changes import Change, LoRA, Place
from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Layer(NamedTuple):
    """A layer of the original code, and what diffusers has in its place."""

    modules: tuple[str, ...]  # in the order in which their outputs are joined
    shares: tuple[int, ...] = (1,)  # of the outputs


_QKV = (1, 1, 1)
_DOUBLE = {  # double_blocks.N: transformer_blocks.N
    "img_attn.qkv": _Layer(("attn.to_q", "attn.to_k", "attn.to_v"), _QKV),
    "txt_attn.qkv": _Layer(("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"), _QKV),
    "img_attn.proj": _Layer(("attn.to_out.0",)),
    "txt_attn.proj": _Layer(("attn.to_add_out",)),
    "img_mlp.0": _Layer(("ff.net.0.proj",)),
    "img_mlp.2": _Layer(("ff.net.2",)),
    "txt_mlp.0": _Layer(("ff_context.net.0.proj",)),
    "txt_mlp.2": _Layer(("ff_context.net.2",)),
    "img_mod.lin": _Layer(("norm1.linear",)),
    "txt_mod.lin": _Layer(("norm1_context.linear",)),
}
_SINGLE = {  # single_blocks.N: single_transformer_blocks.N; the MLP is four times as wide
    "linear1": _Layer(("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"), (1, 1, 1, 4)),
    "linear2": _Layer(("proj_out",)),
    "modulation.lin": _Layer(("norm.linear",)),
}
_BLOCKS = {"double_blocks": "transformer_blocks", "single_blocks": "single_transformer_blocks"}
_WITHIN: Mapping[str, Mapping[str, _Layer]] = {"double_blocks": _DOUBLE, "single_blocks": _SINGLE}
_NAME = re.compile(r"(?P<blocks>double_blocks|single_blocks)\.(?P<number>\d+)\.(?P<layer>.+)")
_BACK = {
    (_BLOCKS[blocks], module): (blocks, layer)
    for blocks, layers in _WITHIN.items()
    for layer, own in layers.items()
    for module in own.modules
}
_MODULE = re.compile(r"(?P<blocks>(?:single_)?transformer_blocks)\.(?P<number>\d+)\.(?P<module>.+)")


def parts_of(layer: str) -> tuple[list[str], tuple[int, ...]]:
    """Diffusers' modules in a layer of the original code, and the shares of its outputs they have.

    Raises:
        KeyError: It is none of a block's layers.
    """
    found = _NAME.fullmatch(layer)
    if found is None:
        raise KeyError(layer)
    own = _WITHIN[found["blocks"]][found["layer"]]
    block = f"{_BLOCKS[found['blocks']]}.{found['number']}"
    return [f"{block}.{module}" for module in own.modules], own.shares


def joined(module: str) -> str:
    """The layer of the original code that has this module of diffusers in it; "" for none."""
    found = _MODULE.fullmatch(module)
    if found is None or (found["blocks"], found["module"]) not in _BACK:
        return ""
    blocks, layer = _BACK[found["blocks"], found["module"]]
    return f"{blocks}.{found['number']}.{layer}"


def cut(place: Place, change: Change) -> dict[Place, Change]:
    """A change of a layer of the original code as changes of diffusers' modules.

    What has a name of diffusers already stays as it is.

    Raises:
        AdapterError: No Flux has that layer, or it is of a kind that cannot be cut.
    """
    if _NAME.fullmatch(place.module) is None:
        return {place: change}
    try:
        modules, shares = parts_of(place.module)
    except KeyError as error:
        raise AdapterError(
            f"The adapter does not fit this model: Flux has no {place.module}.",
            hint="Choose an adapter of the same family as the model.",
        ) from error
    places = [Place(place.component, module) for module in modules]
    if len(places) == 1:
        return {places[0]: change}
    if not isinstance(change, LoRA):
        raise AdapterError(
            f"The adapter changes {place.module}, which is several layers in one, by another kind "
            "than LoRA: it cannot be cut.",
            hint="Choose a LoRA, or one in diffusers' names.",
        )
    one = change.up.shape[0] // sum(shares)
    rows = [one * share for share in shares]
    if sum(rows) != change.up.shape[0]:
        raise AdapterError(
            f"The adapter is damaged: {place.module} has {change.up.shape[0]} outputs.",
            hint="Get a whole copy of it.",
        )
    return {
        own: replace(change, up=up) for own, up in zip(places, change.up.split(rows), strict=True)
    }
