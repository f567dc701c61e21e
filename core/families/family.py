"""What a model family is: facts and functions, no class hierarchy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from core.families.condition import joined
from core.hashing import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from torch import Tensor, nn

    from core.base.value import Base
    from core.config.facts import Facts
    from core.config.options import Tiles
    from core.data.buckets import Frame
    from core.diffusion.path import NoisePath
    from core.families.condition import Condition
    from core.families.device import Device
    from core.families.parts import Parts


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded base. Its nets are frozen until an adapter is put in."""

    family: ModelFamily
    facts: Facts
    parts: Parts  # nets, tokenizer and scheduler, by the names of the base's folders
    keys: Mapping[str, str]  # a fingerprint of each part's files
    path: NoisePath
    size_px: int  # the edge of the pictures it was trained on
    multiple_px: int  # picture sides must be multiples of it
    place: Device
    notes: tuple[str, ...] = ()  # what was put right while loading
    tiles: Tiles = "auto"  # when pictures go through the VAE in pieces

    def only(self, parts: Collection[str]) -> Model:
        """The same model with these parts alone: what it computes can depend on no other."""
        return replace(
            self,
            parts=self.parts.only(parts),
            keys={name: self.keys[name] for name in parts},
        )

    @property
    def device(self) -> torch.device:
        return self.place.device

    @property
    def key(self) -> str:
        """A name for everything that what is computed with this model depends on."""
        in_pieces = ("tiles",) if self.tiles == "always" and "vae" in self.keys else ()
        place = self.place
        return key_of(*sorted(self.keys.items()), place.device.type, place.compute, *in_pieces)

    def nets(self, parts: Collection[str]) -> dict[str, nn.Module]:
        """Those of its nets, in the order in which the family names them."""
        return {name: self.parts[name] for name in self.facts.names if name in parts}


@dataclass(frozen=True, slots=True)
class DrawOptions:
    """How a picture is drawn from a prompt."""

    width_px: int
    height_px: int
    inference_steps: int
    guidance: float
    guidance_rescale: float


def pipeline_options(options: DrawOptions, seeds: Sequence[int]) -> dict[str, Any]:
    """What every pipeline of diffusers is told alike.

    Latents come out: a pipeline would hand half ones to a whole VAE.
    """
    return {
        "width": options.width_px,
        "height": options.height_px,
        "num_inference_steps": options.inference_steps,
        "generator": [torch.Generator().manual_seed(seed) for seed in seeds],
        "output_type": "latent",
    }


@dataclass(frozen=True, slots=True)
class Prompts:
    """What pictures are drawn of, as a net is told it, without the batch's dimension."""

    each: Sequence[Condition]
    empty: Condition  # of no text, which guidance leads away from


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """How one text encoder's part of the condition is made.

    `encode` is told texts and gives a condition for each, without the batch's dimension.
    """

    reads: tuple[str, ...]  # the parts that it needs, which its cache depends on
    encode: Callable[[Model, Sequence[str]], list[Condition]]
    tokens: Callable[[Model, str], tuple[int, int]] | None  # of a text: used, and how many fit at
    # once; none where a longer text is no matter
    cuts: bool = False  # what does not fit is not read; else there are several chunks
    heavy: bool = False  # it leaves the memory as soon as no text is to be read


def unframed(model: Model, frames: Sequence[Frame]) -> Condition:  # noqa: ARG001
    """Of nets that are not told how pictures are shown."""
    return {}


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """Everything the engine needs to know about one kind of base model.

    `predict` is told noised latents (B, ...), the path's times (B,) and a condition whose tensors
    have the batch first.
    """

    id: str
    nets: Mapping[str, Any]  # the classes of those that adapters go into, by part
    load: Callable[[Base, Mapping[str, str], Device], Model]  # told the parts' fingerprints
    text_encoders: Mapping[str, TextEncoder]  # by part
    encode_picture: Callable[[Model, Tensor], tuple[Tensor, Tensor]]  # mean and deviation
    picture_parts: tuple[str, ...]  # what `encode_picture` reads
    predict: Callable[[Model, Tensor, Tensor, Condition], Tensor]
    draw: Callable[[Model, Prompts, Sequence[int], DrawOptions], list[Tensor]]
    style_features: Callable[[Model, Tensor], list[Tensor]]
    frame_condition: Callable[[Model, Sequence[Frame]], Condition] = unframed


@torch.no_grad()
def tell(model: Model, texts: Sequence[str]) -> list[Condition]:
    """What all text encoders say of each text, without the batch's dimension.

    Heavy ones are out of the memory afterwards.
    """
    encoders = model.family.text_encoders.values()
    said = joined(encoder.encode(model, texts) for encoder in encoders)
    for encoder in encoders:
        if encoder.heavy:
            model.parts.give_back(encoder.reads)
    return said


def draw_texts(
    model: Model, texts: Sequence[str], seeds: Sequence[int], options: DrawOptions
) -> list[Tensor]:
    """Pictures (3, H, W), -1 to 1, of texts that are read for them alone."""
    empty, *each = tell(model, ["", *texts])
    return model.family.draw(model, Prompts(each, empty), seeds, options)
