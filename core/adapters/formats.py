"""The names other programs give to a LoRA's tensors; formats are data, not branches."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from core.adapters.lora import Adapter, Pair, Place
from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class KeyNames:
    """How one component's modules are called in files.

    `inside` is the part of the path that files have and the net has not: transformers 5 dropped
    CLIP's `text_model`, while every other program still writes it.
    """

    kohya: str  # "lora_unet"
    diffusers: str  # "unet"
    inside: str = ""  # "text_model."

    def kohya_name(self, module: str) -> str:
        return f"{self.kohya}_{(self.inside + module).replace('.', '_')}"

    def diffusers_name(self, module: str) -> str:
        return f"{self.diffusers}.{self.inside}{module}"


Names = dict[str, KeyNames]  # by component


def to_kohya(adapter: Adapter, names: Names) -> dict[str, Tensor]:
    """`<name>.lora_down.weight`, `<name>.lora_up.weight`, `<name>.alpha` for each pair.

    What ComfyUI, Forge, A1111, kohya's scripts and diffusers read. The tensors keep their dtype.
    """
    tensors: dict[str, Tensor] = {}
    for place, pair in adapter.items():
        name = names[place.component].kohya_name(place.module)
        tensors[f"{name}.lora_down.weight"] = pair.down
        tensors[f"{name}.lora_up.weight"] = pair.up
        tensors[f"{name}.alpha"] = torch.tensor(pair.alpha, dtype=pair.down.dtype)
    return tensors


def to_diffusers(adapter: Adapter, names: Names) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Peft's names under each component's prefix, and the header that carries rank and alpha.

    Raises:
        AdapterError: Pairs of one component differ in rank or alpha, which that header cannot say.
    """
    tensors: dict[str, Tensor] = {}
    settings: dict[str, object] = {}
    for component, key_names in names.items():
        pairs = {p.module: pair for p, pair in adapter.items() if p.component == component}
        if not pairs:
            continue
        for module, pair in pairs.items():
            name = key_names.diffusers_name(module)
            tensors[f"{name}.lora_A.weight"] = pair.down
            tensors[f"{name}.lora_B.weight"] = pair.up
        for option, value in peft_settings(pairs).items():
            settings[f"{key_names.diffusers}.{option}"] = value
    return tensors, {"format": "pt", "lora_adapter_metadata": json.dumps(settings, sort_keys=True)}


def peft_settings(pairs: Mapping[str, Pair]) -> dict[str, object]:
    """Peft's LoraConfig fields for the pairs of one component, by module path.

    Raises:
        AdapterError: Pairs differ in rank or alpha.
    """
    shapes = {(pair.rank, pair.alpha) for pair in pairs.values()}
    if len(shapes) > 1:
        raise AdapterError(
            "The adapter's layers differ in rank or alpha, which this format cannot hold.",
            hint="Export it in kohya's format.",
        )
    ((rank, alpha),) = shapes
    return {"r": rank, "lora_alpha": alpha, "target_modules": sorted(pairs)}


def from_tensors(
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    names: Names,
    places: Iterable[Place],
) -> Adapter:
    """Read either format.

    Args:
        tensors: A file's tensors.
        metadata: Its header, for diffusers' alpha.
        names: The family's names.
        places: Where the base model has modules; kohya's names alone do not tell a dot from an
            underscore.

    Raises:
        AdapterError: It is no LoRA, or one with more than a rank and an alpha; a tensor belongs to
            no module of the base; a half of a pair is missing.
    """
    known: dict[str, Place] = {}
    for place in places:
        key_names = names[place.component]
        known[key_names.kohya_name(place.module)] = place
        known[key_names.diffusers_name(place.module)] = place
    alphas = _alphas_of_header(metadata)
    found: dict[Place, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        match = _TENSOR.fullmatch(key)
        if match is None:
            raise AdapterError(
                f"This kind of adapter is not supported: it holds {key}.",
                hint="Choose a LoRA, or convert it to one.",
            )
        place = known.get(match["name"])
        if place is None:
            raise AdapterError(
                f"The adapter does not fit this model: {key} has no place in it.",
                hint="Use the base model that it was trained on.",
            )
        found.setdefault(place, {})[_ROLE[match["role"]]] = tensor
    return {
        place: _pair(place, parts, alphas.get(names[place.component].diffusers))
        for place, parts in found.items()
    }


_ROLE = {
    "lora_down.weight": "down",
    "lora_up.weight": "up",
    "lora_A.weight": "down",
    "lora_B.weight": "up",
    "alpha": "alpha",
}
_TENSOR = re.compile(rf"(?P<name>.+)\.(?P<role>{'|'.join(map(re.escape, _ROLE))})")


def _alphas_of_header(metadata: Mapping[str, str]) -> dict[str, float]:
    """Component prefix to alpha, from diffusers' header.

    Raises:
        AdapterError: It cannot be read, or asks for other scales than alpha / rank.
    """
    try:
        settings = dict(json.loads(metadata.get("lora_adapter_metadata", "{}")))
    except (ValueError, TypeError) as error:
        raise AdapterError(
            f"The adapter's header cannot be read: {error}.", hint="Get a whole copy of it."
        ) from error
    odd = ("alpha_pattern", "use_rslora", "use_dora")
    if asked := [name for name, value in settings.items() if name.endswith(odd) and value]:
        raise AdapterError(
            f"This kind of adapter is not supported: its header asks for {asked[0]}.",
            hint="Convert it to kohya's format, which says each layer's alpha.",
        )
    ending = ".lora_alpha"
    return {k.removesuffix(ending): float(v) for k, v in settings.items() if k.endswith(ending)}


def _pair(place: Place, parts: Mapping[str, Tensor], alpha: float | None) -> Pair:
    """Without any word on alpha the scale is 1, as every reader takes it."""
    if missing := {"down", "up"} - parts.keys():
        raise AdapterError(
            f"The adapter is incomplete: {place.module} lacks its {missing.pop()} half.",
            hint="Export it again.",
        )
    down, up = parts["down"], parts["up"]
    if "alpha" in parts:
        alpha = parts["alpha"].item()
    return Pair(down, up, down.shape[0] if alpha is None else alpha)
