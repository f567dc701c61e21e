"""How Stability's code (LDM, sgm) calls the modules of diffusers' UNets, and back.

It numbers all blocks of the way down and up; where diffusers has a level of two or three layers,
it has one block each, and one more for what makes pictures smaller. Kohya's files for SDXL have
these names. They hold for the UNets of Stable Diffusion 1, 2 and XL, which have two layers a level.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LAYERS = 2  # of a level on the way down; one more on the way up
_WITHIN = {  # of a resnet
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_SINGLE = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_MIDDLE = {"resnets.0": "0", "attentions.0": "1", "resnets.1": "2"}
_BLOCK = re.compile(
    r"(?P<way>down|up)_blocks\.(?P<level>\d+)\.(?P<kind>resnets|attentions|downsamplers|upsamplers)"
    r"\.(?P<layer>\d+)(?:\.(?P<rest>.+))?"
)
_SGM_BLOCK = re.compile(
    r"(?P<way>input|output)_blocks\.(?P<number>\d+)\.(?P<place>\d)\.(?P<rest>.+)"
)


def from_diffusers(module: str, *, bare_first: bool = False) -> str:
    """The name of a module path of diffusers' UNet, or of a tensor's in it without its last word.

    Args:
        module: `down_blocks.1.attentions.0.proj_in`.
        bare_first: Whether the first level of the way up has no attention, as in Stable
            Diffusion 1 and 2: what comes after it moves up one place.

    Raises:
        ValueError: These UNets have no such module.
    """
    if module in _SINGLE:
        return _SINGLE[module]
    if module.startswith("mid_block."):
        kind, _, rest = module.removeprefix("mid_block.").partition(".")
        layer, _, rest = rest.partition(".")
        number = _found(_MIDDLE, f"{kind}.{layer}")
        return f"middle_block.{number}.{_within(kind, rest)}"
    found = _BLOCK.fullmatch(module)
    if found is None:
        raise ValueError(f"no UNet of Stable Diffusion has {module}")
    level, layer, kind = int(found["level"]), int(found["layer"]), found["kind"]
    rest = found["rest"] or ""
    if kind == "downsamplers":
        return f"input_blocks.{(level + 1) * (_LAYERS + 1)}.0.op"
    if kind == "upsamplers":
        place = 1 if bare_first and level == 0 else 2
        return f"output_blocks.{level * (_LAYERS + 1) + _LAYERS}.{place}.conv"
    place = int(kind == "attentions")
    if found["way"] == "down":
        return f"input_blocks.{level * (_LAYERS + 1) + layer + 1}.{place}.{_within(kind, rest)}"
    return f"output_blocks.{level * (_LAYERS + 1) + layer}.{place}.{_within(kind, rest)}"


def to_diffusers(name: str) -> str:
    """The module path of diffusers' UNet; a name that is one already is given back.

    Raises:
        ValueError: It looks like one of Stability's, and is none.
    """
    if name in _SINGLE_BACK:
        return _SINGLE_BACK[name]
    if name.startswith("middle_block."):
        number, _, rest = name.removeprefix("middle_block.").partition(".")
        place = _found(_MIDDLE_BACK, number)
        return f"mid_block.{place}.{_within_back(place, rest)}"
    found = _SGM_BLOCK.fullmatch(name)
    if found is None:
        return name
    number, place, rest = int(found["number"]), int(found["place"]), found["rest"]
    if found["way"] == "input":
        level, layer = divmod(number - 1, _LAYERS + 1)
        if rest == "op":
            return f"down_blocks.{level}.downsamplers.0.conv"
        way = "down"
    else:
        level, layer = divmod(number, _LAYERS + 1)
        if rest == "conv":
            return f"up_blocks.{level}.upsamplers.0.conv"
        way = "up"
    kind = "attentions" if place else "resnets"
    return f"{way}_blocks.{level}.{kind}.{layer}.{_within_back(kind, rest)}"


def _within(kind: str, rest: str) -> str:
    return _found(_WITHIN, rest) if kind == "resnets" else rest


def _within_back(kind: str, rest: str) -> str:
    return _found(_WITHIN_BACK, rest) if kind.startswith("resnets") else rest


def _found(names: Mapping[str, str], name: str) -> str:
    if name not in names:
        raise ValueError(f"no UNet of Stable Diffusion has {name}")
    return names[name]


_SINGLE_BACK = {name: module for module, name in _SINGLE.items()}
_MIDDLE_BACK = {number: module for module, number in _MIDDLE.items()}
_WITHIN_BACK = {name: module for module, name in _WITHIN.items()}
