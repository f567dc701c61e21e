"""Models that tell what a picture shows, as files: which kinds are read, and which a folder holds.

Free of torch: the window and the command line ask it before anything is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.base.configs import read_json
from core.errors import BaseModelError, CaptionerError

CONFIG = "config.json"
TAGGER_NET, TAGGER_NAMES = "model.onnx", "selected_tags.csv"
_PICTURES = ("preprocessor_config.json", "processor_config.json")  # how pictures are prepared
_WHOLE = "Get a whole copy of it."
OWN_CODE = "auto_map"  # in a config: code of the repository's own is to be run


@dataclass(frozen=True, slots=True)
class Wish:
    """Something that a captioner can be asked for."""

    title: str
    prompt: str  # as the model is told


@dataclass(frozen=True, slots=True)
class Kind:
    """Captioners that are told and asked in the same way."""

    name: str
    title: str
    model_types: tuple[str, ...]  # as a config.json names them; none: known by its files
    wishes: tuple[Wish, ...] = ()  # the first is the usual one
    prompt: str = ""  # what is asked for beside the wishes, in words; "" is nothing
    tags: bool = False  # whether it gives tags and how sure it is of each, not sentences

    def asked(self, words: str) -> str:
        """The prompt for words of a person's: a wish by its title, else as they are."""
        if not words.strip():
            return self.wishes[0].prompt if self.wishes else ""
        named = (wish.prompt for wish in self.wishes if wish.title.casefold() == words.casefold())
        return next(named, words)


PLAIN = (
    "Describe what this picture shows in one or two plain sentences, as a caption. Name the "
    "subject first. Do not say how it is drawn, and do not begin with 'the image'."
)
TAGS = "Name what this picture shows in 10 to 20 short tags, separated by commas, nothing else."
KINDS = (
    Kind("blip", "BLIP", ("blip",), (Wish("A short sentence", ""),), "Words to begin with"),
    Kind(
        "florence2",
        "Florence-2",
        ("florence2",),
        (
            Wish("Some sentences", "<DETAILED_CAPTION>"),
            Wish("A short sentence", "<CAPTION>"),
            Wish("A paragraph", "<MORE_DETAILED_CAPTION>"),
        ),
    ),
    Kind(
        "chat",
        "Qwen-VL",
        ("qwen2_vl", "qwen2_5_vl", "qwen3_vl"),
        (Wish("Plain sentences", PLAIN), Wish("Tags", TAGS)),
        "Or in words of yours",
    ),
    Kind("tagger", "WD tagger", (), tags=True),
)
TAGGER = KINDS[-1]
_READ = ", ".join(kind.title for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Known:
    """A captioner that many people use."""

    repo: str
    title: str
    sentence: str  # what it is good for, how large, and under which licence


WELL_KNOWN = (
    Known(
        "SmilingWolf/wd-eva02-large-tagger-v3",
        "WD EVA02-Large tagger v3",
        "Tags for drawn pictures (anime, illustration). About 1.3 GB, Apache-2.0.",
    ),
    Known(
        "SmilingWolf/wd-vit-tagger-v3",
        "WD ViT tagger v3",
        "The same, smaller and quicker. About 0.4 GB, Apache-2.0.",
    ),
    Known(
        "florence-community/Florence-2-large",
        "Florence-2 large",
        "Sentences on pictures of any kind, short to long. About 1.6 GB, MIT.",
    ),
    Known(
        "Qwen/Qwen3-VL-4B-Instruct",
        "Qwen3-VL 4B",
        "The best sentences, and it does as it is asked. About 8.9 GB, wants a GPU; Apache-2.0.",
    ),
    Known(
        "Salesforce/blip-image-captioning-large",
        "BLIP large",
        "One short sentence a picture. About 1.9 GB, BSD-3-Clause.",
    ),
)


@dataclass(frozen=True, slots=True)
class Captioner:
    """A captioner all of whose files are there."""

    path: Path
    kind: Kind

    @property
    def words(self) -> str:
        """`Florence-2, about 1.6 GB`."""
        files = [p for p in self.path.iterdir() if p.suffix in (".safetensors", ".onnx")]
        size = sum(p.stat().st_size for p in files)
        return f"{self.kind.title}, {size / 1e9:.1f} GB" if size >= 1e8 else self.kind.title  # noqa: PLR2004


def open_captioner(path: Path) -> Captioner:
    """Look at a folder without loading anything.

    Raises:
        CaptionerError: It holds none, one of another kind, or a part is missing.
    """
    if path.is_file():
        raise CaptionerError(f"{path} is a file.", hint="Choose the folder that a captioner is in.")
    try:
        names = {entry.name for entry in path.iterdir()}
    except OSError as error:
        raise CaptionerError(
            f"{path} cannot be read: {error.strerror or error}.",
            hint=f"Choose a folder of: {_READ}.",
        ) from error
    if TAGGER_NET in names or TAGGER_NAMES in names:
        for needed in (TAGGER_NET, TAGGER_NAMES):
            _check_there(path, names, needed)
        return Captioner(path, TAGGER)
    if CONFIG not in names:
        found = "a base model" if "model_index.json" in names else "no captioner"
        raise CaptionerError(
            f"{path} is {found}: it has neither {CONFIG} nor {TAGGER_NET}.",
            hint=f"Choose the folder of one of these kinds: {_READ}.",
        )
    kind = _kind_of(path)
    if not names.intersection(_PICTURES):
        _check_there(path, names, _PICTURES[0])
    _check_weights(path, names)
    return Captioner(path, kind)


def _kind_of(path: Path) -> Kind:
    try:
        config = read_json(path / CONFIG)
    except BaseModelError as error:
        raise CaptionerError(error.message, hint=_WHOLE) from error
    name = str(config.get("model_type") or "model of a kind that it does not say")
    kind = kind_of(name)
    if kind is None:
        types = ", ".join(one for kind in KINDS for one in kind.model_types)
        raise CaptionerError(
            f"{path} is a {name}, which is not read.",
            hint=f"Choose one of: {_READ} ({CONFIG} with model_type {types}; or {TAGGER_NET}).",
        )
    if OWN_CODE in config:
        raise CaptionerError(
            f"{path} is a {kind.title} that wants code of its own to be run, which is not done.",
            hint=f"Get a copy that transformers reads by itself{_copy_of(kind)}.",
        )
    return kind


def _copy_of(kind: Kind) -> str:
    known = next((one.repo for one in WELL_KNOWN if one.title.startswith(kind.title)), "")
    return f" ({known})" if known else ""


def kind_of(model_type: str) -> Kind | None:
    """The kind of a config's `model_type`; None for one that is not read."""
    return next((kind for kind in KINDS if model_type in kind.model_types), None)


def _check_there(path: Path, names: set[str], needed: str) -> None:
    if needed not in names:
        raise CaptionerError(f"The captioner {path} has no {needed}.", hint=_WHOLE)


def _check_weights(path: Path, names: set[str]) -> None:
    if any(name.endswith(".safetensors") for name in names):
        return
    if any(name.endswith((".bin", ".pt", ".ckpt")) for name in names):
        raise CaptionerError(
            f"The weights of the captioner {path} are a pickle, which can run code.",
            hint="Get a copy with .safetensors files.",
        )
    raise CaptionerError(f"The captioner {path} has no .safetensors file.", hint=_WHOLE)
