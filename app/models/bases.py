"""Whether a folder is a base model that can be trained, without loading it."""

from __future__ import annotations

import json
from pathlib import Path

from core.errors import BaseModelError

KNOWN = {"StableDiffusionPipeline": "Stable Diffusion 1"}  # until core tells it without torch


def check(folder: Path) -> None:
    """Look at what the folder says of itself.

    Raises:
        BaseModelError: It is no model folder, or of a kind that is not supported.
    """
    hint = f"Choose a model folder as diffusers saves it ({', '.join(KNOWN.values())})."
    try:
        kind = json.loads((folder / "model_index.json").read_bytes())["_class_name"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        words = f"{folder} is not a base model: it has no readable model_index.json."
        raise BaseModelError(words, hint=hint) from error
    if kind not in KNOWN:
        words = f"The base model {folder} is a {kind}, which is not supported yet."
        raise BaseModelError(words, hint=hint)
