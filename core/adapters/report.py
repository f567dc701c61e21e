"""What an adapter file is, in words and numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from core.adapters import formats
from core.config.facts import FAMILIES, Facts
from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from core.adapters.lora import Adapter, LoRA

TOLD = 3  # of the blocks
_BLOCK_PIECES = 2  # of a module's path that name its block: `down_blocks.1`


def family_of(tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> Facts:
    """The family that an adapter was made for: by its header, else by what its tensors fit.

    Raises:
        AdapterError: It fits none.
    """
    for facts in FAMILIES:
        said = header.get("ss_base_model_version"), header.get("modelspec.architecture")
        if facts.kohya_version == said[0] or facts.architecture == said[1]:
            return facts
    fitting: list[tuple[Facts, set[int]]] = []
    failure: AdapterError | None = None
    for facts in FAMILIES:
        try:
            adapter = formats.from_tensors(tensors, header, facts.names)
        except AdapterError as error:
            failure = failure or error
            continue
        widths = {c.down.shape[1] for p, c in adapter.items() if p.module.endswith("attn2.to_k")}
        fitting.append((facts, widths))
    if not fitting and failure:
        raise failure
    exactly = [facts for facts, widths in fitting if widths == {facts.text_width}]
    return [*exactly, *(facts for facts, _ in fitting)][0]


@dataclass(frozen=True, slots=True)
class Report:
    """An adapter in numbers."""

    changes: Mapping[str, int]  # by part
    ranks: tuple[int, ...]
    scales: tuple[float, ...]  # alpha / rank
    numbers: int  # that were learnt
    strongest: tuple[tuple[str, float], ...]  # blocks and their share of all change, 0 to 1


def report(adapter: Adapter) -> Report:
    """Count and weigh an adapter's changes."""
    weights: dict[str, float] = defaultdict(float)
    for place, change in adapter.items():
        block = ".".join(place.module.split(".")[:_BLOCK_PIECES])
        weights[f"{place.component} {block}"] += size(change) ** 2
    whole = sum(weights.values()) or 1.0
    strongest = sorted(weights, key=lambda block: -weights[block])[:TOLD]
    return Report(
        changes=Counter(place.component for place in adapter),
        ranks=tuple(sorted({change.rank for change in adapter.values()})),
        scales=tuple(sorted({round(c.alpha / c.rank, 4) for c in adapter.values()})),
        numbers=sum(c.down.numel() + c.up.numel() for c in adapter.values()),
        strongest=tuple((block, weights[block] / whole) for block in strongest),
    )


def size(change: LoRA) -> float:
    """The Frobenius norm of dW, from two r x r products: ||BA||^2 = sum((B^T B) * (A A^T))."""
    down, up = change.down.float().flatten(1), change.up.float().flatten(1)
    squared = ((up.T @ up) * (down @ down.T)).sum().clamp(min=0)
    return abs(change.alpha / change.rank) * float(torch.sqrt(squared))
