"""One training step; everything it needs is an argument."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch.nn.utils import clip_grad_norm_

from core.diffusion import path
from core.errors import DivergedError
from core.training import optimizers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from torch import Tensor, nn

    from core.config.options import TrainingConfig
    from core.data.batches import Draw
    from core.families.family import Model
    from core.training.conditions import Conditions
    from core.training.optimizers import Average, Kind

FIRST_SCALE = 2.0**16  # of a float16 loss; it finds its own within some steps
LEAST_SCALE = 1.0  # a loss that overflows below it is no matter of scale


class Accumulate(Protocol):
    """What `accumulated` is, also where several processes share a step."""

    def __call__(
        self,
        losses_of: Callable[[Draw], Tensor],
        draw: Draw,
        scaled: Callable[[Tensor], Tensor],
        *,
        at_once: int,
    ) -> float:
        """As `accumulated`."""
        ...


class StepResult(NamedTuple):
    """Two numbers that tell how a step went."""

    loss: float
    grad_norm: float  # before clipping


@dataclass(frozen=True, slots=True)
class Trainable:
    """What a step changes."""

    parameters: dict[str, nn.Parameter]  # by peft's names, the part in front
    kind: Kind
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler  # does nothing but in float16
    max_grad_norm: float
    average: Average | None = None

    def holding(self, values: Mapping[str, Tensor]) -> AbstractContextManager[None]:
        """Within, the parameters have other values."""
        return optimizers.holding(self.parameters, values)

    def learnt(self) -> AbstractContextManager[None]:
        """Within, what is drawn with and exported is in the nets: an average, if there is one."""
        return optimizers.learnt(self.kind, self.optimizer, self.parameters, self.average)


def set_rate(optimizer: torch.optim.Optimizer, factor: float, step: int) -> float:
    """Scale every group's peak rate, 0 after its last step; returns the first group's rate.

    `slowed` is what the rates were lowered to after a run diverged, 1 where it did not.
    """
    for group in optimizer.param_groups:
        peak = group["peak"] * group.get("slowed", 1.0)
        group["lr"] = peak * factor if step <= group["last"] else 0.0
    return optimizer.param_groups[0]["lr"]


def _rest(optimizer: torch.optim.Optimizer, step: int) -> None:
    """Let what is past its last step stand still: some optimizers move it at a rate of 0, too."""
    for group in optimizer.param_groups:
        if step > group.get("last", step):
            for parameter in group["params"]:
                parameter.grad = None


def denoising_losses(
    model: Model,
    draw: Draw,
    conditions: Conditions,
    config: TrainingConfig,
    untrained: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> Tensor:
    """The weighted mean error of each sample, (B,), float32; no random number is drawn.

    The weight is the picture's share in its epoch, times that of its time (min-SNR, debiased). Of
    pictures that are `draw.prior` the base's own answer is wanted, which it gives in `untrained`.
    """
    t = model.path.time(draw.u, draw.latents[0, 0].numel())
    signal, noise_share = (share.to(model.device) for share in model.path.coefficients(t))
    x0, noise = draw.latents.to(model.device), draw.noise.to(model.device)
    x_t = path.noised(x0, draw.input_noise.to(model.device), signal, noise_share)
    made = model.family.predict(
        model, x_t, t.to(model.device), conditions.of(draw.captions, draw.frames)
    )
    wanted = path.target(x0, noise, signal, noise_share, model.path.prediction).float()
    if draw.prior.any():
        kept = draw.prior.nonzero().flatten().tolist()
        with torch.no_grad(), untrained():
            told = conditions.of([draw.captions[n] for n in kept], [draw.frames[n] for n in kept])
            said = model.family.predict(model, x_t[kept], t[kept].to(model.device), told)
        wanted = wanted.clone()  # plain noise may be the draw's own
        wanted[kept] = said.float()
    if config.loss == "huber":
        errors = path.huber_error(made.float(), wanted, config.huber_c)
    else:
        errors = path.squared_error(made.float(), wanted)
    if draw.masks is not None:
        errors = errors * draw.masks.to(model.device)
    snr, prediction = model.path.snr(t), model.path.prediction
    if config.debiased:
        of_time = path.debiased_weight(snr, prediction)
    else:
        of_time = path.min_snr_weight(snr, config.min_snr_gamma, prediction)
    return errors.flatten(1).mean(dim=1) * (of_time * draw.weights).to(model.device)


def accumulated(
    losses_of: Callable[[Draw], Tensor],
    draw: Draw,
    scaled: Callable[[Tensor], Tensor],
    *,
    at_once: int,
) -> float:
    """Forward and backward, at most `at_once` pictures in the memory at a time.

    Returns the sum of the losses over the batch's size, whose gradient the parameters then have.
    """
    total = 0.0
    for part in draw.parts(at_once):
        loss = losses_of(part).sum() / draw.batch_size
        scaled(loss).backward()
        total += loss.item()
    return total


def train_step(
    losses_of: Callable[[Draw], Tensor],
    draw: Draw,
    trainable: Trainable,
    *,
    at_once: int,
    step: int,
    accumulate: Accumulate = accumulated,
) -> StepResult:
    """Forward, backward, clip, step; at most `at_once` pictures in the memory at a time.

    The gradient is that of the sum of all losses, divided by the batch's size: a picture counts the
    same in a batch that is not full. The loss that is told is the pictures' weighted mean. In
    float16 a step whose gradient overflows changes nothing but the scale.

    Raises:
        DivergedError: The loss or a gradient is not finite; the weights are as before the step.
    """
    scaler, optimizer = trainable.scaler, trainable.optimizer
    optimizer.zero_grad(set_to_none=True)  # what a step that ran out of memory left behind
    total = accumulate(losses_of, draw, scaler.scale, at_once=at_once)
    scaler.unscale_(optimizer)
    parameters = list(trainable.parameters.values())
    norm = clip_grad_norm_(parameters, trainable.max_grad_norm).item()
    _rest(optimizer, step)
    told = total * draw.batch_size / draw.weights.sum().item()
    overflow = scaler.is_enabled() and math.isfinite(told) and scaler.get_scale() > LEAST_SCALE
    if not math.isfinite(told) or not (math.isfinite(norm) or overflow):
        others = f" and {len(draw.files) - 3} others" if len(draw.files) > 3 else ""  # noqa: PLR2004
        raise DivergedError(
            f"Step {step}, on {', '.join(draw.files[:3])}{others}: the loss is {told} and "
            f"the gradient {norm}.",
            hint="Start a new run with a lower learning rate: resumed, this one would do the same.",
        )
    scaler.step(optimizer)  # passes over gradients that overflowed
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    return StepResult(told, norm if math.isfinite(norm) else 0.0)
