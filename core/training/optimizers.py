"""Optimizers: how each is made, and what of it a checkpoint holds."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from core.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from core.config.options import TrainingConfig

Groups = list[dict[str, Any]]
Made = torch.optim.Optimizer


@dataclass(frozen=True, slots=True)
class Kind:
    """One optimizer.

    A checkpoint holds what it keeps of each parameter, and of each group the numbers named in
    `learnt`. Everything else in a group is the config's to say.
    """

    title: str  # as other programs name it
    make: Callable[[Groups, TrainingConfig], Made]
    learnt: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()  # what it keeps of a parameter that is always the same
    averaged: Callable[[Made], None] | None = None  # puts the average of its steps in place


def _adamw(groups: Groups, config: TrainingConfig) -> Made:
    return torch.optim.AdamW(groups, lr=0.0, weight_decay=config.weight_decay, fused=True)


def _adamw8(groups: Groups, config: TrainingConfig, *, paged: bool) -> Made:
    # blocks of 256 numbers share a scale (Dettmers et al. 2022, arXiv:2110.02861)
    from bitsandbytes.optim import AdamW8bit, PagedAdamW8bit

    # which of the two it is matters on a GPU alone: without one there is nothing to page to
    made = PagedAdamW8bit if paged and torch.cuda.is_available() else AdamW8bit
    return made(groups, lr=0.0, weight_decay=config.weight_decay)


def _adafactor(groups: Groups, config: TrainingConfig) -> Made:
    """At the rate that it is given: Shazeer & Stern 2018, arXiv:1804.04235, without section 8."""
    from transformers.optimization import Adafactor

    return Adafactor(
        groups, lr=0.0, weight_decay=config.weight_decay, scale_parameter=False, relative_step=False
    )


def _lion(groups: Groups, config: TrainingConfig) -> Made:
    """Chen et al. 2023, arXiv:2302.06675."""
    from pytorch_optimizer import Lion

    return Lion(groups, lr=0.0, weight_decay=config.weight_decay)


def _prodigy(groups: Groups, config: TrainingConfig) -> Made:
    """Mishchenko & Defazio 2023, arXiv:2306.06101, with what its authors advise for diffusion."""
    from pytorch_optimizer import Prodigy

    return Prodigy(
        groups,
        lr=0.0,
        weight_decay=config.weight_decay,
        bias_correction=True,
        safeguard_warmup=True,
    )


def _schedule_free(groups: Groups, config: TrainingConfig) -> Made:
    """Defazio et al. 2024, arXiv:2405.15682."""
    from pytorch_optimizer import ScheduleFreeAdamW

    return ScheduleFreeAdamW(groups, lr=0.0, weight_decay=config.weight_decay)


def _came(groups: Groups, config: TrainingConfig) -> Made:
    """Luo et al. 2023, arXiv:2307.02047."""
    from pytorch_optimizer import CAME

    return CAME(groups, lr=0.0, weight_decay=config.weight_decay)


def _averaged(optimizer: Any) -> None:  # noqa: ANN401 - ScheduleFreeAdamW
    optimizer.eval()


_CODES = ("qmap1", "qmap2")  # what each of the 256 bytes stands for
KINDS = {
    "adamw": Kind("torch.optim.AdamW", _adamw),
    "adamw8": Kind(
        "bitsandbytes.optim.AdamW8bit", lambda g, c: _adamw8(g, c, paged=False), constant=_CODES
    ),
    "paged_adamw8": Kind(
        "bitsandbytes.optim.PagedAdamW8bit", lambda g, c: _adamw8(g, c, paged=True), constant=_CODES
    ),
    "adafactor": Kind("transformers.optimization.Adafactor", _adafactor),
    "lion": Kind("pytorch_optimizer.Lion", _lion, ("step",)),
    "prodigy": Kind(
        "pytorch_optimizer.Prodigy",
        _prodigy,
        ("step", "d", "d_max", "d_hat", "d_numerator", "d_de_nom"),
    ),
    "schedule_free": Kind(
        "pytorch_optimizer.ScheduleFreeAdamW",
        _schedule_free,
        ("step", "weight_sum", "lr_max"),
        averaged=_averaged,
    ),
    "came": Kind("pytorch_optimizer.CAME", _came, ("step",)),
}


def state_of(
    kind: Kind, optimizer: Made, parameters: Mapping[str, nn.Parameter]
) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
    """What a checkpoint holds of one: tensors by `<parameter>/<name>`, and numbers by group."""
    tensors = {
        f"{name}/{key}": torch.as_tensor(value).detach().cpu()
        for name, parameter in parameters.items()
        for key, value in optimizer.state.get(parameter, {}).items()
        if key not in kind.constant
    }
    groups = [
        {key: float(group[key]) for key in kind.learnt if key in group}
        for group in optimizer.param_groups
    ]
    return tensors, groups


def resting(optimizer: Made, parameters: Mapping[str, nn.Parameter]) -> list[str]:
    """The parameters that no step has changed so far.

    Module dropout may have left them out, or the net has no use for what they make: Qwen-Image's
    last block writes texts that nobody reads.
    """
    return [name for name, parameter in parameters.items() if not optimizer.state.get(parameter)]


def step_of_nothing(optimizer: Made, parameters: Mapping[str, nn.Parameter]) -> None:
    """A step on gradients of 0, after which it keeps all that it ever keeps."""
    for parameter in parameters.values():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def restore(
    kind: Kind,
    optimizer: Made,
    parameters: Mapping[str, nn.Parameter],
    tensors: Mapping[str, Tensor],
    groups: list[dict[str, float]],
    *,
    resting: Collection[str] | None = (),
) -> None:
    """Put back what `state_of` gave; everything the config says stays as it is.

    What there has to be is what this optimizer keeps after a step: it takes one, on gradients of
    0. The parameters' own values are not kept. `resting` are those that no step has changed so far
    (see there), of which it keeps nothing; None is not known.

    Raises:
        RunError: A tensor is missing, unknown, of another shape or kind, or not finite.
    """
    step_of_nothing(optimizer, parameters)
    whole = {
        name: {f"{name}/{key}" for key in optimizer.state[p] if key not in kind.constant}
        for name, p in parameters.items()
    }
    known = {
        name
        for name, keys in whole.items()
        if not ((resting is None or name in resting) and keys.isdisjoint(tensors))
    }
    expected = {key for name in known for key in whole[name]}
    if odd := expected ^ tensors.keys():
        raise RunError(f"its optimizer's {sorted(odd)[0]} has no partner")
    for name, parameter in parameters.items():
        if name not in known:
            del optimizer.state[parameter]
            continue
        state = optimizer.state[parameter]
        for key, model in state.items():
            if key not in kind.constant:
                state[key] = _like(model, tensors[f"{name}/{key}"], f"{name}/{key}")
    if len(groups) != len(optimizer.param_groups):
        raise RunError("its optimizer has other groups")
    for group, numbers in zip(optimizer.param_groups, groups, strict=True):
        if not numbers.keys() <= set(kind.learnt) or not all(map(math.isfinite, numbers.values())):
            raise RunError("its optimizer's groups hold other numbers")
        for key in kind.learnt:
            model = group.pop(key, 0.0)
            if key in numbers:
                group[key] = _number(model, numbers[key])


def _like(model: Any, value: Tensor, name: str) -> Any:  # noqa: ANN401 - a tensor or a number
    if not isinstance(model, torch.Tensor):
        if value.numel() != 1 or not math.isfinite(value.item()):
            raise RunError(f"its optimizer's {name} is no number")
        return type(model)(value.item())
    if value.shape != model.shape or value.dtype != model.dtype:
        raise RunError(f"its optimizer's {name} has the shape {tuple(value.shape)}")
    if value.is_floating_point() and not value.isfinite().all():
        raise RunError(f"its optimizer's {name} is not finite")
    return value.to(model.device, copy=True)


def _number(model: Any, value: float) -> Any:  # noqa: ANN401 - a tensor or a number
    if isinstance(model, torch.Tensor):
        return torch.full_like(model, value)
    return type(model)(value)


class Average:
    """The adapter as it was on average: of every step a share enters (EMA).

    Early on as much enters as of a plain mean, as in Karras et al. 2022's and timm's: what training
    began from is soon forgotten.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], kept: float) -> None:
        self.kept = kept
        self.values = {name: p.detach().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def add(self, parameters: Mapping[str, nn.Parameter], step: int) -> None:
        """Take in the parameters as they are after `step`, from 1."""
        kept = min(self.kept, step / (step + 9))
        for name, value in self.values.items():
            value.lerp_(parameters[name].detach(), 1 - kept)


@contextlib.contextmanager
def holding(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> Iterator[None]:
    """Within, parameters have other values; afterwards their own, to the bit."""
    before = {name: p.detach().clone() for name, p in parameters.items()}
    _put(parameters, values)
    try:
        yield
    finally:
        _put(parameters, before)


@torch.no_grad()
def _put(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    for name, parameter in parameters.items():
        parameter.copy_(values[name])


@contextlib.contextmanager
def learnt(
    kind: Kind,
    optimizer: Made,
    parameters: Mapping[str, nn.Parameter],
    average: Average | None,
) -> Iterator[None]:
    """Within, the parameters are what is drawn with and exported: averages, where there are any.

    Afterwards they are as before, to the bit.
    """
    if average is not None:
        with holding(parameters, average.values):
            yield
    elif kind.averaged is not None:
        modes = [group["train_mode"] for group in optimizer.param_groups]
        with holding(parameters, parameters):
            kind.averaged(optimizer)
            try:
                yield
            finally:
                for group, mode in zip(optimizer.param_groups, modes, strict=True):
                    group["train_mode"] = mode
    else:
        yield
