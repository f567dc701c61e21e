"""All families, and which of them a base model belongs to."""

from __future__ import annotations

import json
from pathlib import Path

from core.errors import BaseModelError
from core.families.family import ModelFamily
from core.families.sd1 import SD1

FAMILIES: tuple[ModelFamily, ...] = (SD1,)


def family_of(path: Path) -> ModelFamily:
    """The family of a diffusers folder.

    Raises:
        BaseModelError: It is no such folder, or of a kind that is not supported.
    """
    index = path / "model_index.json"
    known = ", ".join(family.title for family in FAMILIES)
    try:
        name = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BaseModelError(
            f"{path} is not a base model: it has no readable model_index.json.",
            hint=f"Choose a model folder as diffusers saves it ({known}).",
        ) from error
    for family in FAMILIES:
        if family.pipeline == name:
            return family
    raise BaseModelError(
        f"The base model {path} is a {name}, which is not supported yet.",
        hint=f"Choose one of: {known}.",
    )
