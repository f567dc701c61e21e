"""Adapters put together, made smaller, and compared: maths on values, without a base model."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from peft.utils import merge_utils

from core.adapters.changes import OFT, Adapter, Change, DoRA, LoRA, Place
from core.adapters.kinds import kind_of
from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

Method = Literal["linear", "ties", "dare", "dare_ties"]
OPPOSED = -0.1  # of the cosine between two adapters, from which on they are said to work apart
ALIKE = 0.5  # and from which on together they overdo what either does
INTO_BASE = (
    "Merge it into the model that it was trained on instead: "
    "stylewright merge ADAPTER --into MODEL --out NEW_MODEL."
)
_WHOLE_EDGE = 1024  # up to here all singular values are computed, above them those asked for
_SPARE = 16  # more than asked for, so that the last ones are right


@dataclass(frozen=True, slots=True)
class Size:
    """How large a LoRA is to be: of a rank, or of what keeps a share of each change's energy.

    The energy is the squared Frobenius norm, which the squares of the singular values add up to.
    """

    rank: int = 0  # 0: what the share needs
    kept: float = 1.0  # 0 to 1

    def of(self, values: Tensor) -> int:
        """How many of these singular values, the largest first; one at least."""
        energy = values.square().cumsum(0)
        enough = int((energy < self.kept * energy[-1] * (1 - 1e-9)).sum()) + 1
        return max(1, min(enough, len(values), self.rank or len(values)))


def resized(adapter: Adapter, size: Size) -> Adapter:
    """The same adapter with other ranks, as near as they allow (Eckart-Young); as LoRA.

    Raises:
        AdapterError: What a change does hangs on the base's weights.
    """
    return {place: shrunk(_lora(place, change), size) for place, change in adapter.items()}


def shrunk(change: LoRA, size: Size) -> LoRA:
    """Of the singular values of dW those that `size` says.

    Found without dW itself: up and down are orthogonalised, what is left is r x r.
    """
    left, one = torch.linalg.qr(change.up.flatten(1).float())
    right, other = torch.linalg.qr(change.down.flatten(1).float().T)
    u, values, v = torch.linalg.svd(one @ other.T * change.scale)
    return _lora_of(left @ u, values, (right @ v.mT).T, change.down.shape[1:], size)


def of_delta(delta: Tensor, size: Size) -> LoRA:
    """The nearest LoRA of a change (out, in) or (out, in, kh, kw)."""
    flat = delta.flatten(1).float()
    if min(flat.shape) <= _WHOLE_EDGE or not size.rank:
        u, values, v = torch.linalg.svd(flat, full_matrices=False)
    else:
        generator = torch.random.get_rng_state()
        torch.manual_seed(0)  # the decomposition's guesses; the same file each time
        u, values, right = torch.svd_lowrank(flat, min(size.rank + _SPARE, *flat.shape), niter=4)
        torch.random.set_rng_state(generator)
        v = right.T
    return _lora_of(u, values, v, delta.shape[1:], size)


def _lora_of(u: Tensor, values: Tensor, v: Tensor, inputs: torch.Size, size: Size) -> LoRA:
    rank = size.of(values)
    roots = values[:rank].sqrt()
    down = (roots[:, None] * v[:rank]).reshape(rank, *inputs)
    up = (u[:, :rank] * roots).reshape(-1, rank, *[1] * (len(inputs) - 1))
    return LoRA(down.contiguous(), up.contiguous(), float(rank))


def _lora(place: Place, change: Change) -> LoRA:
    if isinstance(change, LoRA):
        return change
    return of_delta(_delta(place, change, ()), Size())


def _delta(place: Place, change: Change, shape: tuple[int, ...]) -> Tensor:
    """DW without a base's weight, in a shape if it is known."""
    if isinstance(change, DoRA | OFT):
        raise AdapterError(
            f"What a {kind_of(change).title} does hangs on the base model's weights, "
            "and none is given.",
            hint=INTO_BASE,
        )
    if not shape and any(word in place.module for word in ("conv", "proj_in", "proj_out")):
        raise AdapterError(
            f"The shape of {place.module} cannot be told from a {kind_of(change).title}.",
            hint=INTO_BASE,
        )
    return change.delta(torch.empty(shape or (change.outputs, change.inputs), device="meta"))


def merged(
    parts: Sequence[tuple[Adapter, float]], method: Method, size: Size, density: float = 0.5
) -> Adapter:
    """Several adapters as one, each at a weight.

    Args:
        parts: The adapters and their weights.
        method: `linear` adds them up, exactly where all are LoRAs and no size is asked for; `ties`
            keeps of each its largest numbers and of those the ones whose sign most agree on (Yadav
            et al. 2023, arXiv:2306.01708); `dare` keeps some by chance, scaled up (Yu et al. 2023,
            arXiv:2311.03099); `dare_ties` both.
        size: Of the result.
        density: Which share of the numbers ties and dare keep.

    Raises:
        AdapterError: What a change does hangs on the base's weights.
    """
    places = sorted({place for adapter, _ in parts for place in adapter})
    made: Adapter = {}
    for number, place in enumerate(places):
        there = [(adapter[place], weight) for adapter, weight in parts if place in adapter]
        loras = [(change, weight) for change, weight in there if isinstance(change, LoRA)]
        if method == "linear" and len(loras) == len(there):
            whole = added(loras)
            made[place] = whole if size == Size() else shrunk(whole, size)
            continue
        shape = next(((c.outputs, *c.down.shape[1:]) for c, _ in loras), ())
        deltas = [_delta(place, change, shape) for change, _ in there]
        torch.manual_seed(number)  # dare's chance; the same file each time
        together = _combined(deltas, torch.tensor([w for _, w in there]), method, density)
        made[place] = of_delta(together, _or_of_all(size, there))
    return made


def _combined(deltas: list[Tensor], weights: Tensor, method: Method, density: float) -> Tensor:
    match method:
        case "linear":
            return merge_utils.task_arithmetic(deltas, weights)
        case "ties":
            return merge_utils.ties(deltas, weights, density)
        case "dare":
            return merge_utils.dare_linear(deltas, weights, density)
        case "dare_ties":
            return merge_utils.dare_ties(deltas, weights, density)


def _or_of_all(size: Size, there: Sequence[tuple[Change, float]]) -> Size:
    """Where nothing is asked for, the ranks that went in, together."""
    return size if size != Size() else Size(rank=sum(change.rank for change, _ in there))


def added(loras: Sequence[tuple[LoRA, float]]) -> LoRA:
    """The sum of LoRAs, exactly: their halves side by side."""
    downs = [change.down.float() for change, _ in loras]
    ups = [change.up.float() * change.scale * weight for change, weight in loras]
    down, up = torch.cat(downs), torch.cat(ups, dim=1)
    return LoRA(down, up, float(len(down)))


@dataclass(frozen=True, slots=True)
class Overlap:
    """How two adapters stand to each other where both act."""

    shared: int  # layers
    only: tuple[int, int]  # layers of one of them alone
    cosine: float  # between all that they change, -1 to 1
    opposed: tuple[tuple[Place, float], ...]  # the layers that differ most, and their cosines

    @property
    def warning(self) -> str:
        """What a person should know before using both; "" where it is nothing."""
        if self.cosine <= OPPOSED:
            return (
                f"They work against each other ({self.cosine:+.2f} of -1 to 1 over {self.shared} "
                "layers): together each shows less. Lower the weight of one."
            )
        if self.cosine >= ALIKE:
            return (
                f"They do much the same ({self.cosine:+.2f} of -1 to 1 over {self.shared} layers): "
                "together they overdo it. Take weights that add up to 1."
            )
        return ""


def overlap(one: Adapter, other: Adapter, told: int = 3) -> Overlap:
    """Compare two adapters of one family by the inner products of their changes.

    Raises:
        AdapterError: What a change does hangs on the base's weights.
    """
    shared = sorted(one.keys() & other.keys())
    inner, cosines = 0.0, {}
    squared = [0.0, 0.0]
    for place in shared:
        a, b = _lora(place, one[place]), _lora(place, other[place])
        product, norms = inner_product(a, b), (a.norm(), b.norm())
        inner += product
        squared = [squared[0] + norms[0] ** 2, squared[1] + norms[1] ** 2]
        cosines[place] = product / (norms[0] * norms[1] or 1.0)
    cosine = inner / (math.sqrt(squared[0] * squared[1]) or 1.0)
    worst = sorted((c, place) for place, c in cosines.items() if c <= OPPOSED)[:told]
    counts = len(one.keys() - other.keys()), len(other.keys() - one.keys())
    return Overlap(len(shared), counts, cosine, tuple((place, c) for c, place in worst))


def inner_product(one: LoRA, other: LoRA) -> float:
    """sum(dW1 * dW2) = sum((B1^T B2) * (A1 A2^T)), times both scales."""
    ups = one.up.flatten(1).float().T @ other.up.flatten(1).float()
    downs = one.down.flatten(1).float() @ other.down.flatten(1).float().T
    return float((ups * downs).sum()) * one.scale * other.scale


def ranks(adapter: Mapping[Place, Change]) -> str:
    """Its ranks in words: `16`, or `3 to 16, most often 12`."""
    counted = Counter(change.rank for change in adapter.values())
    usual = counted.most_common(1)[0][0]
    if len(counted) == 1:
        return str(usual)
    return f"{min(counted)} to {max(counted)}, most often {usual}"
