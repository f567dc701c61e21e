"""An adapter from the tensors of a file of any program."""

from __future__ import annotations

import contextlib
import json
import math
import re
from typing import TYPE_CHECKING

import torch

from core.adapters import bfl
from core.adapters.changes import OFT, Adapter, Change, DoRA, LoHa, LoKr, LoRA, Place
from core.adapters.formats import KOHYA, PEFT_FOLDER, module_of_kohya
from core.adapters.injection import OTHER_BASE
from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from core.adapters.formats import Names

# How a tensor's name ends, and its role. In the order of: kohya and LyCORIS, peft, peft with the
# adapter's name, diffusers' example scripts, its text encoders, its old attention processors.
_ENDINGS = {
    **{ending: role for role, ending in KOHYA.items()},
    ".lora_mid.weight": "lora_mid",
    ".lora_A.weight": "lora_down",
    ".lora_B.weight": "lora_up",
    ".lora_magnitude_vector": "lora_magnitude_of_peft",
    ".lora_magnitude_vector.weight": "lora_magnitude_of_peft",
    ".lora_A.default.weight": "lora_down",
    ".lora_B.default.weight": "lora_up",
    ".lora.down.weight": "lora_down",
    ".lora.up.weight": "lora_up",
    ".lora_linear_layer.down.weight": "lora_down",
    ".lora_linear_layer.up.weight": "lora_up",
    "_lora.down.weight": "lora_down",
    "_lora.up.weight": "lora_up",
    ".alpha": "alpha",
}
ENDINGS = tuple(_ENDINGS)
_TENSOR = re.compile(rf"(?P<name>.+?)(?P<ending>{'|'.join(map(re.escape, _ENDINGS))})")
_PROCESSOR = re.compile(r"(?P<attention>.+)\.processor\.(?P<name>to_(?:q|k|v|out))")
_OF_T5 = re.compile(r"lora_te[23]_encoder_block_")  # kohya's of Flux.1 and SD 3, OneTrainer's
# By what a tensor's name holds, the kinds that are not read.
_OTHER_KINDS = {
    "oft_blocks": "rotation of outputs (LyCORIS' diag-oft, kohya's OFT)",
    "oft_diag": "rotation of outputs (LyCORIS' diag-oft)",
    "lora_embedding_": "LoRA on embeddings",
    "diff_b": "full difference",
    ".diff_": "full difference",
    "w_norm": "change of norms",
    "on_input": "IA3",
    "emb_params": "textual inversion",
    "clip_l": "textual inversion",
}
_COPY = "Get a whole copy of it."
SCALES = "lora_adapter_metadata"  # diffusers' entry of a header, with ranks and alphas


def from_tensors(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str], names: Names, part: str = ""
) -> Adapter:
    """Read an adapter as any of these programs writes it.

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
    scales = Scales.of_header(metadata)
    adapter: Adapter = {}
    for place, roles in found.items():
        change = _change(place, roles, scales)
        joins = names[place.component].bfl
        adapter |= bfl.cut(place, change) if joins else {place: change}
    return adapter


def _not_read(key: str) -> AdapterError:
    kind = next((kind for sign, kind in _OTHER_KINDS.items() if sign in f"{key}_"), "")
    return AdapterError(
        f"It is a {kind}, a kind of adapter that is not read."
        if kind
        else f"It holds {key[:200]!r}, which no kind of adapter that is read has.",
        hint="Choose a LoRA, DoRA, LoHa, LoKr or OFT, or convert it to one.",
    )


def _place(name: str, names: Names, part: str) -> Place:
    if match := _PROCESSOR.fullmatch(name):
        inner = match["name"] if match["name"] != "to_out" else "to_out.0"
        name = f"{match['attention']}.{inner}"
    if name.startswith(PEFT_FOLDER) and part:
        module = name.removeprefix(PEFT_FOLDER)
        return Place(part, module.removeprefix(names[part].inside))
    for component, key_names in names.items():
        for prefix in (key_names.diffusers, *key_names.also):
            module = name.removeprefix(prefix + ".").removeprefix(PEFT_FOLDER)
            known = not key_names.outer or module.partition(".")[0] in key_names.outer
            if name.startswith(prefix + ".") and known:
                return Place(component, module.removeprefix(key_names.inside))
        for prefix in filter(None, (key_names.kohya, key_names.bfl)):
            if name.startswith(prefix + "_") and "." not in name:
                with contextlib.suppress(ValueError):
                    rest = name[len(prefix) + 1 :]
                    return Place(component, module_of_kohya(rest, key_names))
    if _OF_T5.match(name):
        raise AdapterError(
            f"The adapter changes T5, too, which is not read ({name[:200]}).",
            hint="Choose one that was trained without T5.",
        )
    raise AdapterError(
        f"The adapter does not fit this model: {name[:200]} has no place in it.", hint=OTHER_BASE
    )


class Scales:
    """What a header says of alphas: by part, and of single modules."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        self._settings = settings

    @classmethod
    def of_header(cls, metadata: Mapping[str, str]) -> Scales:
        """Of diffusers' entry.

        Raises:
            AdapterError: It cannot be read.
        """
        try:
            settings = json.loads(metadata.get(SCALES, "{}"))
        except (ValueError, RecursionError) as error:
            raise AdapterError(
                f"The adapter's header cannot be read: {str(error)[:200]}.", hint=_COPY
            ) from error
        if not isinstance(settings, dict):
            raise AdapterError("The adapter's header cannot be read.", hint=_COPY)
        return cls(settings)

    def alpha(self, place: Place, rank: int) -> float:
        """Of one change; without any word on it the scale is 1, as every reader takes it."""
        alpha = self._said(place, "lora_alpha")
        alpha = self._said(place, "alpha") if alpha is None else alpha  # peft's of LoHa and LoKr
        alpha = self._of_pattern(place, "alpha_pattern", alpha)
        if alpha is None:
            return float(rank)
        return alpha * (math.sqrt(rank) if self._said(place, "use_rslora") else 1.0)

    def rank(self, place: Place) -> float | None:
        """What peft divides alpha by, where a kind's tensors do not tell."""
        return self._of_pattern(place, "rank_pattern", self._said(place, "r"))

    def says_dora(self, place: Place) -> bool:
        """Whether it should have magnitudes."""
        return bool(self._said(place, "use_dora"))

    def _said(self, place: Place, option: str) -> object:
        return self._settings.get(f"{place.component}.{option}")

    def _of_pattern(self, place: Place, option: str, usual: object) -> float | None:
        value = usual
        pattern = self._said(place, option)
        for key, own in pattern.items() if isinstance(pattern, dict) else ():
            literal = str(key).strip("^$").replace("\\.", ".")
            if place.module == literal or place.module.endswith("." + literal):
                value = own
                break
        if value is not None and not isinstance(value, int | float):
            raise AdapterError(
                "The adapter's header holds an alpha or a rank that is no number.", hint=_COPY
            )
        return value


def _change(place: Place, roles: Mapping[str, Tensor], scales: Scales) -> Change:
    for tensor in roles.values():
        if not tensor.is_floating_point():
            raise AdapterError(
                f"The adapter is damaged: {place.module} holds no numbers.", hint=_COPY
            )
        if not tensor.isfinite().all():
            raise AdapterError(
                f"The adapter holds numbers that are not finite, at {place.module}.",
                hint="Choose an earlier step of the run, or train it again with a lower learning "
                "rate.",
            )
    own = {role: tensor for role, tensor in roles.items() if role != "alpha"}
    readers = {"lora_": _lora, "hada_": _loha, "lokr_": _lokr, "oft_": _oft}
    kinds = {role.partition("_")[0] + "_" for role in own}
    if len(kinds) != 1:
        words = "two kinds at once" if kinds else "nothing but an alpha"
        raise AdapterError(
            f"The adapter is incomplete: {place.module} has {words}.", hint="Export it again."
        )
    (prefix,) = kinds
    alpha = None
    if "alpha" in roles:
        if roles["alpha"].numel() != 1:
            raise AdapterError(f"The adapter's alpha of {place.module} is no number.", hint=_COPY)
        alpha = roles["alpha"].float().item()
    tensors = {role.removeprefix(prefix): tensor for role, tensor in own.items()}
    made = readers[prefix](place, tensors, alpha, scales)
    if not math.isfinite(made.scale):
        raise AdapterError(f"The adapter's alpha of {place.module} is not finite.", hint=_COPY)
    return made


def _need(place: Place, there: Mapping[str, Tensor], *names: str) -> None:
    if missing := [name for name in names if name not in there]:
        raise AdapterError(
            f"The adapter is incomplete: {place.module} lacks its {missing[0]} half.",
            hint="Export it again.",
        )


def _lora(
    place: Place, found: Mapping[str, Tensor], alpha: float | None, scales: Scales
) -> LoRA | DoRA:
    _need(place, found, "down", "up")
    down, up, core = found["down"], found["up"], found.get("mid")
    if core is not None and core.ndim == down.ndim and core.shape[1] == down.shape[0] > 0:
        # LoCon's core between the halves is a part of the first
        down = torch.einsum("m n k l, n i p q -> m i k l", core.float(), down.float())
    fits = down.ndim == up.ndim and down.ndim in (2, 4) and up.shape[1] == down.shape[0] > 0
    if not fits:
        raise _halves(place, down, up)
    alpha = scales.alpha(place, down.shape[0]) if alpha is None else alpha
    if "magnitude" in found:
        scale = found["magnitude"]
        # (out, 1) is for each output; a vector, as old files have it, for each input
        per_output = scale.ndim > 1 and scale.shape[0] == up.shape[0] and scale.numel() == len(up)
        return DoRA(down, up, alpha, scale.flatten(), per_input=not per_output)
    if "magnitude_of_peft" in found:
        return DoRA(down, up, alpha, found["magnitude_of_peft"].flatten(), per_input=False)
    if scales.says_dora(place):
        raise AdapterError(
            f"The adapter is incomplete: {place.module} lacks its DoRA magnitudes.", hint=_COPY
        )
    return LoRA(down, up, alpha)


def _halves(place: Place, one: Tensor, other: Tensor) -> AdapterError:
    return AdapterError(
        f"The adapter is damaged: the halves of {place.module} do not fit: "
        f"{tuple(one.shape)} and {tuple(other.shape)}.",
        hint=_COPY,
    )


def _loha(place: Place, found: Mapping[str, Tensor], alpha: float | None, scales: Scales) -> LoHa:
    _need(place, found, "w1_a", "w1_b", "w2_a", "w2_b")
    cores = [found[name] for name in ("t1", "t2") if name in found]
    for a, b in (("w1_a", "w1_b"), ("w2_a", "w2_b")):
        one, other = found[a], found[b]
        edges = one.ndim == other.ndim == 2 and min(*one.shape, *other.shape) > 0  # noqa: PLR2004
        if not edges or (not cores and one.shape[1] != other.shape[0]):
            raise _halves(place, one, other)
    if cores and (len(cores) != 2 or cores[0].ndim != 4 or cores[0].shape != cores[1].shape):  # noqa: PLR2004
        raise _halves(place, cores[0], cores[-1])
    rank = found["w1_b"].shape[0]
    return LoHa(**found, alpha=scales.alpha(place, rank) if alpha is None else alpha)


def _lokr(place: Place, found: Mapping[str, Tensor], alpha: float | None, scales: Scales) -> LoKr:
    for name in ("w1", "w2"):
        if name not in found:
            _need(place, found, f"{name}_a", f"{name}_b")
            a, b = found[f"{name}_a"], found[f"{name}_b"]
            core = found.get("t2") if name == "w2" else None
            flat = a.ndim == b.ndim == 2 and min(*a.shape, *b.shape) > 0  # noqa: PLR2004
            fits = flat and (
                a.shape[1] == b.shape[0]
                if core is None
                else core.ndim == 4 and core.shape[:2] == (len(a), len(b))  # noqa: PLR2004
            )
            if not fits:
                raise _halves(place, a, b)
        elif found[name].ndim not in (2, 4) or not found[name].numel():
            raise _halves(place, found[name], found[name])
    made = LoKr(alpha=1.0, **found)
    if made.first.ndim != 2:  # noqa: PLR2004
        raise _halves(place, made.first, made.second)
    said = scales.rank(place)
    if alpha is not None or said is None:
        return LoKr(alpha=made.rank if alpha is None else alpha, **found)
    # peft's own scale is alpha / r, also where neither matrix has factors
    scale = scales.alpha(place, int(said)) / said if said else 1.0
    if made.w1 is not None and made.w2 is not None:
        return LoKr(alpha=made.rank, w1=made.w1 * scale, w2=made.w2)
    return LoKr(alpha=scale * made.rank, **found)


def _oft(place: Place, found: Mapping[str, Tensor], alpha: float | None, scales: Scales) -> OFT:  # noqa: ARG001
    _need(place, found, "angles")
    angles = found["angles"]
    made = OFT(angles)
    if angles.ndim != 2 or made.rank * (made.rank - 1) // 2 != angles.shape[1]:  # noqa: PLR2004
        raise AdapterError(
            f"The adapter is damaged: {place.module} has blocks of {tuple(angles.shape)}.",
            hint=_COPY,
        )
    return made
