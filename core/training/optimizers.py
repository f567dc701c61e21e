"""Optimizers: how each is made, and what of it a checkpoint holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from core.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from core.config.options import TrainingConfig

Groups = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One optimizer.

    A checkpoint holds what has been learnt: of each parameter the tensors named in `per_parameter`
    (True: of the parameter's shape, False: one number), of each group the numbers named in
    `per_group`. Everything else in a group is the config's to say.
    """

    title: str  # as other programs name it
    make: Callable[[Groups, TrainingConfig], torch.optim.Optimizer]
    per_parameter: Mapping[str, bool]
    per_group: tuple[str, ...] = ()


ADAMW = Kind(
    title="torch.optim.AdamW",
    make=lambda groups, config: torch.optim.AdamW(
        groups, lr=0.0, weight_decay=config.weight_decay, fused=True
    ),
    per_parameter={"step": False, "exp_avg": True, "exp_avg_sq": True},
)


def state_of(
    kind: Kind, optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]
) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
    """What a checkpoint holds of an optimizer: tensors by `<parameter>/<name>`, and group numbers.

    Raises:
        ValueError: It keeps something that `kind` does not name, which would be lost.
    """
    tensors: dict[str, Tensor] = {}
    for name, parameter in parameters.items():
        state = optimizer.state.get(parameter, {})
        if unknown := state.keys() - kind.per_parameter.keys():
            raise ValueError(f"{kind.title} keeps {sorted(unknown)}, which would be lost")
        for key, value in state.items():
            tensors[f"{name}/{key}"] = torch.as_tensor(value).detach().cpu()
    groups = [
        {key: float(group[key]) for key in kind.per_group} for group in optimizer.param_groups
    ]
    return tensors, groups


def restore(
    kind: Kind,
    optimizer: torch.optim.Optimizer,
    parameters: Mapping[str, nn.Parameter],
    tensors: Mapping[str, Tensor],
    groups: list[dict[str, float]],
) -> None:
    """Put back what `state_of` gave; everything the config says stays as it is.

    Raises:
        RunError: A tensor is missing, unknown, of another shape or not finite.
    """
    whole = {name: {f"{name}/{key}" for key in kind.per_parameter} for name in parameters}
    # what module dropout has left out in every step so far has none yet
    known = {name for name, keys in whole.items() if not keys.isdisjoint(tensors)}
    expected = {key for name in known for key in whole[name]}
    if odd := expected ^ tensors.keys():
        raise RunError(f"its optimizer's {sorted(odd)[0]} has no partner")
    if len(groups) != len(optimizer.param_groups):
        raise RunError("its optimizer has other groups")
    for name in known:
        parameter = parameters[name]
        for key, shaped in kind.per_parameter.items():
            value = tensors[f"{name}/{key}"]
            if value.shape != (parameter.shape if shaped else ()):
                raise RunError(f"its optimizer's {name}/{key} has the shape {tuple(value.shape)}")
            if not value.isfinite().all():
                raise RunError(f"its optimizer's {name}/{key} is not finite")
            # single numbers stay where torch keeps them: on the CPU unless the kernel is fused
            where = parameter.device if shaped or _fused_on_gpu(optimizer, parameter) else "cpu"
            optimizer.state[parameter][key] = value.to(where, torch.float32, copy=True)
    for group, numbers in zip(optimizer.param_groups, groups, strict=True):
        if numbers.keys() != set(kind.per_group) or not all(map(math.isfinite, numbers.values())):
            raise RunError("its optimizer's groups hold other numbers")
        group.update(numbers)


def _fused_on_gpu(optimizer: torch.optim.Optimizer, parameter: nn.Parameter) -> bool:
    return bool(optimizer.defaults.get("fused")) and parameter.device.type != "cpu"
