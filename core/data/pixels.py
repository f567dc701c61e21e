"""Pixels of a picture as a tensor, resized and cropped to its bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from PIL import Image

from core.data.buckets import Crop, Size, crop
from core.data.decode import open_rgb

if TYPE_CHECKING:
    from torch import Tensor

    from core.data.focus import Point

__all__ = ["RECIPE", "fitted", "open_rgb", "to_image", "to_mask", "to_tensor"]

RECIPE = 3  # raise when the same file comes to give other pixels: caches are made anew


def fitted(image: Image.Image, bucket: Size, focus: Point | None = None) -> Image.Image:
    """Resized and cropped to `bucket`, about its focus if it has one."""
    plan: Crop = crop(Size(image.width, image.height), bucket, focus)
    resized = image.resize(plan.resized, Image.Resampling.LANCZOS)
    return resized.crop((plan.left, plan.top, plan.left + bucket.width, plan.top + bucket.height))


def to_mask(image: Image.Image, height: int, width: int) -> Tensor:
    """A grey picture as how much each place of the latents counts, (height, width), 0 to 1."""
    grey = torch.from_numpy(np.array(image)).float()[None] / 255
    return F.interpolate(grey[None], (height, width), mode="area")[0, 0]


def to_tensor(image: Image.Image) -> Tensor:
    """RGB picture as float32, (3, H, W), -1 to 1."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1


def to_image(pixels: Tensor) -> Image.Image:
    """(3, H, W), -1 to 1, as an 8-bit picture; rounds as diffusers' image processor does."""
    scaled = (pixels.float() / 2 + 0.5).clamp(0, 1) * 255
    return Image.fromarray(scaled.round().byte().permute(1, 2, 0).cpu().numpy())
