"""The small files of a base model: settings as objects of plain values of sensible sizes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from core.errors import BaseModelError

if TYPE_CHECKING:
    from pathlib import Path

_BYTES = 16 * 2**20  # a tokenizer.json has 2 to 17 MB, a config some kB
_NUMBER = 1_000_000  # no size in a config is larger; one that is would fill the memory
_LAYERS = 1_000  # nor has any net more of them
_FREE = (
    "theta",
)  # numbers that are no size: the base of a rotary embedding, 5,000,000 in Qwen3-VL


def read_json(path: Path) -> dict[str, Any]:
    """A config of a base model: an object of plain values of sensible sizes.

    Raises:
        BaseModelError: It cannot be read, or is none.
    """
    whole = "Get a whole copy of the base model."
    try:
        if path.stat().st_size > _BYTES:
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
    elif isinstance(tree, int | float) and _too_large(tree, name):
        raise BaseModelError(
            f"{path} is damaged: its {name} is {tree:g}.",
            hint="Get a whole copy of the base model.",
        )


def _too_large(number: float, name: str) -> bool:
    if any(word in name for word in _FREE):
        return False
    return abs(number) > (_LAYERS if "layers" in name else _NUMBER)


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
