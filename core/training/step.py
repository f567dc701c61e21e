"""One training step; everything it needs is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn.utils import clip_grad_norm_

from core.data.batches import generator
from core.diffusion import objectives
from core.errors import DivergedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from core.config.options import TrainingConfig
    from core.data.batches import Batch
    from core.families.family import Components, ModelFamily
    from core.training.device import Device


class StepResult(NamedTuple):
    """Two numbers that tell how a step went."""

    loss: float
    grad_norm: float  # before clipping


@dataclass(frozen=True, slots=True)
class Trainable:
    """What a step changes."""

    parameters: list[nn.Parameter]
    optimizer: torch.optim.Optimizer
    max_grad_norm: float


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Scale every group's peak rate; returns the first group's rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
    return optimizer.param_groups[0]["lr"]


def denoising_loss(
    model: tuple[ModelFamily, Components],
    batch: Batch,
    condition: Callable[[tuple[str, ...]], Tensor],
    rng: torch.Generator,
    min_snr_gamma: float,
) -> Tensor:
    """The loss of one batch at random times, one time from each of B equal spans.

    Spreading the times lowers the noise of the gradient and leaves its mean as it is. Random
    numbers are drawn on the CPU, so that every device sees the same ones.
    """
    family, parts = model
    count = len(batch.latents)
    steps = len(parts.alpha_bars)
    spans = torch.randperm(count, generator=rng) + torch.rand(count, generator=rng)
    t = (spans / count * steps).long().clamp(max=steps - 1)
    noise = torch.randn(batch.latents.shape, generator=rng)
    alpha_bar = parts.alpha_bars[t].to(parts.device)
    x0, noise = batch.latents.to(parts.device), noise.to(parts.device)
    x_t = objectives.noised(x0, noise, alpha_bar)
    made = family.predict(parts, x_t, t.to(parts.device), condition(batch.captions))
    wanted = objectives.target(x0, noise, alpha_bar, parts.prediction)
    weight = objectives.min_snr_weight(alpha_bar, min_snr_gamma, parts.prediction)
    return objectives.loss(made, wanted, weight)


def train_step(
    loss_of: Callable[[Batch, torch.Generator], Tensor],
    batch: Batch,
    trainable: Trainable,
    config: TrainingConfig,
    step: int,
    device: Device,
) -> StepResult:
    """Forward, backward, clip, step.

    Raises:
        DivergedError: The loss or a gradient is not finite; the weights are as before the step.
    """
    with device.autocast():
        loss = loss_of(batch, generator(config.seed, step, "noise"))
    loss.backward()
    norm = clip_grad_norm_(trainable.parameters, trainable.max_grad_norm)
    result = StepResult(loss.item(), norm.item())  # the only waits for the device
    if not all(map(_finite, result)):
        others = f" and {len(batch.files) - 3} others" if len(batch.files) > 3 else ""  # noqa: PLR2004
        raise DivergedError(
            f"Step {step}, on {', '.join(batch.files[:3])}{others}: the loss is {result.loss} and "
            f"the gradient {result.grad_norm}.",
            hint="Start a new run with a lower learning rate: resumed, this one would do the same.",
        )
    trainable.optimizer.step()
    trainable.optimizer.zero_grad(set_to_none=True)
    return result


def _finite(value: float) -> bool:
    return abs(value) < float("inf")  # False for NaN, too
