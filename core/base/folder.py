"""Base models as folders in diffusers' layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.base.configs import read_json, unreadable
from core.base.value import (
    CONFIG_NAMES,
    DEMO_FOLDER,
    ENDINGS,
    VARIANTS,
    Base,
    InFolder,
    is_weights,
    variant_of,
)
from core.config.facts import DEMO, FAMILIES, TITLES, Facts
from core.errors import BaseModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TRANSFORMERS_WEIGHTS = ("model", "pytorch_model")  # of text encoders
DIFFUSERS_WEIGHTS = ("diffusion_pytorch_model",)
INDEX = "model_index.json"


def open_folder(path: Path, *, whole: bool = True) -> Base:
    """Look at a folder without loading its weights.

    Args:
        path: Where it is.
        whole: Whether all weights must be there; else those that are not are left out.

    Raises:
        BaseModelError: It is no such folder, it is of a kind that is not supported, or a part is
            missing.
    """
    facts = family_of(path)
    if path.resolve() == DEMO_FOLDER:
        facts = DEMO
    configs: dict[str, Mapping[str, Any]] = {}
    weights: dict[str, InFolder] = {}
    for part in facts.parts:
        folder = path / part
        if not folder.is_dir():
            raise BaseModelError(
                f"The base model {path} has no {part}.",
                hint=f"Choose a whole {facts.title} model in diffusers' folder layout.",
            )
        if part in facts.tokenizers:
            continue
        configs[part] = read_json(folder / CONFIG_NAMES.get(part, "config.json"))
        if part != "scheduler":
            text = part in facts.text_encoders
            stems = _TRANSFORMERS_WEIGHTS if text else DIFFUSERS_WEIGHTS
            try:
                weights[part] = InFolder(weights_variant(folder, stems))
            except BaseModelError:
                if whole:
                    raise
    folders = {part: path / part for part in facts.parts}
    return Base(path, facts, configs, folders, weights)


def family_of(path: Path) -> Facts:
    """The row of a folder's family.

    Raises:
        BaseModelError: It is no model's folder, or of another family.
    """
    index = path / INDEX
    known = ", ".join(TITLES)
    if not index.is_file():
        raise BaseModelError(
            f"{path} is not a base model: it has no readable {INDEX}.",
            hint=f"Choose a model folder as diffusers saves it, or one file ({known}).",
        )
    name = read_json(index).get("_class_name")
    if rows := [facts for facts in FAMILIES if facts.pipeline == name]:
        return _that_reads(rows, path)
    raise BaseModelError(
        f"The base model {path} is a {name}, which is not supported yet.",
        hint=f"Choose one of: {known}.",
    )


def _that_reads(rows: Sequence[Facts], path: Path) -> Facts:
    """Of families with the same pipeline, the one whose texts are as wide; else the first."""
    config = path / rows[0].denoiser / "config.json"
    if len(rows) == 1 or not config.is_file():
        return rows[0]
    width = read_json(config).get("cross_attention_dim")
    return next((facts for facts in rows if facts.text_width == width), rows[0])


def weights_variant(folder: Path, stems: tuple[str, ...]) -> str:
    """Which of a part's weights are loaded.

    Raises:
        BaseModelError: There are none, or the folder may not be read.
    """
    try:
        names = [p.name for p in folder.iterdir()]
    except OSError as error:
        raise unreadable(folder, error) from error
    weights = [name for name in names if name.startswith(stems) and is_weights(name)]
    safe = [name for name in weights if "safetensors" in name]
    there = {variant_of(name) for name in safe or weights}
    if chosen := [variant for variant in VARIANTS if variant in there]:
        return chosen[0]
    raise BaseModelError(
        f"The base model {folder.parent} has no weights in its {folder.name}.",
        hint=f"Get a whole copy of it: {folder} should hold {stems[0]}{ENDINGS[0]}.",
    )
