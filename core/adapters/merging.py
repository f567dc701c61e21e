"""Adapters put together and made smaller: maths on values, without a base model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from peft.utils import merge_utils

from core.adapters.changes import OFT, Adapter, Change, DoRA, LoRA, Place
from core.adapters.kinds import kind_of
from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

Method = Literal["linear", "ties", "dare", "dare_ties"]
INTO_BASE = (
    "Put it into the model that it was trained on instead (Put into a base model; "
    "stylewright merge ADAPTER --into MODEL --out NEW_MODEL)."
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


def resized(adapter: Adapter, size: Size) -> Iterator[tuple[Place, LoRA]]:
    """The same adapter with other ranks, as near as they allow (Eckart-Young); as LoRA.

    Yields:
        Each change as it is done.

    Raises:
        AdapterError: What a change does hangs on the base's weights.
    """
    for place, change in adapter.items():
        yield place, shrunk(_lora(place, change), size)


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
    return of_delta(delta_of(place, change), Size())


def delta_of(place: Place, change: Change, shape: tuple[int, ...] = ()) -> Tensor:
    """DW without a base's weight, in a shape if it is known.

    Raises:
        AdapterError: It hangs on the base's weights, or its shape cannot be told.
    """
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
) -> Iterator[tuple[Place, LoRA]]:
    """Several adapters as one, each at a weight.

    Args:
        parts: The adapters and their weights.
        method: `linear` adds them up, exactly where all are LoRAs and no size is asked for; `ties`
            keeps of each its largest numbers and of those the ones whose sign most agree on (Yadav
            et al. 2023, arXiv:2306.01708); `dare` keeps some by chance, scaled up (Yu et al. 2023,
            arXiv:2311.03099); `dare_ties` both.
        size: Of the result.
        density: Which share of the numbers ties and dare keep.

    Yields:
        Each change as it is done.

    Raises:
        AdapterError: What a change does hangs on the base's weights.
    """
    for number, place in enumerate(places_of(parts)):
        there = [(adapter[place], weight) for adapter, weight in parts if place in adapter]
        loras = [(change, weight) for change, weight in there if isinstance(change, LoRA)]
        if method == "linear" and len(loras) == len(there):
            whole = added(loras)
            yield place, whole if size == Size() else shrunk(whole, size)
            continue
        shape = next(((c.outputs, *c.down.shape[1:]) for c, _ in loras), ())
        deltas = [delta_of(place, change, shape) for change, _ in there]
        torch.manual_seed(number)  # dare's chance; the same file each time
        together = _combined(deltas, torch.tensor([w for _, w in there]), method, density)
        yield place, of_delta(together, _or_of_all(size, there))


def places_of(parts: Sequence[tuple[Adapter, float]]) -> list[Place]:
    """Where any of them acts, in order."""
    return sorted({place for adapter, _ in parts for place in adapter})


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


def ranks(adapter: Mapping[Place, Change]) -> str:
    """Its ranks in words: `16`, or `3 to 16, most often 12`."""
    counted = Counter(change.rank for change in adapter.values())
    usual = counted.most_common(1)[0][0]
    if len(counted) == 1:
        return str(usual)
    return f"{min(counted)} to {max(counted)}, most often {usual}"
