"""How adapters stand to each other: whether together they show less, or overdo it."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from core.adapters.changes import Adapter, Change, LoRA, Place
from core.adapters.merging import delta_of
from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Sequence

OPPOSED = -0.1  # of the cosine between two adapters, from which on they are said to work apart
ALIKE = 0.5  # and from which on together they overdo what either does


@dataclass(frozen=True, slots=True)
class Overlap:
    """How two adapters stand to each other where both act."""

    shared: int  # layers
    only: tuple[int, int]  # layers of one of them alone
    cosine: float  # between all that they change, -1 to 1
    opposed: tuple[tuple[Place, float], ...]  # the layers that differ most, and their cosines

    @property
    def warning(self) -> str:
        """What a person should know before using both; "" where it is nothing."""
        if self.cosine <= OPPOSED:
            return (
                f"They work against each other ({self.cosine:+.2f} of -1 to 1 over {self.shared} "
                "layers): together each shows less. Lower the weight of one."
            )
        if self.cosine >= ALIKE:
            return (
                f"They do much the same ({self.cosine:+.2f} of -1 to 1 over {self.shared} layers): "
                "together they overdo it. Take weights that add up to 1."
            )
        return ""


def overlap(one: Adapter, other: Adapter, told: int = 3) -> Overlap:
    """Compare two adapters of one family by the inner products of their changes.

    Raises:
        AdapterError: What a change does hangs on the base's weights.
    """
    shared = sorted(one.keys() & other.keys())
    inner, cosines = 0.0, {}
    squared = [0.0, 0.0]
    for place in shared:
        product, first, second = _products(place, one[place], other[place])
        inner += product
        squared = [squared[0] + first, squared[1] + second]
        cosines[place] = product / (math.sqrt(first * second) or 1.0)
    cosine = inner / (math.sqrt(squared[0] * squared[1]) or 1.0)
    worst = sorted((c, place) for place, c in cosines.items() if c <= OPPOSED)[:told]
    counts = len(one.keys() - other.keys()), len(other.keys() - one.keys())
    return Overlap(len(shared), counts, cosine, tuple((place, c) for c, place in worst))


def conflicts(names: Sequence[str], adapters: Sequence[Adapter]) -> list[str]:
    """What a person should know of each pair, where it can be told without the base."""
    lines = []
    for (one, a), (other, b) in combinations(zip(names, adapters, strict=True), 2):
        with contextlib.suppress(AdapterError):
            if words := overlap(a, b).warning:
                lines.append(f"{one} and {other}: {words}")
    return lines


def _products(place: Place, one: Change, other: Change) -> tuple[float, float, float]:
    """sum(dW1 * dW2), and both squared norms; of LoRAs from matrices of their ranks alone."""
    if isinstance(one, LoRA) and isinstance(other, LoRA):
        return inner_product(one, other), one.norm() ** 2, other.norm() ** 2
    known = next((c for c in (one, other) if isinstance(c, LoRA)), None)
    shape = (known.outputs, *known.down.shape[1:]) if known else ()
    a, b = (delta_of(place, change, shape).double() for change in (one, other))
    return float((a * b).sum()), float(a.square().sum()), float(b.square().sum())


def inner_product(one: LoRA, other: LoRA) -> float:
    """sum(dW1 * dW2) = sum((B1^T B2) * (A1 A2^T)), times both scales."""
    ups = one.up.flatten(1).float().T @ other.up.flatten(1).float()
    downs = one.down.flatten(1).float() @ other.down.flatten(1).float().T
    return float((ups * downs).sum()) * one.scale * other.scale
