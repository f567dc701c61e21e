"""The names other programs give to an adapter's tensors; formats are data, not branches."""

from __future__ import annotations

import contextlib
import json
import math
import re
from typing import TYPE_CHECKING

import torch

from core.adapters import sgm
from core.adapters.lora import OTHER_BASE, Adapter, LoRA, Place
from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from core.config.facts import KeyNames

    Names = Mapping[str, KeyNames]  # by part

# How a tensor's name ends, and which tensor of a change it is. In the order of: kohya, peft, peft
# with the adapter's name, diffusers' example scripts, its text encoders, its old attention
# processors.
_ENDINGS = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_A.default.weight": "down",
    ".lora_B.default.weight": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
    ".alpha": "alpha",
}
ENDINGS = tuple(_ENDINGS)
_TENSOR = re.compile(rf"(?P<name>.+?)(?P<ending>{'|'.join(map(re.escape, _ENDINGS))})")
_PROCESSOR = re.compile(r"(?P<attention>.+)\.processor\.(?P<name>to_(?:q|k|v|out))")
_PEFT = "base_model.model."
# By what a tensor's name holds, the kinds that are not read yet.
_OTHER_KINDS = {
    "hada_": "LoHa",
    "lokr_": "LoKr",
    "dora_scale": "DoRA",
    "lora_magnitude_vector": "DoRA",
    "oft_": "OFT",
    "lora_mid": "Tucker-decomposed LoRA",
    "lora_embedding_": "LoRA on embeddings",
    "diff_b": "full difference",
    "emb_params": "textual inversion",
    "clip_l": "textual inversion",
}
_COPY = "Get a whole copy of it."


def kohya_name(module: str, names: KeyNames) -> str:
    """`lora_unet_mid_block_...` for the module `mid_block....`."""
    module = sgm.from_diffusers(module) if names.sgm else module
    return f"{names.kohya}_{(names.inside + module).replace('.', '_')}"


def module_of_kohya(name: str, names: KeyNames) -> str:
    """The module of a kohya name without its prefix; the family's words keep their underscores.

    Raises:
        ValueError: No net of the family has it.
    """
    pieces = name.split("_")
    made: list[str] = []
    while pieces:
        for count in range(min(4, len(pieces)), 1, -1):
            if (word := "_".join(pieces[:count])) in names.words:
                break
        else:
            count, word = 1, pieces[0]
        made.append(word)
        pieces = pieces[count:]
    module = ".".join(made).removeprefix(names.inside)
    return sgm.to_diffusers(module) if names.sgm else module


def to_kohya(adapter: Adapter, names: Names) -> dict[str, Tensor]:
    """`<name>.lora_down.weight`, `<name>.lora_up.weight`, `<name>.alpha` for each change.

    What ComfyUI, Forge, A1111, InvokeAI, kohya's scripts and diffusers read.
    """
    tensors: dict[str, Tensor] = {}
    for place, lora in adapter.items():
        name = kohya_name(place.module, names[place.component])
        tensors[f"{name}.lora_down.weight"] = lora.down
        tensors[f"{name}.lora_up.weight"] = lora.up
        tensors[f"{name}.alpha"] = torch.tensor(lora.alpha, dtype=torch.float32)
    return tensors


def to_diffusers(adapter: Adapter, names: Names) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Peft's names under each part's prefix, and the header that says ranks.

    alpha / rank is multiplied into B, so that also readers that heed no alpha (diffusers before
    0.34, ComfyUI, OneTrainer) apply it as strongly as it was trained; the empty patterns are for
    diffusers 0.34 to 0.39, which fail without them.
    """
    tensors: dict[str, Tensor] = {}
    settings: dict[str, object] = {}
    for part, key_names in names.items():
        own = {p.module: folded(lora) for p, lora in adapter.items() if p.component == part}
        for module, lora in own.items():
            name = f"{key_names.diffusers}.{key_names.inside}{module}"
            tensors[f"{name}.lora_A.weight"] = lora.down
            tensors[f"{name}.lora_B.weight"] = lora.up
        for option, value in peft_settings(own).items() if own else ():
            settings[f"{key_names.diffusers}.{option}"] = value
    return tensors, {"format": "pt", "lora_adapter_metadata": json.dumps(settings, sort_keys=True)}


def to_peft(adapter: Adapter, part: str, names: KeyNames) -> tuple[dict[str, Tensor], dict]:
    """One part's tensors and LoraConfig, for the nets of diffusers and transformers.

    CLIP's modules had `text_model` in their path before transformers 5.6; both names are written,
    since peft passes over those that a net has not, and a name too few is silently zero.
    """
    own = {p.module: folded(lora) for p, lora in adapter.items() if p.component == part}
    tensors: dict[str, Tensor] = {}
    for inside in dict.fromkeys(("", names.inside)):
        for module, lora in own.items():
            tensors[f"{_PEFT}{inside}{module}.lora_A.weight"] = lora.down.clone()
            tensors[f"{_PEFT}{inside}{module}.lora_B.weight"] = lora.up.clone()
    return tensors, {"peft_type": "LORA", **peft_settings(own)}


def folded(lora: LoRA) -> LoRA:
    """The same change with alpha = rank."""
    return LoRA(lora.down, lora.up * (lora.alpha / lora.rank), float(lora.rank))


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """In half precision, as other programs keep theirs; alphas are not cut at its 65,504."""
    return {
        name: tensor if name.endswith(".alpha") else tensor.to(torch.float16)
        for name, tensor in tensors.items()
    }


def peft_settings(loras: Mapping[str, LoRA]) -> dict[str, object]:
    """Peft's LoraConfig fields for the changes of one part, by module path; alpha is the rank."""
    ranks = sorted({lora.rank for lora in loras.values()})
    usual = max(ranks, key=lambda rank: sum(lora.rank == rank for lora in loras.values()))
    odd = {name: lora.rank for name, lora in sorted(loras.items()) if lora.rank != usual}
    return {
        "r": usual,
        "lora_alpha": usual,
        "target_modules": sorted(loras),
        "rank_pattern": odd,
        "alpha_pattern": dict(odd),
    }


def from_tensors(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str], names: Names, part: str = ""
) -> Adapter:
    """Read a LoRA as any of these programs writes it.

    Args:
        tensors: A file's tensors.
        metadata: Its header, for diffusers' ranks and alphas.
        names: The family's names.
        part: The one that a file of peft's own belongs to, which does not say it.

    Raises:
        AdapterError: It is of another kind or family; a half is missing; a number is not finite.
    """
    found: dict[Place, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        match = _TENSOR.fullmatch(key)
        if match is None or any(sign in key for sign in _OTHER_KINDS):
            raise _not_read(key)
        place = _place(match["name"], names, part)
        role = _ENDINGS[match["ending"]]
        there = found.setdefault(place, {}).setdefault(role, tensor)
        if there is not tensor and not torch.equal(there, tensor):
            raise AdapterError(f"The adapter says {place.module} twice.", hint=_COPY)
    scales = _Scales.of_header(metadata)
    return {place: _lora(place, parts, scales) for place, parts in found.items()}


def _not_read(key: str) -> AdapterError:
    kind = next((kind for sign, kind in _OTHER_KINDS.items() if sign in key), "")
    return AdapterError(
        f"It is a {kind}, a kind of adapter that is not read yet."
        if kind
        else f"It holds {key[:200]!r}, which no kind of adapter that is read has.",
        hint="Choose a LoRA, or convert it to one.",
    )


def _place(name: str, names: Names, part: str) -> Place:
    if match := _PROCESSOR.fullmatch(name):
        inner = match["name"] if match["name"] != "to_out" else "to_out.0"
        name = f"{match['attention']}.{inner}"
    if name.startswith(_PEFT) and part:
        module = name.removeprefix(_PEFT)
        return Place(part, module.removeprefix(names[part].inside))
    for component, key_names in names.items():
        if name.startswith(key_names.diffusers + "."):
            module = name.removeprefix(key_names.diffusers + ".").removeprefix(_PEFT)
            return Place(component, module.removeprefix(key_names.inside))
        if name.startswith(key_names.kohya + "_") and "." not in name:
            with contextlib.suppress(ValueError):
                rest = name[len(key_names.kohya) + 1 :]
                return Place(component, module_of_kohya(rest, key_names))
    raise AdapterError(
        f"The adapter does not fit this model: {name[:200]} has no place in it.", hint=OTHER_BASE
    )


class _Scales:
    """What a header says of alphas: by part, and of single modules."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        self._settings = settings

    @classmethod
    def of_header(cls, metadata: Mapping[str, str]) -> _Scales:
        """Of diffusers' entry.

        Raises:
            AdapterError: It cannot be read, or asks for another kind.
        """
        try:
            settings = json.loads(metadata.get("lora_adapter_metadata", "{}"))
        except (ValueError, RecursionError) as error:
            raise AdapterError(
                f"The adapter's header cannot be read: {str(error)[:200]}.", hint=_COPY
            ) from error
        return cls.of_settings(settings)

    @classmethod
    def of_settings(cls, settings: object) -> _Scales:
        if not isinstance(settings, dict):
            raise AdapterError("The adapter's header cannot be read.", hint=_COPY)
        for name, value in settings.items():
            if name.endswith("use_dora") and value:
                raise _not_read("dora_scale")
        return cls(settings)

    def alpha(self, place: Place, rank: int) -> float:
        """Of one change; without any word on it the scale is 1, as every reader takes it."""

        def said(option: str) -> object:
            return self._settings.get(f"{place.component}.{option}")

        alpha = said("lora_alpha")
        pattern = said("alpha_pattern")
        for key, value in pattern.items() if isinstance(pattern, dict) else ():
            literal = str(key).strip("^$").replace("\\.", ".")
            if place.module == literal or place.module.endswith("." + literal):
                alpha = value
                break
        if alpha is None:
            return float(rank)
        if not isinstance(alpha, int | float):
            raise AdapterError("The adapter's header holds an alpha that is no number.", hint=_COPY)
        return float(alpha) * (math.sqrt(rank) if said("use_rslora") else 1.0)


def _lora(place: Place, parts: Mapping[str, Tensor], scales: _Scales) -> LoRA:
    if missing := {"down", "up"} - parts.keys():
        raise AdapterError(
            f"The adapter is incomplete: {place.module} lacks its {missing.pop()} half.",
            hint="Export it again.",
        )
    down, up = parts["down"], parts["up"]
    fits = down.ndim == up.ndim and down.ndim in (2, 4) and up.shape[1] == down.shape[0] > 0
    if not fits or not all(t.is_floating_point() for t in parts.values()):
        raise AdapterError(
            f"The adapter is damaged: the halves of {place.module} do not fit: "
            f"{tuple(down.shape)} and {tuple(up.shape)}.",
            hint=_COPY,
        )
    if "alpha" in parts:
        if parts["alpha"].numel() != 1:
            raise AdapterError(f"The adapter's alpha of {place.module} is no number.", hint=_COPY)
        alpha = parts["alpha"].float().item()
    else:
        alpha = scales.alpha(place, down.shape[0])
    if not (math.isfinite(alpha) and down.isfinite().all() and up.isfinite().all()):
        raise AdapterError(
            f"The adapter holds numbers that are not finite, at {place.module}.",
            hint="Choose an earlier step of the run, or train it again with a lower learning rate.",
        )
    return LoRA(down, up, alpha)
