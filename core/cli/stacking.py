"""Several adapters in one command, each with its weight."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Weighted:
    """An adapter file and how strongly it counts."""

    path: Path
    weight: float


_WEIGHTED = re.compile(r"(?P<path>.+?)(?::(?P<weight>[-+]?\d+(?:\.\d+)?))?")  # C:\ is no weight


def weighted(word: str) -> Weighted:
    """`style.safetensors:0.7`; without a number it is 1."""
    found = _WEIGHTED.fullmatch(word)
    if found is None:
        raise ConfigError(f"{word!r} is no adapter.", hint="Name a file, or FILE:0.7.")
    return Weighted(Path(found["path"]), float(found["weight"] or 1))
