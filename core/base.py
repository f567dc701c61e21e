"""A base model as files: which family it is, what is missing, and fingerprints; free of torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config.facts import DEMO, FAMILIES, Facts
from core.config.options import DEMO_BASE
from core.errors import BaseModelError
from core.hashing import RememberedHashes, key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

ASSETS = Path(__file__).resolve().parents[1] / "assets"
DEMO_FOLDER = ASSETS / "demo-base"
INPAINTING_CHANNELS = 9
SD2_WIDTH = 1024  # of the text encoder: it has the same pipeline as Stable Diffusion 1
PREDICTIONS = ("epsilon", "v_prediction")
VARIANTS = ("", "fp16", "bf16", "non_ema", "ema")  # in the order in which they are taken
_WEIGHTS = {"text_encoder": ("model", "pytorch_model")}  # of transformers' nets; others: diffusers'
_DIFFUSERS_WEIGHTS = ("diffusion_pytorch_model",)
_WITHOUT_WEIGHTS = frozenset({"tokenizer", "scheduler"})
_ENDINGS = (".safetensors", ".bin")
_CONFIG_BYTES = 16 * 2**20  # a tokenizer.json has 2 to 17 MB, a config some kB
_CONFIG_NUMBER = 1_000_000  # no size in a config is larger; one that is would fill the memory
_TIMES = 10_000  # of a scheduler; real ones have 1,000


@dataclass(frozen=True, slots=True)
class Base:
    """A whole folder in diffusers' layout."""

    path: Path
    facts: Facts
    configs: Mapping[str, Mapping[str, Any]]  # of each part that has one
    variants: Mapping[str, str]  # of each part's weights: "" or "fp16" ...

    def fingerprints(self, remembered: RememberedHashes) -> dict[str, str]:
        """A name for each part's files, by which a changed part is known.

        Raises:
            BaseModelError: A file cannot be read.
        """
        made: dict[str, str] = {}
        try:
            for part in self.facts.parts:
                files = self._files(part)
                made[part] = key_of(*(x for f in files for x in (f.name, remembered.of(f))))
        except OSError as error:
            raise unreadable(self.path, error) from error
        remembered.save()
        return made

    def _files(self, part: str) -> list[Path]:
        """The files that are loaded: configs, vocabularies, and weights of the chosen variant."""
        found = [p for p in sorted((self.path / part).iterdir()) if p.is_file()]
        weights = [p for p in found if p.name.endswith((*_ENDINGS, ".index.json"))]
        chosen = [p for p in weights if _variant_of(p.name) == self.variants.get(part, "")]
        whole = [p for p in chosen if not p.name.endswith(".bin")] or chosen
        return [p for p in found if p not in weights] + whole


def facts_of(base: str, root: Path) -> Facts:
    """The row of a config's `base`; the first family's where it is not there, or not known."""
    if base == DEMO_BASE:
        return DEMO
    try:
        return _family_of(root / Path(base).expanduser())
    except BaseModelError:
        return FAMILIES[0]


def open_base(path: Path) -> Base:
    """Look at a base model's folder without loading its weights.

    Raises:
        BaseModelError: It is no such folder, it is of a kind that is not supported, or a part is
            missing.
    """
    facts = _family_of(path)
    if path.resolve() == DEMO_FOLDER:
        facts = DEMO
    configs: dict[str, Mapping[str, Any]] = {}
    variants: dict[str, str] = {}
    for part in facts.parts:
        folder = path / part
        if not folder.is_dir():
            raise BaseModelError(
                f"The base model {path} has no {part}.",
                hint=f"Choose a whole {facts.title} model in diffusers' folder layout.",
            )
        if part == "tokenizer":
            continue
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        configs[part] = read_json(folder / name)
        if part not in _WITHOUT_WEIGHTS:
            variants[part] = _variant(folder, part)
    _check_kind(path, configs)
    return Base(path, facts, configs, variants)


def _family_of(path: Path) -> Facts:
    index = path / "model_index.json"
    known = ", ".join(facts.title for facts in FAMILIES)
    hint = f"Choose a model folder as diffusers saves it ({known})."
    if path.is_file():
        raise BaseModelError(f"The base model {path} is a single file, not a folder.", hint=hint)
    if not path.is_dir():
        raise BaseModelError(f"There is no base model at {path}.", hint=hint)
    if not index.is_file():
        raise BaseModelError(
            f"{path} is not a base model: it has no readable model_index.json.", hint=hint
        )
    name = read_json(index).get("_class_name")
    for facts in FAMILIES:
        if facts.pipeline == name:
            return facts
    raise BaseModelError(
        f"The base model {path} is a {name}, which is not supported yet.",
        hint=f"Choose one of: {known}.",
    )


def read_json(path: Path) -> dict[str, Any]:
    """A config of a base model: an object of plain values of sensible sizes.

    Raises:
        BaseModelError: It cannot be read, or is none.
    """
    whole = "Get a whole copy of the base model."
    try:
        if path.stat().st_size > _CONFIG_BYTES:
            raise BaseModelError(f"{path} is too large for a config.", hint=whole)
        tree = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise BaseModelError(f"{path} is damaged: it is no JSON.", hint=whole) from error
    if not isinstance(tree, dict):
        raise BaseModelError(f"{path} is damaged: it holds no settings.", hint=whole)
    _check_sizes(path, tree)
    return tree


def _check_sizes(path: Path, tree: object, name: str = "") -> None:
    """Refuse numbers that no model has, before a library makes room for them."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            _check_sizes(path, value, str(key))
    elif isinstance(tree, list):
        for value in tree:
            _check_sizes(path, value, name)
    elif isinstance(tree, int | float) and abs(tree) > _CONFIG_NUMBER:
        raise BaseModelError(
            f"{path} is damaged: its {name} is {tree:g}.",
            hint="Get a whole copy of the base model.",
        )


def unreadable(path: Path, error: OSError) -> BaseModelError:
    """Why a file of a base could not be read, in words."""
    if isinstance(error, PermissionError):
        return BaseModelError(
            f"{error.filename or path} may not be read.", hint="Change its permissions."
        )
    return BaseModelError(
        f"{error.filename or path} cannot be read: {error.strerror or error}.",
        hint="Get a whole copy of the base model.",
    )


def _variant_of(name: str) -> str:
    """`model.fp16.safetensors` to `fp16`; shards and their index belong to the variant they name.

    Sharded: `model.fp16-00001-of-00002.safetensors`, `model.safetensors.index.fp16.json`.
    """
    words = name.replace("-", ".").split(".")
    return next((variant for variant in VARIANTS[1:] if variant in words), "")


def _variant(folder: Path, part: str) -> str:
    """Which of a part's weights are loaded.

    Raises:
        BaseModelError: There are none, or the folder may not be read.
    """
    stems = _WEIGHTS.get(part, _DIFFUSERS_WEIGHTS)
    try:
        names = [p.name for p in folder.iterdir()]
    except OSError as error:
        raise unreadable(folder, error) from error
    weights = [n for n in names if n.startswith(stems) and (n.endswith(_ENDINGS) or ".index." in n)]
    safe = [name for name in weights if "safetensors" in name]
    there = {_variant_of(name) for name in safe or weights}
    if chosen := [variant for variant in VARIANTS if variant in there]:
        return chosen[0]
    raise BaseModelError(
        f"The base model {folder.parent} has no weights in its {part}.",
        hint=f"Get a whole copy of it: {folder} should hold {stems[0]}.safetensors.",
    )


def _check_kind(path: Path, configs: Mapping[str, Mapping[str, Any]]) -> None:
    """Name the relatives of a family that have its pipeline's class, too.

    Raises:
        BaseModelError: It is one of them.
    """
    unet, scheduler = configs.get("unet", {}), configs.get("scheduler", {})
    other = "Choose a Stable Diffusion 1 model."
    if unet.get("in_channels", 4) == INPAINTING_CHANNELS:
        raise BaseModelError(
            f"The base model {path} is an inpainting model, which is not supported.", hint=other
        )
    if unet.get("cross_attention_dim") == SD2_WIDTH:
        raise BaseModelError(
            f"The base model {path} is Stable Diffusion 2, which is not supported yet.", hint=other
        )
    predicts = scheduler.get("prediction_type", "epsilon")
    if "Flow" in str(scheduler.get("_class_name", "")) or predicts == "flow_prediction":
        raise BaseModelError(
            f"The base model {path} is a flow model of Stable Diffusion 1's shape, which is not "
            "supported.",
            hint=other,
        )
    if predicts not in PREDICTIONS:
        raise BaseModelError(
            f"The base model {path} predicts {predicts!r}, which is not supported.",
            hint=f"Choose one that predicts {' or '.join(PREDICTIONS)}.",
        )
    times = scheduler.get("num_train_timesteps", 1000)
    if not isinstance(times, int) or not 1 <= times <= _TIMES:
        raise BaseModelError(
            f"{path / 'scheduler'} is damaged: it has {times} training times.",
            hint="Get a whole copy of the base model.",
        )
