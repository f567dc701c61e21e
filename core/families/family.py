"""What a model family is: facts and functions, no class hierarchy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import torch
    from torch import Tensor, nn

    from core.adapters.formats import KeyNames
    from core.diffusion.objectives import Prediction


@dataclass(frozen=True, slots=True)
class Components:
    """A loaded base model. The nets are frozen until an adapter is put in."""

    denoiser: nn.Module
    text_encoders: Mapping[str, nn.Module]  # by component name
    tokenizers: Mapping[str, Any]
    vae: Any
    scheduler_config: Mapping[str, Any]
    denoiser_name: str
    alpha_bars: Tensor  # (T,), the signal's share of the variance at each training time
    prediction: Prediction
    size_px: int  # the edge of the pictures it was trained on
    multiple_px: int  # picture sides must be multiples of it
    device: torch.device

    def nets(self, *, text_encoders: bool) -> dict[str, nn.Module]:
        """The nets that an adapter may go into, by component name."""
        nets = {self.denoiser_name: self.denoiser}
        return {**nets, **self.text_encoders} if text_encoders else nets


@dataclass(frozen=True, slots=True)
class DrawOptions:
    """How a picture is drawn from a prompt."""

    width_px: int
    height_px: int
    inference_steps: int
    guidance: float
    guidance_rescale: float


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """Everything the engine needs to know about one kind of base model."""

    id: str
    title: str
    names: Mapping[str, KeyNames]  # of the components in adapter files
    targets: Mapping[str, Mapping[str, str]]  # target set to component to module regex
    kohya_version: str  # ss_base_model_version
    architecture: str  # modelspec.architecture
    implementation: str  # modelspec.implementation
    pipeline: str  # the class name in model_index.json
    load: Callable[[Path, torch.device, torch.dtype], Components]
    fingerprint: Callable[[Path], str]  # of a base's VAE and text encoders: caches depend on them
    tokens: Callable[[Components, str], tuple[int, int]]  # of a caption: used, and the limit
    encode_text: Callable[[Components, Sequence[str]], Tensor]
    encode_picture: Callable[[Components, Tensor], tuple[Tensor, Tensor]]
    predict: Callable[[Components, Tensor, Tensor, Tensor], Tensor]
    draw: Callable[[Components, Sequence[str], Sequence[int], DrawOptions], list[Tensor]]
    style_features: Callable[[Components, Tensor], list[Tensor]]
