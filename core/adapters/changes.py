"""What an adapter does to one module, as values: tensors and the maths of the papers.

Shapes are those of the files of kohya's scripts and of LyCORIS. "out" and "in" are the first two
edges of the module's weight; a convolution's kernel stands behind them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor


class Place(NamedTuple):
    """Where an adapter changes a net: `unet`, `down_blocks.0.attentions.0...attn1.to_q`."""

    component: str
    module: str


@dataclass(frozen=True, slots=True)
class LoRA:
    """A change of rank r: dW = up @ down * alpha / r (Hu et al. 2021, arXiv:2106.09685).

    down is (r, in), up is (out, r); of convolutions (r, in, kh, kw) and (out, r, 1, 1).
    """

    down: Tensor
    up: Tensor
    alpha: float

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    @property
    def outputs(self) -> int:
        """How many numbers the module gives."""
        return self.up.shape[0]

    @property
    def inputs(self) -> int:
        """How many numbers of the input each output reads."""
        return self.down.shape[1:].numel()

    def fits(self, weight: torch.Size) -> bool:
        """Whether it can change a weight of this shape."""
        return self.outputs == weight[0] and self.down.shape[1:] == weight[1:]

    def delta(self, weight: Tensor) -> Tensor:
        """What is added to a weight (out, in) or (out, in, kh, kw), in its shape."""
        product = self.up.flatten(1).float() @ self.down.flatten(1).float()
        return product.reshape(weight.shape) * self.scale

    def norm(self) -> float:
        """The Frobenius norm of dW, from two r x r products: ||BA||^2 = sum((B^T B) * (A A^T))."""
        down, up = self.down.float().flatten(1), self.up.float().flatten(1)
        squared = ((up.T @ up) * (down @ down.T)).sum().clamp(min=0)
        return abs(self.scale) * float(torch.sqrt(squared))


@dataclass(frozen=True, slots=True)
class DoRA:
    """Direction and magnitude apart: W' = m (W + dW) / ||W + dW|| (Liu et al., arXiv:2402.09353).

    dW is a LoRA's. The magnitude m is one number for each input (in,), as LyCORIS, ComfyUI, A1111,
    Forge and InvokeAI have it, or for each output (out,), as peft and diffusers have it; the norm
    is taken over all else.
    """

    down: Tensor
    up: Tensor
    alpha: float
    magnitude: Tensor
    per_input: bool

    @property
    def direction(self) -> LoRA:
        return LoRA(self.down, self.up, self.alpha)

    @property
    def rank(self) -> int:
        return self.direction.rank

    @property
    def scale(self) -> float:
        return self.direction.scale

    @property
    def outputs(self) -> int:
        """How many numbers the module gives."""
        return self.up.shape[0]

    @property
    def inputs(self) -> int:
        """How many numbers of the input each output reads."""
        return self.direction.inputs

    def fits(self, weight: torch.Size) -> bool:
        """Whether it can change a weight of this shape."""
        edge = weight[1 if self.per_input else 0]
        return self.direction.fits(weight) and self.magnitude.shape == (edge,)

    def delta(self, weight: Tensor) -> Tensor:
        """As of a LoRA."""
        moved = weight.float() + self.direction.delta(weight)
        gain = self.magnitude.float() / norms(moved, per_input=self.per_input)
        return moved * shaped(gain, weight, per_input=self.per_input) - weight.float()

    def norm(self) -> float:
        """Of its direction's dW: what its magnitudes do cannot be told without the base."""
        return self.direction.norm()


def norms(weight: Tensor, *, per_input: bool) -> Tensor:
    """The Euclidean norm of what belongs to each input (in,), or each output (out,)."""
    kept = 1 if per_input else 0
    others = [d for d in range(weight.ndim) if d != kept]
    return torch.linalg.vector_norm(weight, dim=others)


def shaped(values: Tensor, weight: Tensor, *, per_input: bool) -> Tensor:
    """Numbers for each input or output, as they are multiplied with a weight."""
    kept = 1 if per_input else 0
    return values.view([-1 if d == kept else 1 for d in range(weight.ndim)])


@dataclass(frozen=True, slots=True)
class LoHa:
    """dW = (w1_a @ w1_b) * (w2_a @ w2_b) * alpha / r (Hyeon-Woo et al. 2021, arXiv:2108.06098).

    a is (out, r), b is (r, in), of convolutions (r, in kh kw). With cores t of (r, r, kh, kw) each
    product is sum over i, j of t[i, j] a[i] b[j], and a is (r, out), b is (r, in).
    """

    w1_a: Tensor
    w1_b: Tensor
    w2_a: Tensor
    w2_b: Tensor
    alpha: float
    t1: Tensor | None = None
    t2: Tensor | None = None

    @property
    def rank(self) -> int:
        return self.w1_b.shape[0]

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    @property
    def outputs(self) -> int:
        """How many numbers the module gives."""
        return self.w1_a.shape[0] if self.t1 is None else self.w1_a.shape[1]

    @property
    def inputs(self) -> int:
        """How many numbers of the input each output reads."""
        kernel = 1 if self.t1 is None else self.t1.shape[2:].numel()
        return self.w1_b.shape[1] * kernel

    def fits(self, weight: torch.Size) -> bool:
        """Whether it can change a weight of this shape."""
        pairs = (self.w1_a, self.w1_b, self.t1), (self.w2_a, self.w2_b, self.t2)
        return all(_pair_fits(a, b, core, weight) for a, b, core in pairs)

    def delta(self, weight: Tensor) -> Tensor:
        """As of a LoRA."""
        return self._product().reshape(weight.shape)

    def norm(self) -> float:
        """The Frobenius norm of dW."""
        return float(self._product().norm())

    def _product(self) -> Tensor:
        one = _pair(self.w1_a, self.w1_b, self.t1)
        return one * _pair(self.w2_a, self.w2_b, self.t2) * self.scale


def _pair_fits(a: Tensor, b: Tensor, core: Tensor | None, weight: torch.Size) -> bool:
    if core is None:
        return (a.shape[0], b.shape[1]) == (weight[0], weight[1:].numel()) and len(b) == a.shape[1]
    return (a.shape[1], b.shape[1], core.shape) == (
        weight[0],
        weight[1],
        (len(a), len(b), *weight[2:]),
    )


def _pair(a: Tensor, b: Tensor, core: Tensor | None) -> Tensor:
    if core is None:
        return a.float() @ b.float()
    return torch.einsum("i j k l, i p, j r -> p r k l", core.float(), a.float(), b.float())


@dataclass(frozen=True, slots=True)
class LoKr:
    """dW = kron(w1, w2) * alpha / r (Yeh et al. 2023, LyCORIS, arXiv:2309.14859).

    w1 is (out1, in1), w2 is (out2, in2) or (out2, in2, kh, kw), with out = out1 out2. Either may be
    given by factors a (.., r) and b (r, ..); where neither is, alpha counts for nothing.
    """

    alpha: float
    w1: Tensor | None = None
    w1_a: Tensor | None = None
    w1_b: Tensor | None = None
    w2: Tensor | None = None
    w2_a: Tensor | None = None
    w2_b: Tensor | None = None
    t2: Tensor | None = None

    @property
    def rank(self) -> int:
        """Of its factors; of two whole matrices the edge from which on peft takes no factors."""
        for factor in (self.w2_b, self.w1_b):
            if factor is not None:
                return factor.shape[0]
        return max(self.second.shape[:2])

    @property
    def scale(self) -> float:
        whole = self.w1_b is None and self.w2_b is None
        return 1.0 if whole else self.alpha / self.rank

    @property
    def first(self) -> Tensor:
        return _whole(self.w1, self.w1_a, self.w1_b)

    @property
    def second(self) -> Tensor:
        return _whole(self.w2, self.w2_a, self.w2_b, self.t2)

    @property
    def outputs(self) -> int:
        """How many numbers the module gives."""
        return self.first.shape[0] * self.second.shape[0]

    @property
    def inputs(self) -> int:
        """How many numbers of the input each output reads."""
        return self.first.shape[1] * self.second.shape[1:].numel()

    def fits(self, weight: torch.Size) -> bool:
        """Whether it can change a weight of this shape."""
        first, second = self.first.shape, self.second.shape
        return (
            first[0] * second[0] == weight[0]
            and self.inputs == weight[1:].numel()
            and second[2:] in ((), weight[2:])
        )

    def delta(self, weight: Tensor) -> Tensor:
        """As of a LoRA."""
        first, second = self.first, self.second
        first = first.view(*first.shape, *[1] * (second.ndim - 2))
        return torch.kron(first, second).reshape(weight.shape) * self.scale

    def norm(self) -> float:
        """The Frobenius norm of dW: of a Kronecker product that of its factors, multiplied."""
        return abs(self.scale) * float(self.first.norm() * self.second.norm())


def _whole(w: Tensor | None, a: Tensor | None, b: Tensor | None, t: Tensor | None = None) -> Tensor:
    if w is not None:
        return w.float()
    if a is None or b is None:
        raise ValueError("a LoKr has w, or a and b")
    return _pair(a, b, t)


@dataclass(frozen=True, slots=True)
class OFT:
    """W' = W R^T with a rotation R of the inputs in blocks (Qiu et al. 2023, arXiv:2306.07280).

    R = I + 2 Q + 2 Q^2 + 2 Q^3 + Q^4, the beginning of Cayley's (I + Q)(I - Q)^-1 (OFTv2,
    arXiv:2506.19847), of skew-symmetric Q, whose upper triangles are the rows of `angles`, (blocks,
    b (b - 1) / 2). So peft and OneTrainer have them.
    """

    angles: Tensor

    @property
    def rank(self) -> int:
        """The edge b of a block."""
        return (1 + math.isqrt(1 + 8 * self.angles.shape[1])) // 2

    @property
    def scale(self) -> float:
        return 1.0

    @property
    def inputs(self) -> int:
        """How many numbers of the input each output reads."""
        return len(self.angles) * self.rank

    def fits(self, weight: torch.Size) -> bool:
        """Whether it can change a weight of this shape."""
        edge = self.rank
        right = self.angles.shape[1] == edge * (edge - 1) // 2
        return right and self.inputs == weight[1:].numel()

    def rotation(self) -> Tensor:
        """R in blocks, (blocks, b, b)."""
        edge = self.rank
        rows, columns = torch.triu_indices(edge, edge, 1)
        skew = torch.zeros(len(self.angles), edge, edge)
        skew[:, rows, columns] = self.angles.float().cpu()
        skew = skew - skew.mT
        square = skew @ skew
        return torch.eye(edge) + 2 * (skew + square + square @ skew) + square @ square

    def delta(self, weight: Tensor) -> Tensor:
        """As of a LoRA."""
        turn = torch.block_diag(*self.rotation()).to(weight.device)
        flat = weight.flatten(1).float()
        return (flat @ turn.T - flat).reshape(weight.shape)

    def norm(self) -> float:
        """Of R - I: how far it turns, whatever it turns."""
        turn = self.rotation()
        return float((turn - torch.eye(turn.shape[1])).norm())


Change = LoRA | DoRA | LoHa | LoKr | OFT
Adapter = dict[Place, Change]


def tensors_of(change: Change) -> dict[str, Tensor]:
    """A change's tensors by the names of its fields."""
    values = {field.name: getattr(change, field.name) for field in fields(change)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}
