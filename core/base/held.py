"""In what form a file holds its numbers: plain, or a byte each with a scale; the rest is named."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from core.base.configs import unreadable
from core.errors import BaseModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.base.single_file import Header

SCALES = (".scale_weight", ".weight_scale")  # of a layer's weight: ComfyUI's older and newer
INPUT_SCALES = (".scale_input", ".input_scale")  # what goes in is not rounded here
TOLD = ".comfy_quant"  # how a layer is held, as JSON in bytes
MARK = "scaled_fp8"  # of a whole net
_TOLD_OF_ALL = "_quantization_metadata"  # the same, in the header's words
_WEIGHT = ".weight"
_PLAIN = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
_BYTES = frozenset({"F8_E4M3", "F8_E5M2", "I8"})
_BESIDE = frozenset(  # a weight of bytes, whose meaning is known
    {name[1:] for name in (_WEIGHT, ".bias", TOLD, *SCALES, *INPUT_SCALES)}
)
_READ = frozenset({"float8_e4m3fn", "float8_e5m2", "int8_tensorwise"})  # of ComfyUI's QUANT_ALGOS
_TURNED = "convrot"  # weights that are turned by a matrix before they are rounded
_TOLD_BYTES = 4096
_PACKED = tuple(  # what names tell of weights with fewer bits than a byte
    (re.compile(pattern, re.MULTILINE), words)
    for pattern, words in (
        (r"\.quant_state\.bitsandbytes__nf4$", "packed in 4 bits (NF4)"),
        (r"\.quant_state\.bitsandbytes__fp4$", "packed in 4 bits (FP4)"),
        (r"\.(qweight|wscales|qzeros)$", "packed in 4 bits (SVDQuant, GPTQ or AWQ)"),
        (r"\.weight_scale_2$", "packed in 4 bits (NVFP4)"),
        (r"\.weight_scale_inv$", "scaled in blocks"),
    )
)
HINT = (
    "Choose the same one in fp16, bf16 or fp8, as .safetensors; a base is held in fewer bits by "
    "training.base_precision."
)


def check_read(path: Path, header: Header) -> None:
    """Whether all weights are plain, or bytes with a scale for each layer or each of its rows.

    Raises:
        BaseModelError: They are packed in fewer bits, scaled in blocks, or held in another way.
    """
    names = "\n".join(header.shapes)
    for pattern, words in _PACKED:
        if found := pattern.search(names):
            raise _unread(path, words, _line_of(names, found.start()))
    told = dict(_told(path, header))
    for name, how in told.items():
        if how.get("format") not in _READ or _is_turned(how):
            turned = " and turned" if _is_turned(how) else ""
            raise _unread(path, f"held in {how.get('format')}{turned}", name)
    beside: dict[str, set[str]] = {}
    for name in header.shapes:
        layer, _, kind = name.rpartition(".")
        beside.setdefault(layer, set()).add(kind)
    for name, shape in header.shapes.items():
        if not name.endswith(_WEIGHT):
            continue
        layer, dtype = name.removesuffix(_WEIGHT), header.dtypes[name]
        if dtype not in _PLAIN and not (dtype == "I8" and layer in told):
            raise _unread(path, f"held in {dtype}", name)
        if dtype in _BYTES and (odd := beside[layer] - _BESIDE):
            raise _unread(path, "held in a way that is not known here", f"{layer}.{min(odd)}")
        _check_scale(path, header, layer, shape)


def _check_scale(path: Path, header: Header, layer: str, shape: tuple[int, ...]) -> None:
    rows = (*shape, 0)[0]
    for name in (layer + ending for ending in SCALES):
        scale = header.shapes.get(name, ())
        if scale not in ((), (1,), (1, 1), (rows,), (rows, 1)):
            raise _unread(path, "scaled in blocks", name)
        if name in header.shapes and header.dtypes[name] not in ("F32", "F16", "BF16", "F64"):
            raise _unread(path, f"scaled by {header.dtypes[name]}", name)


def _unread(path: Path, words: str, name: str) -> BaseModelError:
    return BaseModelError(f"{path} is {words}, which is not read ({name}).", hint=HINT)


def _line_of(names: str, place: int) -> str:
    return names[names.rfind("\n", 0, place) + 1 :].partition("\n")[0]


def _is_turned(how: dict[str, object]) -> bool:
    inner = how.get("params")
    return bool(how.get(_TURNED) or (isinstance(inner, dict) and inner.get(_TURNED)))


def _told(path: Path, header: Header) -> Iterator[tuple[str, dict[str, object]]]:
    """What the file says of its layers.

    Raises:
        BaseModelError: It cannot be read, or is no JSON.
    """
    try:
        if words := header.metadata.get(_TOLD_OF_ALL):
            layers = json.loads(words)["layers"]
            yield from ((name, dict(how)) for name, how in layers.items())
        with path.open("rb") as file:
            for name in (n for n in header.shapes if n.endswith(TOLD)):
                file.seek(header.begins[name])
                length = min((*header.shapes[name], 0)[0], _TOLD_BYTES)
                yield name.removesuffix(TOLD), dict(json.loads(file.read(length)))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BaseModelError(
            f"{path} is damaged: it does not say how its numbers are held.",
            hint="Get a whole copy of it.",
        ) from error
