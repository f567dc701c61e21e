"""How captions become a condition: computed where an encoder is trained, else looked up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from core.families.condition import Condition, joined, stack

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from core.data.buckets import Frame
    from core.data.cache import Cache
    from core.families.family import Model, TextEncoder


@dataclass(frozen=True, slots=True)
class Conditions:
    """From captions, and how their pictures are shown, to what the denoiser is told.

    What an encoder that carries an adapter says changes with every step; the others' answers are
    kept on the disk, and in the memory but for those of large encoders: some megabytes a caption.
    """

    model: Model
    trained: Collection[str]  # the parts that carry an adapter
    cache: Cache
    varied: bool = False  # there are too many texts to keep what is said of each
    _known: dict[tuple[str, str], Condition] = field(default_factory=dict)

    def of(self, texts: Sequence[str], frames: Sequence[Frame]) -> Condition:
        """Of a batch, (B, ...) each."""
        whole = self.model.family.frame_condition(self.model, frames)
        for part in self.model.family.text_encoders:
            whole |= stack(self._said(part, texts))
        return whole

    def each(self, texts: Sequence[str]) -> list[Condition]:
        """Of each text what all encoders say, for drawing; without the batch's dimension."""
        with torch.no_grad():
            return joined(self._said(part, texts) for part in self.model.family.text_encoders)

    def look_up(self, text: str) -> None:
        """Have the answer of those that are not trained ready; see `varied`."""
        for part in self.model.family.text_encoders:
            if part not in self.trained:
                self._looked_up(part, text)

    @property
    def gives_back(self) -> bool:
        """Whether an encoder leaves the memory before the first step."""
        return bool(self._resting())

    def make_room(self, texts: Iterable[str]) -> None:
        """Take the denoiser out of the memory, if large encoders are to read any of the texts.

        Before it carries an adapter: what it learnt would be gone.
        """
        heavy = [
            part for part, e in self.model.family.text_encoders.items() if e in self._resting()
        ]
        if not all(self._is_kept(part, text) for part in heavy for text in texts):
            self.model.parts.give_back((self.model.facts.denoiser,))

    def _is_kept(self, part: str, text: str) -> bool:
        model = self.model.only(self.model.family.text_encoders[part].reads)
        return self.cache.has(encoded, model=model, part=part, text=text)

    def give_back(self) -> None:
        """Take large encoders out of the memory; a text that is new all the same is read again."""
        for encoder in self._resting():
            self.model.parts.give_back(encoder.reads)

    def _resting(self) -> list[TextEncoder]:
        encoders = self.model.family.text_encoders.items()
        return [e for part, e in encoders if e.heavy and part not in self.trained]

    def _said(self, part: str, texts: Sequence[str]) -> list[Condition]:
        if part in self.trained:
            return self.model.family.text_encoders[part].encode(self.model, texts)
        device = self.model.device
        known = [self._looked_up(part, text) for text in texts]
        return [{name: t.to(device) for name, t in condition.items()} for condition in known]

    def _looked_up(self, part: str, text: str) -> Condition:
        if (part, text) in self._known:
            return self._known[part, text]
        encoder = self.model.family.text_encoders[part]
        model = self.model.only(encoder.reads)
        if self.varied and not encoder.heavy:
            return encoded(model, part, text)
        kept = self.cache.get(encoded, model=model, part=part, text=text)
        if not encoder.heavy:
            self._known[part, text] = kept
        return kept


@torch.no_grad()
def encoded(model: Model, part: str, text: str) -> Condition:
    """One text through one encoder, in its own precision, as other programs read it."""
    return model.family.text_encoders[part].encode(model, [text])[0]
