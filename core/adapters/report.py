"""What an adapter file is, in words and numbers."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.adapters import reading
from core.adapters.changes import tensors_of
from core.adapters.kinds import kind_of
from core.config.facts import FAMILIES, Facts
from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from core.adapters.changes import Adapter

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
    fitting: list[tuple[Facts, set[int], float]] = []
    failure: AdapterError | None = None
    for facts in FAMILIES:
        try:
            adapter = reading.from_tensors(tensors, header, facts.names)
        except AdapterError as error:
            failure = failure or error
            continue
        widths = {c.inputs for p, c in adapter.items() if p.module.endswith("attn2.to_k")}
        fitting.append((facts, widths, _share_known(facts, adapter)))
    if not fitting and failure:
        raise failure
    exactly = [facts for facts, widths, _ in fitting if widths == {facts.text_width}]
    best = max(fitting, key=lambda row: row[2])[0]
    return [*exactly, best][0]


def _share_known(facts: Facts, adapter: Adapter) -> float:
    """Of how many of an adapter's layers the family is known to learn: names alone say little."""
    known = {part: re.compile(pattern) for part, pattern in facts.targets["linear"].items()}
    there = [p.component in known and known[p.component].fullmatch(p.module) for p in adapter]
    return sum(map(bool, there)) / max(1, len(there))


@dataclass(frozen=True, slots=True)
class Report:
    """An adapter in numbers."""

    kinds: tuple[str, ...]
    changes: Mapping[str, int]  # by part
    ranks: tuple[int, ...]
    scales: tuple[float, ...]  # alpha / rank
    numbers: int  # that were learnt
    strongest: tuple[tuple[str, float], ...]  # blocks and their share of all change, 0 to 1

    @property
    def kind(self) -> str:
        """`LoRA of rank 16`, `LoRA of rank 3 to 16`."""
        ranks = self.ranks
        rank = f"{ranks[0]}" if len(ranks) == 1 else f"{ranks[0]} to {ranks[-1]}"
        return f"{' and '.join(self.kinds)} of rank {rank}"

    @property
    def words(self) -> str:
        """`LoRA of rank 16 at strength 1 (alpha / rank)`."""
        scales = self.scales
        scale = f"{scales[0]:g}" if len(scales) == 1 else f"{scales[0]:g} to {scales[-1]:g}"
        return f"{self.kind} at strength {scale} (alpha / rank)"


def report(adapter: Adapter) -> Report:
    """Count and weigh an adapter's changes."""
    weights: dict[str, float] = defaultdict(float)
    for place, change in adapter.items():
        block = ".".join(place.module.split(".")[:_BLOCK_PIECES])
        weights[f"{place.component} {block}"] += change.norm() ** 2
    whole = sum(weights.values()) or 1.0
    strongest = sorted(weights, key=lambda block: -weights[block])[:TOLD]
    return Report(
        kinds=tuple(sorted({kind_of(change).title for change in adapter.values()})),
        changes=Counter(place.component for place in adapter),
        ranks=tuple(sorted({change.rank for change in adapter.values()})),
        scales=tuple(sorted({round(c.scale, 4) for c in adapter.values()})),
        numbers=sum(t.numel() for c in adapter.values() for t in tensors_of(c).values()),
        strongest=tuple((block, weights[block] / whole) for block in strongest),
    )


def in_words(adapter: Adapter) -> str:
    """What it is: `LoRA of rank 16 at strength 1 (alpha / rank)`."""
    return report(adapter).words
