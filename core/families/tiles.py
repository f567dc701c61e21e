"""Pictures through a VAE piece by piece, so that a large one needs the room of a piece.

The pieces overlap, and one fades into the next. Each has its own means (of the normalisations) and
sees no further than its edge, so that what comes of it is near to the whole's, not the same.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from accelerate import init_empty_weights

from core.errors import MemoryFullError, full_memory
from core.families.device import let_go

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from core.families.device import Device
    from core.families.family import Model

EDGE_PX = 512  # of a piece; what is no larger goes through whole
OVERLAP = 0.25  # of it
LOST = 1.1  # room between tensors that none fits into; measured: docs/memory.md
HINT = "Set training.vae_tiles to always, or lower the resolution."
_PER_PIXEL: WeakKeyDictionary[nn.Module, float] = WeakKeyDictionary()


@torch.no_grad()
def encode(model: Model, pixels: Tensor) -> Any:  # noqa: ANN401 - diffusers' distributions
    """What the VAE says of pictures: a distribution of its own latents.

    Raises:
        MemoryFullError: They would not fit whole, and may go through in pieces: it is for the
            caller to choose that for all pictures of a dataset.
    """
    net = model.parts["vae"]
    if model.tiles == "auto" and not _fits(model, pixels.shape):
        raise MemoryFullError("There is not enough memory to encode a picture whole.", hint=HINT)
    with _in_pieces(net) if model.tiles == "always" else contextlib.nullcontext():
        return net.encode(pixels.to(model.device)).latent_dist


@torch.no_grad()
def decode(model: Model, latents: Tensor) -> Tensor:
    """Pictures of the VAE's own latents.

    One after another: a picture takes far more room here than in the net that draws it. One that
    finds none is decoded in pieces, unless the model's never are.
    """
    return torch.cat([_decoded(model, one) for one in latents.split(1)])


def _decoded(model: Model, latent: Tensor) -> Tensor:
    net = model.parts["vae"]
    edge = _pixels_per_latent(net)
    size = torch.Size((1, 3, latent.shape[-2] * edge, latent.shape[-1] * edge))
    if model.tiles == "never" or (model.tiles == "auto" and _fits(model, size)):
        try:
            return net.decode(latent).sample
        except (RuntimeError, MemoryError) as error:
            if model.tiles == "never" or not full_memory(error):
                raise
        let_go()
    with _in_pieces(net):
        return net.decode(latent).sample


def _pixels_per_latent(net: Any) -> int:  # noqa: ANN401 - untyped
    """Of the VAE's own latents, which one of Flux.2's packs."""
    if _of_films(net):
        return net.spatial_compression_ratio
    return 2 ** (len(net.config.block_out_channels) - 1)


def _of_films(net: Any) -> bool:  # noqa: ANN401 - untyped
    return "temperal_downsample" in net.config


def _fits(model: Model, shape: torch.Size) -> bool:
    """Whether pictures (B, ..., H, W) go through the VAE in what memory is free.

    Where a CPU's memory is full nothing is raised: the system ends a program, or stands still.
    """
    count, height, width = shape[0], *shape[-2:]
    if max(height, width) <= EDGE_PX:
        return True
    net = model.parts["vae"]
    if net not in _PER_PIXEL:
        _PER_PIXEL[net] = _bytes_per_pixel(net, model.place)
    return _PER_PIXEL[net] * count * height * width <= model.place.free()


def _bytes_per_pixel(net: Any, place: Device) -> float:  # noqa: ANN401 - untyped
    """What a picture takes in a VAE there and back, beside its weights: told by shapes alone.

    It grows with the picture's area, but for the attention in the middle, which is small.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode  # seldom needed, and slow to import

    from core.families.counting import Counter, counting

    on_a_cpu = place.kind == "cpu"
    counter, fake = Counter(on_a_cpu=on_a_cpu), FakeTensorMode(allow_non_fake_inputs=True)
    with init_empty_weights(include_buffers=False):
        empty: Any = type(net).from_config(net.config).requires_grad_(requires_grad=False).eval()
    with counting(counter, fake, on_a_gpu=not on_a_cpu):
        shapes = empty.to("cpu")
        held = counter.add_net(shapes)
        pixels = torch.zeros(1, 3, EDGE_PX, EDGE_PX)
        if _of_films(net):
            pixels = pixels.unsqueeze(2)
        shapes.decode(shapes.encode(pixels).latent_dist.mean)
        return LOST * (counter.most() - held) / EDGE_PX**2


@contextlib.contextmanager
def _in_pieces(net: Any) -> Iterator[None]:  # noqa: ANN401 - untyped
    """Within, diffusers' VAEs take in pieces what is larger than one."""
    if _of_films(net):
        step = round(EDGE_PX * (1 - OVERLAP))
        net.enable_tiling(EDGE_PX, EDGE_PX, step, step)
    else:
        net.tile_sample_min_size = EDGE_PX
        net.tile_latent_min_size = EDGE_PX // _pixels_per_latent(net)
        net.tile_overlap_factor = OVERLAP
        net.enable_tiling()
    try:
        yield
    finally:
        net.disable_tiling()
