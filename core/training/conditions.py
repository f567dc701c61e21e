"""How captions become a condition: computed where an encoder is trained, else looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from core.families.condition import Condition, stack

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from core.data.buckets import Frame
    from core.data.cache import Cache
    from core.families.family import Model


def conditions(
    model: Model, trained: Collection[str], cache: Cache
) -> Callable[[Sequence[str], Sequence[Frame]], Condition]:
    """A function from captions, and how their pictures are shown, to what the denoiser is told.

    Args:
        model: Whose text encoders are asked.
        trained: The parts that carry an adapter: what those say changes with every step.
        cache: Where the others' answers are kept.
    """
    known: dict[tuple[str, str], Condition] = {}

    def looked_up(part: str, text: str) -> Condition:
        if (part, text) not in known:
            encoder = model.family.text_encoders[part]
            kept = cache.get(encoded, model=model.only(encoder.reads), part=part, text=text)
            known[part, text] = {name: tensor.to(model.device) for name, tensor in kept.items()}
        return known[part, text]

    def of(texts: Sequence[str], frames: Sequence[Frame]) -> Condition:
        whole = model.family.frame_condition(model, frames)
        for part, encoder in model.family.text_encoders.items():
            if part in trained:
                whole |= stack(encoder.encode(model, texts))
            else:
                whole |= stack([looked_up(part, text) for text in texts])
        return whole

    return of


def encoded(model: Model, part: str, text: str) -> Condition:
    """One text through one encoder, in the precision that training computes in."""
    with torch.no_grad(), model.place.autocast():
        return model.family.text_encoders[part].encode(model, [text])[0]
