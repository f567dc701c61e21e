"""What other programs make of an adapter file, by their own rules: which changes they would load.

The rules were read from these programs' code, and measured with it where CONTRIBUTING says so.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.adapters import bfl, reading, sgm
from core.adapters.changes import OFT, Change, DoRA, LoKr, LoRA
from core.adapters.formats import KOHYA, LYCORIS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from core.adapters.changes import Adapter, Place
    from core.config.facts import Facts, KeyNames

    Spellings = Callable[[Place, Facts], Sequence[str]]
    _Read = Callable[..., Adapter]

_ANY = float("inf")
_SAME = 1e-3  # relative, between two strengths: alphas are stored in half precision
_ROTATION = LYCORIS["oft_angles"]  # none of them reads it
_COMFYUI = tuple(ending for ending in reading.ENDINGS if ending != _ROTATION)
_KOHYA = (*(e for e in KOHYA.values() if e != _ROTATION), ".lora_mid.weight", ".alpha")


def _rightly(change: Change) -> bool:
    """What all but diffusers know: of DoRA's axes the inputs'; peft's rotations none of them."""
    return not (isinstance(change, OFT) or (isinstance(change, DoRA) and not change.per_input))


def _diffusers_rightly(change: Change) -> bool:
    return isinstance(change, LoRA) or (isinstance(change, DoRA) and not change.per_input)


@dataclass(frozen=True, slots=True)
class Program:
    """How one program looks for an adapter's changes.

    `names` are all under which it would find the change of a place. `endings` are those of tensors
    that it knows; `passes_over`, how many tensors may find no place before it refuses the file.
    `rightly` says whether it applies a change as it is meant; another DoRA it applies otherwise.
    """

    title: str
    names: Spellings
    endings: tuple[str, ...]
    passes_over: float
    heeds_header: bool  # diffusers' ranks and alphas
    rightly: Callable[[Change], bool] = _rightly
    drops: tuple[str, ...] = ()  # endings that it leaves out with a warning
    knows: Callable[[Adapter, Facts], bool] = lambda *_: True  # whether it finds out the family


@dataclass(frozen=True, slots=True)
class Reading:
    """What a program would load of a file."""

    program: str
    of: int  # changes in the file
    equal: int  # loaded as strongly as they were trained
    other: int  # loaded, at another strength
    refused: bool  # it says that it cannot load the file, and loads nothing
    lacks: str = ""  # the family, which it does not have as far as is known

    @property
    def whole(self) -> bool:
        return self.equal == self.of

    @property
    def words(self) -> str:
        """How many of its changes, or why none."""
        if self.lacks:
            return f"not known to read adapters of {self.lacks}"
        if self.refused:
            return "refuses it"
        other = f", {self.other} at another strength" if self.other else ""
        return f"{self.equal} of {self.of}{other}"

    def __str__(self) -> str:
        return f"{self.program}: {self.words}"


def _flat(prefix: str, module: str) -> str:
    return f"{prefix}_{module}".replace(".", "_")


def _kohya(place: Place, facts: Facts) -> list[str]:
    """Block names of diffusers and of Stability, which all of them know."""
    names = facts.names[place.component]
    made = [_flat(names.kohya, names.inside + place.module)]
    if place.component == "unet":
        made.append(_flat(names.kohya, sgm.from_diffusers(place.module)))
    return made


def _dotted(place: Place, names: KeyNames) -> list[str]:
    """Of a transformer: diffusers' names, and Flux.1's joined layers as kohya names them."""
    joined = bfl.joined(place.module) if names.bfl else ""
    made = [f"{prefix}.{place.module}" for prefix in (names.diffusers, *names.also)]
    return [*made, *([_flat(names.bfl, joined)] if joined else [])]


def _comfyui(place: Place, facts: Facts) -> list[str]:
    """Of a UNet's names in diffusers' form it knows old attention processors' alone (lora.py)."""
    names = facts.names[place.component]
    if place.component == "transformer":
        flat = [_flat(prefix, place.module) for prefix in (names.kohya, "lycoris")]
        return [*_dotted(place, names), *flat]
    return [*_kohya(place, facts), _processor(names, place.module)]


def _invokeai(place: Place, facts: Facts) -> list[str]:
    """Of flow models it knows OneTrainer's flat names of Flux.1 alone."""
    names = facts.names[place.component]
    if place.component != "transformer":
        return _kohya(place, facts)
    flat = [_flat(names.kohya, place.module)] if names.bfl else []
    return [*_dotted(place, names), *flat]


def _processor(names: KeyNames, module: str) -> str:
    if names.inside or module.startswith("text_model."):
        return f"{names.diffusers}.{names.inside}{module}"
    spelled = f"{names.diffusers}.{module.replace('.to_', '.processor.to_')}"
    return spelled.removesuffix(".0") if spelled.endswith(".to_out.0") else spelled


def _diffusers(place: Place, facts: Facts) -> list[str]:
    names = facts.names[place.component]
    if place.component == "transformer":
        return _dotted(place, names)
    own = dict.fromkeys((names.inside + place.module, place.module))
    knows_kohyas = facts.denoiser == "unet" or facts.names[facts.denoiser].bfl
    flat = _kohya(place, facts) if knows_kohyas else []
    return [*flat, *(f"{names.diffusers}.{module}" for module in own)]


def _invokeai_knows(adapter: Adapter, facts: Facts) -> bool:
    """It tells a UNet's family from the inputs of one of these layers (lora_token_vector_length).

    Of a LoKr it counts two whole matrices alone: where it looks for factors, a dot is missing.
    Krea 2 it tells from Qwen-Image by what reads the text (_has_krea2_lora_keys).
    """
    if facts.denoiser == "transformer":
        return facts.family != "krea2" or any("text_fusion." in p.module for p in adapter)
    return any(
        re.search(r"\.attn2\.to_[kv]$|\.self_attn\.", place.module)
        and not isinstance(change, OFT)
        and not (isinstance(change, LoKr) and (change.w1 is None or change.w2 is None))
        for place, change in adapter.items()
    )


PROGRAMS: dict[str, Program] = {
    "comfyui": Program("ComfyUI", _comfyui, _COMFYUI, _ANY, heeds_header=False),
    "forge": Program("Forge", _comfyui, _COMFYUI, 12, heeds_header=False),
    "a1111": Program("A1111", _kohya, _KOHYA, _ANY, heeds_header=False),
    "invokeai": Program(
        "InvokeAI",
        _invokeai,
        (*_KOHYA, ".lora_A.weight", ".lora_B.weight"),
        0,
        heeds_header=False,
        knows=_invokeai_knows,
    ),
    "diffusers": Program(
        "diffusers",
        _diffusers,
        tuple(e for e in reading.ENDINGS if e not in LYCORIS.values()),
        0,
        heeds_header=True,
        rightly=_diffusers_rightly,
        drops=(KOHYA["lora_magnitude"],),
    ),
}


def readings(
    tensors: Mapping[str, Tensor], header: Mapping[str, str], facts: Facts
) -> list[Reading]:
    """What each of the programs would load of a file.

    Raises:
        AdapterError: It is no adapter of this family that is read here.
    """
    read = _reader(tensors, facts)
    return [_read_by(program, tensors, header, facts, read) for program in PROGRAMS.values()]


def read_by(
    program: Program, tensors: Mapping[str, Tensor], header: Mapping[str, str], facts: Facts
) -> Reading:
    """What one program would load of a file.

    Raises:
        AdapterError: It is no adapter of this family that is read here.
    """
    return _read_by(program, tensors, header, facts, _reader(tensors, facts))


def _reader(tensors: Mapping[str, Tensor], facts: Facts) -> _Read:
    """Reads a file by a header, without some endings; in each way once: it takes a second."""

    @functools.cache
    def read(scales: str, drops: tuple[str, ...]) -> Adapter:
        kept = {key: t for key, t in tensors.items() if not key.endswith(drops)}
        return reading.from_tensors(kept, {reading.SCALES: scales} if scales else {}, facts.names)

    def reader(header: Mapping[str, str], drops: tuple[str, ...] = ()) -> Adapter:
        there = drops if any(key.endswith(drops) for key in tensors) else ()
        return read(header.get(reading.SCALES, ""), there)

    return reader


def _read_by(
    program: Program,
    tensors: Mapping[str, Tensor],
    header: Mapping[str, str],
    facts: Facts,
    read: _Read,
) -> Reading:
    meant = read(header)
    if program.title.lower() in facts.unknown_to:
        return Reading(program.title, len(meant), 0, 0, refused=True, lacks=facts.title)
    known: dict[str, set[Place]] = defaultdict(set)  # several where they are joined in the file
    for place in meant:
        for name in program.names(place, facts):
            known[name].add(place)
    there = set().union(*(known[n] for key in tensors if (n := _name(key, program)) in known))
    lost = sum(_name(key, program) not in known for key in tensors)
    alphas = any(key.endswith(".alpha") for key in tensors)
    # diffusers raises where a file has alphas of its own beside those of the header
    torn = program.heeds_header and alphas and reading.SCALES in header
    if lost > program.passes_over or torn or not there or not program.knows(meant, facts):
        refused = torn or program.passes_over < _ANY
        return Reading(program.title, len(meant), 0, 0, refused=refused)
    heard = read(header if program.heeds_header else {}, program.drops)
    equal = sum(_equal(heard[place], meant[place], program) for place in there)
    return Reading(program.title, len(meant), equal, len(there) - equal, refused=False)


def _equal(heard: Change, meant: Change, program: Program) -> bool:
    near = abs(heard.scale - meant.scale) <= _SAME * abs(meant.scale)
    return type(heard) is type(meant) and near and program.rightly(meant)


def _name(key: str, program: Program) -> str:
    """A tensor's name without its ending; "" for endings that the program does not know."""
    return next((key.removesuffix(e) for e in program.endings if key.endswith(e)), "")
