"""What an adapter may begin as besides nothing: the parts of a weight that matter most."""

from __future__ import annotations

import torch
from torch import Tensor

_ROUNDS = 16  # of the power iteration, as PiSSA's authors advise


def pissa(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The r largest singular values and their vectors (Meng et al. 2024, arXiv:2404.02948).

    By the fast decomposition of the paper's appendix, whose result hangs on torch's generator.

    Args:
        weight: (out, ...), read as a matrix (out, in).
        rank: r, at most the smaller edge.

    Returns:
        down (r, in) and up (out, r), each with the roots of the singular values.
    """
    left, values, right = torch.svd_lowrank(weight.flatten(1).float(), rank, niter=_ROUNDS)
    roots = values.sqrt()
    return roots[:, None] * right.T, left * roots


def olora(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The first r columns of Q and rows of R of its QR decomposition (arXiv:2406.01775).

    Args and returns as of `pissa`.
    """
    q, r = torch.linalg.qr(weight.flatten(1).float())
    return r[:rank].contiguous(), q[:, :rank].contiguous()


STARTS = {"pissa": pissa, "olora": olora}
