"""Transformers on latents, which flow families share: how they are loaded, told and drawn with."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch

from core.families import film_vae, loading, quantized, streaming, vae
from core.families.condition import MASK
from core.families.device import Device, placed
from core.families.family import DrawOptions, Model, ModelFamily, Prompts
from core.families.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor

    from core.base.value import Base
    from core.families.condition import Condition


def model(
    family: ModelFamily,
    base: Base,
    keys: Mapping[str, str],
    device: Device,
    load: Mapping[str, Callable[[], Any]],
    *,
    patch: int,
) -> Model:
    """A flow model, tried out; its large parts are read when they are needed.

    Args:
        family: Its functions.
        base: Its files.
        keys: Their fingerprints.
        device: Where it computes.
        load: How each part is read, but for the scheduler.
        patch: The edge of what the transformer reads as one place, in latents.

    Raises:
        BaseModelError: A part is not whole, or does not fit the others.
        MemoryFullError: It does not fit.
    """
    scheduler, note = loading.scheduler(base)
    parts = Parts({**load, "scheduler": lambda: scheduler})
    made = Model(
        family=family,
        facts=base.facts,
        parts=parts,
        keys=keys,
        path=loading.flow(base, patch),
        size_px=base.facts.resolution_px,  # no file says it
        multiple_px=patch * _pixels_per_latent(parts["vae"]),
        place=device,
        notes=(*base.notes, *note),
    )
    loading.try_out(made, base)
    return made


def _pixels_per_latent(net: Any) -> int:  # noqa: ANN401 - untyped
    of_films = "temperal_downsample" in net.config
    return (film_vae if of_films else vae).pixels_per_latent(net)


def pipeline(model: Model, kind: Any, lacking: Sequence[str] = ()) -> Any:  # noqa: ANN401 - untyped
    """A diffusers pipeline over what draws, without what reads texts.

    Its scheduler has no state from earlier use.
    """
    texts: dict[str, Any] = dict.fromkeys(
        (*model.facts.text_encoders, *model.facts.tokenizers, *lacking)
    )
    parts: dict[str, Any] = {name: model.parts[name] for name in ("transformer", "vae")}
    pipe = kind(**parts, **texts, scheduler=loading.fresh(model.parts["scheduler"]))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def latent_edges(model: Model, options: DrawOptions) -> tuple[int, int]:
    """Height and width of the latents that a picture is drawn from."""
    per_latent = _pixels_per_latent(model.parts["vae"])
    return options.height_px // per_latent, options.width_px // per_latent


def by_length(
    model: Model, prompts: Prompts, seeds: Sequence[int]
) -> Iterator[tuple[Tensor, Tensor, tuple[int, ...]]]:
    """Prompts of the same length together, (B, tokens, width), the empty one, and their seeds."""
    dtype = model.place.weights
    empty = prompts.empty["text"].to(dtype)
    wishes = zip((told["text"].to(dtype) for told in prompts.each), seeds, strict=True)
    for _, group in groupby(wishes, key=lambda wish: len(wish[0])):
        texts, chosen = zip(*group, strict=True)
        yield torch.stack(texts), empty.expand(len(texts), -1, -1), chosen


def apart(
    x_t: Tensor, t: Tensor, condition: Condition
) -> Iterator[tuple[Tensor, Tensor, Condition]]:
    """The batch, or where its texts have several lengths, each sample alone at its own.

    For nets that heed no mask: they see of each what they would see of it alone.
    """
    if not any(name.endswith(MASK) for name in condition):
        yield x_t, t, condition
        return
    for n in range(len(x_t)):
        own = {}
        for name, tensor in condition.items():
            mask = condition.get(name + MASK)
            own[name] = tensor[n : n + 1] if mask is None else tensor[n : n + 1, mask[n]]
        yield x_t[n : n + 1], t[n : n + 1], own


def load(base: Base, kind: Any, device: Device) -> Any:  # noqa: ANN401 - untyped
    """The base's transformer. Backward it computes each block anew: else no card could hold it.

    Raises:
        BaseModelError: It is not whole.
        MemoryFullError: It does not fit.
    """
    net = loading.net(base, "transformer", kind, device.weights)
    net.enable_gradient_checkpointing()
    if device.held != "whole":
        quantized.hold(net, device.held, device.compute)
    return streaming.place(net, device) if device.streams else placed(net, device)


def squares(latents: Tensor, patch: int) -> Tensor:
    """Latents (B, C, h, w) with each square's in one place, (B, C patch^2, h/patch, w/patch)."""
    return torch.nn.functional.pixel_unshuffle(latents, patch)


def packed(latents: Tensor, patch: int) -> Tensor:
    """Latents (B, C, h, w) as a sequence of squares, (B, h w / patch^2, C patch^2)."""
    return squares(latents, patch).flatten(2).transpose(1, 2)


def unpacked(sequence: Tensor, height: int, width: int, patch: int) -> Tensor:
    """Back from `packed`, for latents of this height and width."""
    together = sequence.transpose(1, 2).unflatten(2, (height // patch, width // patch))
    return torch.nn.functional.pixel_shuffle(together, patch)


def places(height: int, width: int, device: torch.device) -> Tensor:
    """Where each square of a sequence lies: (h w, 3), of which the first number is unused."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([torch.zeros_like(rows), rows, columns], dim=-1).view(-1, 3).to(device)
