"""Pictures drawn by hand, with a base and any adapters."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from core.adapters import comparing
from core.adapters.stack import Stack
from core.errors import MemoryFullError, naming_full_memory
from core.families import registry
from core.families.condition import joined
from core.families.device import choose, let_go
from core.families.family import DrawOptions, Model, Prompts
from core.training import export, preview

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from torch import Tensor

    from core.adapters.stack import Ready
    from core.base.value import Base
    from core.families.condition import Condition

KEPT_TEXTS, KEPT_ADAPTERS = 32, 8  # as many lie in a GPU's memory at the most
LOST = 1.2  # of an encoder's weights: what it works with, and room that nothing fits into


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One picture."""

    prompt: str
    seed: int = 1
    adapters: Mapping[Path, float] = field(default_factory=dict[Path, float])  # with their weights
    width_px: int = 0  # 0 is the base's own size
    height_px: int = 0
    inference_steps: int = 25
    guidance: float = 7.0
    guidance_rescale: float = 0.0


@dataclass(slots=True)
class Sampler:
    """A loaded base, which wears adapters as pictures want them; each file is read once."""

    model: Model
    compared: list[Path] = field(default_factory=list)  # those of the last `compare`
    _stack: Stack | None = None  # of the nets in the memory
    _ready: dict[tuple[Path, int], Ready] = field(default_factory=dict)  # by path and time
    _told: dict[tuple[str, str], Condition] = field(default_factory=dict)  # by encoder and text

    def draw(self, out: Path, wish: Wish) -> None:
        """Draw one picture into a PNG, in which prompt, seed and adapters are written.

        Raises:
            AdapterError: An adapter cannot be read, or does not fit.
            MemoryFullError: It does not fit.
            StorageError: `out` cannot be written.
        """
        try:
            picture = self._drawn(wish)
        except MemoryFullError:
            picture = None
        if picture is None:  # outside of `except`: its traceback would hold on to the memory
            self._ready.clear()
            let_go()
            picture = self._drawn(wish)
        worn = ", ".join(f"{path.stem}:{weight:g}" for path, weight in wish.adapters.items())
        about = {"prompt": wish.prompt, "seed": str(wish.seed), "adapters": worn}
        preview.write_png(out, picture, about)

    @naming_full_memory("Draw a smaller picture, or close other programs.")
    def _drawn(self, wish: Wish) -> Tensor:
        model = self.model
        if len(self._told) > KEPT_TEXTS:
            self._told.clear()
        self._read_by_large_encoders(["", wish.prompt])
        if self._stack is None:
            self._stack = Stack(model.nets(model.facts.names))
        parts = [(self._read(self._stack, path), weight) for path, weight in wish.adapters.items()]
        self._stack.wear(parts)
        options = DrawOptions(
            width_px=preview.edge_px(wish.width_px or model.size_px, model.multiple_px),
            height_px=preview.edge_px(wish.height_px or model.size_px, model.multiple_px),
            inference_steps=wish.inference_steps,
            guidance=wish.guidance,
            guidance_rescale=wish.guidance_rescale,
        )
        changed = {place.component for ready, _ in parts for place in ready}
        empty, said = self._conditions(["", wish.prompt], changed)
        (picture,) = model.family.draw(model, Prompts([said], empty), [wish.seed], options)
        return picture

    def compare(self, paths: Sequence[Path]) -> list[str]:
        """What a person should know of adapters that act together, in words.

        Raises:
            AdapterError: One cannot be read.
        """
        self.compared[:] = paths
        read = [export.read(path, self.model.facts)[0] for path in paths]
        return comparing.conflicts([path.name for path in paths], read)

    def _read(self, stack: Stack, path: Path) -> Ready:
        key = (path, path.stat().st_mtime_ns if path.exists() else 0)
        if key not in self._ready:
            if len(self._ready) >= KEPT_ADAPTERS:
                self._ready.clear()  # what is worn stays until it is taken off
            self._ready[key] = stack.ready(export.read(path, self.model.facts)[0])
        return self._ready[key]

    def _read_by_large_encoders(self, texts: Sequence[str]) -> None:
        """Have ready what they say; where there is no room for both, the denoiser leaves before."""
        model, encoders = self.model, self.model.family.text_encoders
        large = [part for part, encoder in encoders.items() if encoder.heavy]
        new = [part for part in large if any((part, text) not in self._told for text in texts)]
        if model.place.free() < LOST * model.parts.to_come(new):
            model.parts.give_back((model.facts.denoiser,))
            self._stack = None
            self._ready.clear()
            let_go()
        for part in new:
            self._conditions_of(part, texts)
            model.parts.give_back(encoders[part].reads)

    def _conditions(self, texts: Sequence[str], changed: Collection[str]) -> list[Condition]:
        """What all say; what is said by one that an adapter has a hand in is not kept."""
        return joined(
            self._told_by(part, texts) if part in changed else self._conditions_of(part, texts)
            for part in self.model.family.text_encoders
        )

    def _conditions_of(self, part: str, texts: Sequence[str]) -> list[Condition]:
        if new := [text for text in dict.fromkeys(texts) if (part, text) not in self._told]:
            said = self._told_by(part, new)
            self._told.update({(part, text): one for text, one in zip(new, said, strict=True)})
        return [self._told[part, text] for text in texts]

    @torch.no_grad()
    def _told_by(self, part: str, texts: Sequence[str]) -> list[Condition]:
        return self.model.family.text_encoders[part].encode(self.model, texts)


def load(base: Base) -> Sampler:
    """A base on the best device.

    Raises:
        BaseModelError, MemoryFullError: Each names its file.
    """
    return Sampler(registry.load(base, choose("auto")))
