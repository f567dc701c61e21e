"""Pixels of a picture as a tensor, resized and cropped to its bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from core.data.buckets import Crop, Size, crop
from core.data.decode import UNREADABLE, eight_bit, open_picture, turned

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor


RECIPE = 1  # raise when the same file comes to give other pixels: caches are made anew


def open_rgb(path: Path) -> Image.Image:
    """A picture as a person sees it: EXIF rotation applied, transparency on white, 8-bit RGB.

    Raises:
        OSError: The file is gone or damaged.
    """
    try:
        with open_picture(path) as image:
            seen = eight_bit(turned(image))
            if not seen.has_transparency_data:
                return seen.convert("RGB")
            clear = seen.convert("RGBA")
            ground = Image.new("RGBA", clear.size, "white")
            return Image.alpha_composite(ground, clear).convert("RGB")
    except OSError:
        raise
    except UNREADABLE as error:
        raise OSError(str(error)) from error


def fitted(image: Image.Image, bucket: Size) -> Image.Image:
    """Resized and centre-cropped to `bucket`."""
    plan: Crop = crop(Size(image.width, image.height), bucket)
    resized = image.resize(plan.resized, Image.Resampling.LANCZOS)
    return resized.crop((plan.left, plan.top, plan.left + bucket.width, plan.top + bucket.height))


def to_tensor(image: Image.Image) -> Tensor:
    """RGB picture as float32, (3, H, W), -1 to 1."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1


def to_image(pixels: Tensor) -> Image.Image:
    """(3, H, W), -1 to 1, as an 8-bit picture; rounds as diffusers' image processor does."""
    scaled = (pixels.float() / 2 + 0.5).clamp(0, 1) * 255
    return Image.fromarray(scaled.round().byte().permute(1, 2, 0).cpu().numpy())
