"""Base models as one .safetensors file, as sharing sites give them: known by names and shapes."""

from __future__ import annotations

import json
import math
import re
import statistics
import struct
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from core.base import published
from core.base.configs import read_json, unreadable
from core.base.folder import open_folder
from core.base.held import HINT, check_read
from core.base.value import BUNDLED, CONFIG_NAMES, Base, InFile
from core.config.facts import FAMILIES, Facts, that_predicts
from core.errors import BaseModelError, RestMissingError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PICKLES = frozenset({".ckpt", ".bin", ".pt", ".pth", ".pkl"})
PREDICTING: Mapping[str, Mapping[str, Any]] = {  # what a person may say, as a scheduler's settings
    "epsilon": {"prediction_type": "epsilon"},
    "v_prediction": {"prediction_type": "v_prediction"},
    "v_zero_snr": {  # arXiv:2305.08891; Euler's is the one that every family has
        "_class_name": "EulerDiscreteScheduler",
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    },
}
_LENGTH = struct.Struct("<Q")
_GGUF = b"GGUF"  # numbers packed in blocks, of llama.cpp's kind
_HEADER_BYTES = 32 * 2**20  # SDXL's has 300 kB
_BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "I64": 64}
_UNET = "model.diffusion_model."
_INPUT = "input_blocks.0.0.weight"
_TEXTS = "attn2.to_k.weight"  # reads texts: its width tells the family
_CHANNELS = {9: "an inpainting model", 8: "an InstructPix2Pix model", 5: "a depth model"}
_TELLING_BIAS = f"{_UNET}output_blocks.11.1.transformer_blocks.0.norm1.bias"
_V_SPREAD = 0.09  # of that bias, where v is predicted
_HALF_OF_FLOAT = "H"  # bfloat16: the upper half of a float32
_LETTERS = {"F64": "d", "F32": "f", "F16": "e", "BF16": _HALF_OF_FLOAT}  # of struct
_FEW = 4096  # numbers
_V_PREDICTION = re.compile(r"v[-_ ]?pred", re.IGNORECASE)

# What names of tensors tell, and what is right instead; the first that fits counts.
_WHOLE_MODEL = "Choose a whole model file: {known}."
_KINDS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), words, hint)
    for pattern, words, hint in (
        (
            r"lora_(down|up|A|B)\b|\.lora\.(down|up)\.|hada_w|lokr_w|\.oft_|dora_scale",
            "an adapter (a LoRA or one of its kind), not a base model",
            "Choose the model that it was made for; an adapter is tried on the Preview page.",
        ),
        (r"^emb_params$|^string_to_param", "a textual inversion, not a base model", _WHOLE_MODEL),
        (
            r"^control_model\.|controlnet_|input_hint_block|^control_",
            "a ControlNet, not a base model",
            _WHOLE_MODEL,
        ),
        (r"ip_adapter|^image_proj", "an IP-Adapter, not a base model", _WHOLE_MODEL),
        (
            r"motion_modules|time_stack|temporal_transformer|head\.modulation$|patchify_proj\.",
            "a video model",
            _WHOLE_MODEL,
        ),
        (
            r"^down_blocks\.\d+\.resnets\.",
            "the UNet of a diffusers folder alone",
            "Choose that folder, or a whole model file: {known}.",
        ),
    )
)
_ALONE = (  # where there is no UNet
    (re.compile(r"(^|\.)decoder\.(conv_in|up)"), "a VAE, not a base model"),
    (re.compile(r"token_embedding|encoder\.block\.0|layers\.0\.self_attn"), "a text encoder alone"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """What a .safetensors file says before its numbers."""

    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]  # "F16"
    metadata: Mapping[str, str]
    begins: Mapping[str, int] = field(default_factory=dict[str, int])  # of each one's bytes


def read_header(path: Path) -> Header:
    """The names, shapes and words of a .safetensors file; its numbers are not read.

    Raises:
        BaseModelError: It is none, or cut short.
    """
    whole = "Get a whole copy of it."
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            said = file.read(_LENGTH.size)
            if said.startswith(_GGUF):
                raise BaseModelError(f"{path} is a GGUF file, which is not read.", hint=HINT)
            (length,) = _LENGTH.unpack(said) if len(said) == _LENGTH.size else (0,)
            if not 0 < length <= min(_HEADER_BYTES, size - _LENGTH.size):
                raise BaseModelError(f"{path} is no .safetensors file, or damaged.", hint=whole)
            tree = json.loads(file.read(length))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise BaseModelError(f"The header of {path} is damaged.", hint=whole) from error
    try:
        words = {str(k): str(v) for k, v in tree.pop("__metadata__", {}).items()}
        shapes = {name: tuple(map(int, tensor["shape"])) for name, tensor in tree.items()}
        dtypes = {name: str(tensor["dtype"]) for name, tensor in tree.items()}
        start = _LENGTH.size + length
        begins = {name: start + int(tensor["data_offsets"][0]) for name, tensor in tree.items()}
        end = max((int(tensor["data_offsets"][1]) for tensor in tree.values()), default=0)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise BaseModelError(f"The header of {path} is damaged.", hint=whole) from error
    if (wanted := start + end) > size:
        raise BaseModelError(
            f"{path} is cut short: it has {size:,} of {wanted:,} bytes.",
            hint="Download it again.",
        )
    return Header(shapes, dtypes, words, begins)


def open_file(path: Path, rest: Path | None = None) -> Base:
    """Look at a file without loading its numbers.

    Args:
        path: Where it is.
        rest: The folder of a model of the same family, for what a file of a transformer lacks.

    Raises:
        BaseModelError: It is no base model, of a kind that is not supported, or a part is missing.
        RestMissingError: It is a transformer alone, and there is no `rest`.
    """
    check_no_pickle(path)
    header = read_header(path)
    if alone := _transformer_of(header):
        check_read(path, header)
        return _with_rest(path, header, alone, rest)
    facts = _family_of(path, header)
    told, note = _predicts(path, header, facts)
    facts = that_predicts(facts, PREDICTING[told]["prediction_type"])
    parts = {
        part: InFile(path, prefix, naming)
        for part, (prefix, naming) in facts.in_file.items()
        if any(name.startswith(prefix) for name in header.shapes)
    }
    folders = {part: BUNDLED / facts.bundled.get(part, part) for part in facts.parts}
    configs = {
        part: read_json(folder / CONFIG_NAMES.get(part, "config.json"))
        for part, folder in folders.items()
        if part not in facts.tokenizers
    }
    configs["scheduler"] = {**configs["scheduler"], **PREDICTING[told]}
    return Base(path, facts, configs, folders, parts, (note,) if note else ())


def check_no_pickle(path: Path) -> None:
    """Pickles are not opened.

    Raises:
        BaseModelError: By its name it is one.
    """
    if path.suffix.lower() in PICKLES:
        raise BaseModelError(
            f"{path} is a pickled file, which can run code and is not opened.",
            hint=f'Make a safe copy with: stylewright unpickle "{path}"',
        )


def facts_of_file(path: Path) -> Facts:
    """The row of a file's family, whether or not it holds a whole model.

    Raises:
        BaseModelError: It is no base model, or of a kind that is not supported.
    """
    is_pickle = path.suffix.lower() in PICKLES
    return (None if is_pickle else _transformer_of(read_header(path))) or open_file(path).facts


def _transformer_of(header: Header) -> Facts | None:
    """The row of the family whose transformer a file is; later ones are made of earlier ones."""
    names = "\n".join(header.shapes)
    if any(re.search(pattern.pattern, names, re.MULTILINE) for pattern, _, _ in _KINDS):
        return None
    rows = [row for row in FAMILIES if row.alone and re.search(row.alone, names)]
    return rows[-1] if rows else None


def _with_rest(path: Path, header: Header, facts: Facts, rest: Path | None) -> Base:
    within = _UNET if any(name.startswith(_UNET) for name in header.shapes) else ""
    if rest is None:
        base = published.rest_of(path, header, within, facts)
    else:
        base = open_folder(rest, whole=False)
    if base is None:
        raise RestMissingError(
            f"{path} is the transformer of a {facts.title} model of unusual size, without the "
            "settings and vocabularies that go with it.",
            hint=f"Name a {facts.title} folder as diffusers saves it, too, of which the rest is "
            "taken: rest in the settings, --rest.",
        )
    if base.facts.family != facts.family:
        raise BaseModelError(
            f"{path} is the transformer of a {facts.title} model, {rest} is {base.facts.title}.",
            hint=f"Choose a {facts.title} folder for the rest.",
        )
    own = InFile(path, within, facts.alone_naming)
    return replace(base, path=path, weights={**base.weights, facts.denoiser: own})


def precision(header: Header, prefix: str = _UNET) -> str:
    """In which precision most of a net's numbers are: "F16"."""
    sizes: Counter[str] = Counter()
    for name, shape in header.shapes.items():
        if name.startswith(prefix):
            sizes[header.dtypes[name]] += math.prod(shape)
    return max(sizes, key=lambda dtype: sizes[dtype], default="")


def _family_of(path: Path, header: Header) -> Facts:
    """The row of a file's family.

    Raises:
        BaseModelError: It is something else; named.
    """
    known = " or ".join(dict.fromkeys(facts.title for facts in FAMILIES if facts.in_file))

    def refused(words: str, hint: str) -> BaseModelError:
        return BaseModelError(f"{path} is {words}.", hint=hint.format(known=known))

    names = "\n".join(header.shapes)
    for pattern, words, hint in _KINDS:
        if re.search(pattern.pattern, names, re.MULTILINE):
            raise refused(words, hint)
    check_read(path, header)
    if _UNET + _INPUT not in header.shapes:
        if _INPUT in header.shapes:
            raise refused("a UNet without text encoder and VAE", _WHOLE_MODEL)
        for pattern, words in _ALONE:
            if re.search(pattern.pattern, names, re.MULTILINE):
                raise refused(words, _WHOLE_MODEL)
        raise refused("no model that is known here", _WHOLE_MODEL)
    channels = (*header.shapes[_UNET + _INPUT], 0, 0)[1]
    widths = {
        shape[1]
        for name, shape in header.shapes.items()
        if name.startswith(_UNET) and name.endswith(_TEXTS) and len(shape) == 2  # noqa: PLR2004
    }
    for facts in [row for row in FAMILIES if row.in_file]:
        config = read_json(BUNDLED / facts.bundled[facts.denoiser] / "config.json")
        if widths == {config["cross_attention_dim"]}:
            if channels == config["in_channels"]:
                return facts
            words = _CHANNELS.get(channels, f"a model with {channels} channels of input")
            raise refused(f"{words} of {facts.title}'s shape, which is not supported", _WHOLE_MODEL)
    words = "SDXL's refiner" if widths == {1280} else "no model that is known here"
    raise refused(words, _WHOLE_MODEL)


def _predicts(path: Path, header: Header, facts: Facts) -> tuple[str, str]:
    """What the UNet was taught to say, a key of `PREDICTING`, and a note where that is a guess.

    Fine-tunes that predict v say so by empty tensors (`v_pred`, `ztsnr`), as NoobAI's do and
    ComfyUI reads them, or by the ModelSpec in the header. Stable Diffusion 2's say nothing, and
    are told by one of their biases, as in ComfyUI (supported_models.py, SD20).
    """
    if "v_pred" in header.shapes:
        return ("v_zero_snr" if "ztsnr" in header.shapes else "v_prediction"), ""
    said = header.metadata.get("modelspec.prediction_type", "")
    if said in ("v", "v_prediction"):
        return "v_prediction", ""
    if facts.predicts and said != "epsilon":
        biases = _numbers(path, header, _TELLING_BIAS)
        v = len(biases) > 1 and statistics.pstdev(biases) > _V_SPREAD
        return ("v_prediction" if v else "epsilon"), ""
    if said != "epsilon" and _V_PREDICTION.search(path.stem):
        return "v_zero_snr", (
            f"By its name {path.name} predicts v, though nothing in it says so. It is taken to, "
            "with no signal left at the end. If its pictures are noise, set prediction to "
            "v_prediction or epsilon."
        )
    return "epsilon", ""


def _numbers(path: Path, header: Header, name: str) -> list[float]:
    """A small tensor's numbers; none where it is not there, or of an unusual precision.

    Raises:
        BaseModelError: The file cannot be read.
    """
    letter = _LETTERS.get(header.dtypes.get(name, ""), "")
    count = math.prod(header.shapes.get(name, ()))
    if not letter or count > _FEW:
        return []
    try:
        with path.open("rb") as file:
            file.seek(header.begins[name])
            content = file.read(count * struct.calcsize(letter))
    except OSError as error:
        raise unreadable(path, error) from error
    whole = len(content) == count * struct.calcsize(letter)
    found = struct.unpack(f"<{count}{letter}", content) if whole else ()
    if letter == _HALF_OF_FLOAT:
        found = struct.unpack(f"<{count}f", struct.pack(f"<{count}I", *(n << 16 for n in found)))
    return [number for number in found if math.isfinite(number)]
