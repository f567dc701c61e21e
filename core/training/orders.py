"""What the process that trains asks of the others, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
from msgspec import Meta, Struct

from core.config.options import RunConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor, nn

READY, OPEN, STOP = "ready", "open", "stop"


class Ready(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything is read and encoded: the others can do the same, from the caches."""

    config: RunConfig
    dataset: str  # Prepared.dataset_key
    base: dict[str, str]  # fingerprints of its parts
    compute: str  # in which precision


class Said(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sign: a process is there, or wishes to stop."""


class Order(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take what the adapter is now, and compute your share of a step; 0 is the end."""

    step: Annotated[int, Meta(ge=0)]
    at_once: Annotated[int, Meta(ge=1)] = 1
    anew: bool = False  # blocks are computed anew on the way back
    scale: float = 1.0  # of the loss


class Done(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share is computed."""

    total: float | None  # of its losses; None is no finite number
    full: bool = False  # it did not fit the memory


class Then(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the gradients are to be summed, or the share was for nothing."""

    sums: bool


def order_of(number: int) -> str:
    """The name of an order; they count from 1."""
    return f"{number}/order"


def then_of(number: int) -> str:
    """The name of what comes of it."""
    return f"{number}/then"


def here_of(number: int, process: int) -> str:
    """The name of a process's word that it has an order."""
    return f"{number}/here/{process}"


def done_of(number: int, process: int) -> str:
    """The name of a process's word that it has computed."""
    return f"{number}/done/{process}"


def values(parameters: Iterable[nn.Parameter]) -> Tensor:
    """All numbers of an adapter in a row."""
    return torch.cat([p.detach().flatten() for p in parameters])


@torch.no_grad()
def put_values(parameters: Sequence[nn.Parameter], row: Tensor) -> None:
    """The way back from `values`."""
    pieces = row.split([p.numel() for p in parameters])
    for parameter, piece in zip(parameters, pieces, strict=True):
        parameter.copy_(piece.view_as(parameter))


def gradients(parameters: Sequence[nn.Parameter]) -> Tensor:
    """All gradients in a row, 0 where there is none, and then of each whether there is one."""
    row = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    there = torch.tensor([float(p.grad is not None) for p in parameters], device=row[0].device)
    return torch.cat([*(g.flatten() for g in row), there])


def put_gradients(parameters: Sequence[nn.Parameter], row: Tensor) -> None:
    """The way back from `gradients`: a parameter of which nobody has one has none, as ever."""
    *pieces, there = row.split([*(p.numel() for p in parameters), len(parameters)])
    for parameter, piece, some in zip(parameters, pieces, there.tolist(), strict=True):
        parameter.grad = piece.view_as(parameter) if some else None
