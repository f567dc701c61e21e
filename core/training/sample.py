"""Pictures drawn by hand, with a base and, if wished, an adapter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters import injection
from core.families import registry
from core.families.device import choose
from core.families.family import DrawOptions, Model, draw_texts
from core.training import export, preview

if TYPE_CHECKING:
    from torch import nn

    from core.base.value import Base


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One picture."""

    prompt: str
    seed: int = 1
    weight: float = 1.0  # of the adapter
    width_px: int = 0  # 0 is the base's own size
    height_px: int = 0
    inference_steps: int = 25
    guidance: float = 7.0
    guidance_rescale: float = 0.0


@dataclass(frozen=True, slots=True)
class Sampler:
    """A loaded base that carries an adapter, or none."""

    model: Model
    nets: dict[str, nn.Module]

    def draw(self, out: Path, wish: Wish) -> None:
        """Draw one picture into a PNG, in which prompt, seed and weight are written.

        Raises:
            MemoryFullError: It does not fit.
            StorageError: `out` cannot be written.
        """
        injection.set_weight(self.nets, wish.weight)
        model = self.model
        options = DrawOptions(
            width_px=preview.edge_px(wish.width_px or model.size_px, model.multiple_px),
            height_px=preview.edge_px(wish.height_px or model.size_px, model.multiple_px),
            inference_steps=wish.inference_steps,
            guidance=wish.guidance,
            guidance_rescale=wish.guidance_rescale,
        )
        (picture,) = draw_texts(model, [wish.prompt], [wish.seed], options)
        said = {"prompt": wish.prompt, "seed": str(wish.seed), "weight": f"{wish.weight:g}"}
        preview.write_png(out, picture, said)


def load(base: Base, adapter: Path | None) -> Sampler:
    """A base on the best device, and an adapter file of any program in it.

    Raises:
        BaseModelError, AdapterError, MemoryFullError: Each names its file.
    """
    model = registry.load(base, choose("auto"))
    nets = model.nets(model.facts.names)
    if adapter is not None:
        injection.attach(nets, export.read(adapter, model.facts)[0])
    return Sampler(model, nets)
