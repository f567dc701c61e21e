"""What a fine-tune changed of the base that it was made from, as an adapter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.adapters import merging
from core.adapters.changes import Adapter, Place
from core.errors import BaseModelError, naming_full_memory
from core.families import loading
from core.families.registry import FAMILIES
from core.families.weights import of_part
from core.protocol.events import Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from torch import Tensor

    from core.adapters.merging import Size
    from core.base.value import Base

_ALIKE = 1e-6  # relative: a layer that differs by less was not tuned


def extracted(
    tuned: Base, parent: Base, targets: Mapping[str, str], size: Size
) -> Generator[Progress, None, Adapter]:
    """What a fine-tune changed, as LoRA: of each layer the largest singular values.

    Args:
        tuned: The fine-tuned base.
        parent: What it was tuned from.
        targets: A regex of whole module paths for each part.
        size: Of the result.

    Yields:
        How far it is.

    Returns:
        The adapter; nothing where both are alike.

    Raises:
        BaseModelError: They are of different families or shapes, or cannot be read.
    """
    if tuned.facts.family != parent.facts.family:
        raise BaseModelError(
            f"{tuned.path} is a {tuned.facts.title}, {parent.path} a {parent.facts.title}.",
            hint="Choose the base that it was tuned from.",
        )
    nets = {p: loading.empty_net(tuned, p, FAMILIES[tuned.facts.family].nets[p]) for p in targets}
    layers = {
        part: [name for name, _ in nets[part].named_modules() if re.fullmatch(pattern, name)]
        for part, pattern in targets.items()
    }
    made: Adapter = {}
    done, total = 0, sum(map(len, layers.values()))
    with naming_full_memory("Choose a smaller rank, or close other programs."):
        for part, net in nets.items():
            after, before = of_part(tuned, part, net), of_part(parent, part, net)
            for module in layers[part]:
                done += 1
                yield Progress(phase="Comparing layers", done=done, total=total)
                if module in after and module in before:
                    place = Place(part, module)
                    delta = _difference(place, after[module], before[module], tuned, parent)
                    made |= {} if delta is None else {place: merging.of_delta(delta, size)}
    return made


def _difference(
    place: Place, after: Tensor, before: Tensor, tuned: Base, parent: Base
) -> Tensor | None:
    """What was tuned of a layer; None where it was not."""
    if after.shape != before.shape:
        raise BaseModelError(
            f"{tuned.path} and {parent.path} differ in shape at {place.module}.",
            hint="Choose the base that it was tuned from.",
        )
    old = before.float()
    delta = after.float() - old
    return None if delta.norm() <= _ALIKE * old.norm() else delta
