"""The names other programs give to an adapter's tensors; formats are data, not branches."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from peft.tuners.lokr.layer import factorization

from core.adapters import sgm
from core.adapters.changes import OFT, Adapter, Change, DoRA, LoHa, LoKr, LoRA, tensors_of
from core.adapters.kinds import kind_of
from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from core.config.facts import KeyNames

    Names = Mapping[str, KeyNames]  # by part

# How a tensor's name ends, by its role in a change: its kind's prefix and its field's name.
LYCORIS = {
    **{f"hada_{name}": f".hada_{name}" for name in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")},
    **{
        f"lokr_{name}": f".lokr_{name}"
        for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")
    },
    "oft_angles": ".oft_R.weight",  # as in OneTrainer and peft
}
KOHYA = {
    "lora_down": ".lora_down.weight",
    "lora_up": ".lora_up.weight",
    "lora_magnitude": ".dora_scale",
    **LYCORIS,
}
PEFT = {
    "lora_down": ".lora_A.weight",
    "lora_up": ".lora_B.weight",
    "lora_magnitude": ".lora_magnitude_vector",
    **LYCORIS,
}
PEFT_FOLDER = "base_model.model."  # before every name in a folder of peft's


def roles_of(change: Change) -> dict[str, Tensor]:
    """A change's tensors by their roles."""
    prefix = kind_of(change).prefix
    return {prefix + name: tensor for name, tensor in tensors_of(change).items()}


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
    if names.outer and made[0] not in names.outer:
        raise ValueError(f"{name} is of another family")
    module = ".".join(made).removeprefix(names.inside)
    return sgm.to_diffusers(module) if names.sgm else module


def to_kohya(adapter: Adapter, names: Names) -> dict[str, Tensor]:
    """`<name>.lora_down.weight`, `<name>.lora_up.weight`, `<name>.alpha` for each change.

    What ComfyUI, Forge, A1111, InvokeAI, kohya's scripts and diffusers read; of other kinds than
    LoRA with LyCORIS' endings.
    """
    tensors: dict[str, Tensor] = {}
    for place, change in adapter.items():
        name = kohya_name(place.module, names[place.component])
        for role, tensor in roles_of(change).items():
            tensors[name + KOHYA[role]] = tensor
        if isinstance(change, DoRA):
            tensors[name + KOHYA["lora_magnitude"]] = _dora_scale(change)
        if not isinstance(change, OFT):
            alpha = change.scale * change.rank
            tensors[f"{name}.alpha"] = torch.tensor(alpha, dtype=torch.float32)
    return tensors


def _dora_scale(change: DoRA) -> Tensor:
    """(1, in) or (out, 1), of convolutions with two edges more: readers tell the axis from it."""
    edges = [1] * change.down.ndim
    edges[1 if change.per_input else 0] = -1
    return change.magnitude.view(edges)


def to_diffusers(adapter: Adapter, names: Names) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Peft's names under each part's prefix, and the header that says ranks.

    alpha / rank is multiplied into B, so that also readers that heed no alpha (diffusers before
    0.34, ComfyUI, OneTrainer) apply it as strongly as it was trained; the empty patterns are for
    diffusers 0.34 to 0.39, which fail without them.

    Raises:
        AdapterError: It is of a kind that this form cannot hold.
    """
    tensors: dict[str, Tensor] = {}
    settings: dict[str, object] = {}
    for change in adapter.values():
        if not isinstance(change, LoRA | DoRA):
            raise AdapterError(
                f"diffusers reads no {kind_of(change).title}.",
                hint="Write it in kohya's form, or as a folder of peft's.",
            )
    for part, key_names in names.items():
        own = {p.module: folded(c) for p, c in adapter.items() if p.component == part}
        for module, change in own.items():
            name = f"{key_names.diffusers}.{key_names.inside}{module}"
            for role, tensor in _as_peft(change).items():
                tensors[name + PEFT[role]] = tensor
        for option, value in peft_settings(own).items() if own else ():
            if option != "peft_type":
                settings[f"{key_names.diffusers}.{option}"] = value
    return tensors, {"format": "pt", "lora_adapter_metadata": json.dumps(settings, sort_keys=True)}


def to_peft(adapter: Adapter, part: str, names: KeyNames) -> tuple[dict[str, Tensor], dict]:
    """One part's tensors and peft's settings, for the nets of diffusers and transformers.

    CLIP's modules had `text_model` in their path before transformers 5.6; both names are written,
    since peft passes over those that a net has not, and a name too few is silently zero.

    Raises:
        AdapterError: It is of a kind or shape that peft cannot hold.
    """
    own = {p.module: folded(c) for p, c in adapter.items() if p.component == part}
    tensors: dict[str, Tensor] = {}
    for inside in dict.fromkeys(("", names.inside)):
        for module, change in own.items():
            for role, tensor in _as_peft(change).items():
                tensors[f"{PEFT_FOLDER}{inside}{module}{PEFT[role]}"] = tensor.clone()
    return tensors, peft_settings(own)


def _as_peft(change: Change) -> dict[str, Tensor]:
    if not isinstance(change, DoRA):
        return roles_of(change)
    if change.per_input:
        raise AdapterError(
            "peft and diffusers have DoRA's magnitudes for each output; these are for each input.",
            hint="Write it in kohya's form, or train with adapter.dora_norm = output.",
        )
    of_convolution = change.down.ndim > 2  # noqa: PLR2004
    return roles_of(change) | {
        "lora_magnitude": change.magnitude.view(1, -1, 1, 1) if of_convolution else change.magnitude
    }


def folded(change: Change) -> Change:
    """The same change with alpha = rank."""
    if not isinstance(change, LoRA | DoRA):
        return change
    return replace(change, up=change.up * change.scale, alpha=float(change.rank))


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """In half precision, as other programs keep theirs.

    Alphas are not cut at its 65,504, and of magnitudes, which stand for the whole weight, a
    thousandth would be as much as is learnt.
    """
    whole = (".alpha", KOHYA["lora_magnitude"], PEFT["lora_magnitude"])
    return {
        name: tensor if name.endswith(whole) else tensor.to(torch.float16)
        for name, tensor in tensors.items()
    }


def peft_settings(changes: Mapping[str, Change]) -> dict[str, object]:
    """Peft's settings for the changes of one part, by module path; a LoRA's alpha is its rank.

    Raises:
        AdapterError: They are of several kinds, or of shapes that peft does not make.
    """
    kinds = {kind_of(change).title: change for change in changes.values()}
    if len(kinds) > 1:
        raise AdapterError(
            f"It is of several kinds: {', '.join(kinds)}.", hint="Write it in kohya's form."
        )
    ranks = sorted({change.rank for change in changes.values()})
    usual = max(ranks, key=lambda rank: sum(change.rank == rank for change in changes.values()))
    odd = {name: c.rank for name, c in sorted(changes.items()) if c.rank != usual}
    settings: dict[str, object] = {"r": usual, "target_modules": sorted(changes)}
    sample = next(iter(changes.values()))
    if isinstance(sample, LoRA | DoRA):
        dora = {"use_dora": True} if isinstance(sample, DoRA) else {}
        return {
            "peft_type": "LORA",
            **settings,
            **dora,
            "lora_alpha": usual,
            "rank_pattern": odd,
            "alpha_pattern": dict(odd),
        }
    if isinstance(sample, OFT):
        if odd:
            raise AdapterError("peft has OFT blocks of one size.", hint="Write it in kohya's form.")
        return {"peft_type": "OFT", **settings, "r": 0, "oft_block_size": usual}
    alphas = {name: c.scale * c.rank for name, c in changes.items()}
    alpha = alphas[next(name for name, c in changes.items() if c.rank == usual)]
    own = _loha_settings if isinstance(sample, LoHa) else _lokr_settings
    return {
        **settings,
        "alpha": alpha,
        "rank_pattern": odd,
        "alpha_pattern": {n: a for n, a in sorted(alphas.items()) if not math.isclose(a, alpha)},
        **own(changes),
    }


def _loha_settings(changes: Mapping[str, Change]) -> dict[str, object]:
    cores = any(isinstance(change, LoHa) and change.t1 is not None for change in changes.values())
    return {"peft_type": "LOHA", "use_effective_conv2d": cores}


def _lokr_settings(changes: Mapping[str, Change]) -> dict[str, object]:
    """Peft makes the matrices' shapes of the rank and a factor, and has no others."""
    lokrs = [change for change in changes.values() if isinstance(change, LoKr)]
    for factor in (-1, *sorted({change.first.shape[0] for change in lokrs})):
        if all(_is_peft_s(change, factor) for change in lokrs):
            return {"peft_type": "LOKR", "decompose_factor": factor, "init_weights": "lycoris"}
    raise AdapterError(
        "This LoKr's matrices have shapes that peft does not make.",
        hint="Write it in kohya's form.",
    )


def _is_peft_s(change: LoKr, factor: int) -> bool:
    if change.w1 is None or change.t2 is not None:
        return False
    (out1, in1), (out2, in2) = change.w1.shape, change.second.shape[:2]
    inputs = (in1 * in2, in1 * in2 // 9)  # factors of a 3 x 3 convolution have its kernel in them
    return factorization(out1 * out2, factor)[0] == out1 and any(
        factorization(edge, factor)[0] == in1 for edge in inputs if edge
    )
