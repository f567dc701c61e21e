"""Several adapters in one command: their weights, and how they stand to each other."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import AdapterError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.adapters.changes import Adapter


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


def conflicts(paths: Sequence[Path], adapters: Sequence[Adapter]) -> list[str]:
    """What a person should know of each pair, where it can be told without the base."""
    from core.adapters.merging import overlap

    lines = []
    for (one, a), (other, b) in combinations(zip(paths, adapters, strict=True), 2):
        with contextlib.suppress(AdapterError):
            if words := overlap(a, b).warning:
                lines.append(f"{one.name} and {other.name}: {words}")
    return lines
