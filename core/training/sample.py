"""Pictures drawn by hand, with a base and any adapters."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters import comparing
from core.adapters.stack import Stack
from core.families import registry
from core.families.device import choose
from core.families.family import DrawOptions, Model, Prompts, tell
from core.training import export, preview

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.adapters.stack import Ready
    from core.base.value import Base
    from core.families.condition import Condition

KEPT_TEXTS, KEPT_ADAPTERS = 32, 8  # as many lie in a GPU's memory at the most


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


@dataclass(frozen=True, slots=True)
class Sampler:
    """A loaded base, which wears adapters as pictures want them; each file is read once."""

    model: Model
    _stack: Stack
    _ready: dict[tuple[Path, int], Ready] = field(default_factory=dict)  # by path and time
    _told: dict[str, Condition] = field(default_factory=dict)  # what encoders say by themselves
    compared: list[Path] = field(default_factory=list)  # those of the last `compare`

    def draw(self, out: Path, wish: Wish) -> None:
        """Draw one picture into a PNG, in which prompt, seed and adapters are written.

        Raises:
            AdapterError: An adapter cannot be read, or does not fit.
            MemoryFullError: It does not fit.
            StorageError: `out` cannot be written.
        """
        parts = [(self._read(path), weight) for path, weight in wish.adapters.items()]
        self._stack.wear(parts)
        model = self.model
        options = DrawOptions(
            width_px=preview.edge_px(wish.width_px or model.size_px, model.multiple_px),
            height_px=preview.edge_px(wish.height_px or model.size_px, model.multiple_px),
            inference_steps=wish.inference_steps,
            guidance=wish.guidance,
            guidance_rescale=wish.guidance_rescale,
        )
        encoders = model.family.text_encoders
        changed = any(place.component in encoders for ready, _ in parts for place in ready)
        empty, said = self._conditions(["", wish.prompt], changed=changed)
        (picture,) = model.family.draw(model, Prompts([said], empty), [wish.seed], options)
        worn = ", ".join(f"{path.stem}:{weight:g}" for path, weight in wish.adapters.items())
        about = {"prompt": wish.prompt, "seed": str(wish.seed), "adapters": worn}
        preview.write_png(out, picture, about)

    def compare(self, paths: Sequence[Path]) -> list[str]:
        """What a person should know of adapters that act together, in words.

        Raises:
            AdapterError: One cannot be read.
        """
        self.compared[:] = paths
        read = [export.read(path, self.model.facts)[0] for path in paths]
        return comparing.conflicts([path.name for path in paths], read)

    def _read(self, path: Path) -> Ready:
        key = (path, path.stat().st_mtime_ns if path.exists() else 0)
        if key not in self._ready:
            if len(self._ready) >= KEPT_ADAPTERS:
                self._ready.clear()  # what is worn stays until it is taken off
            self._ready[key] = self._stack.ready(export.read(path, self.model.facts)[0])
        return self._ready[key]

    def _conditions(self, texts: list[str], *, changed: bool) -> list[Condition]:
        """What the text encoders say; kept where no adapter has a hand in it."""
        if changed:
            return tell(self.model, texts)
        if len(self._told) > KEPT_TEXTS:
            self._told.clear()
        if new := [text for text in dict.fromkeys(texts) if text not in self._told]:
            self._told.update(zip(new, tell(self.model, new), strict=True))
        return [self._told[text] for text in texts]


def load(base: Base) -> Sampler:
    """A base on the best device.

    Raises:
        BaseModelError, MemoryFullError: Each names its file.
    """
    model = registry.load(base, choose("auto"))
    return Sampler(model, Stack(model.nets(model.facts.names)))
