"""What a net is told beside latents and time: named tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

Condition = dict[str, "Tensor"]  # with the batch first once stacked
MASK = "_mask"


def joined(said: Iterable[Sequence[Condition]]) -> list[Condition]:
    """What several encoders say of the same texts as one condition a text."""
    return [
        {name: tensor for condition in of_text for name, tensor in condition.items()}
        for of_text in zip(*said, strict=True)
    ]


def stack(conditions: Sequence[Condition]) -> Condition:
    """One condition a sample as one of the batch.

    Where a tensor's first dimension differs (texts of several lengths), shorter ones are filled up
    with zeros, and `<name>_mask`, (B, length), is true where something was said; a net that heeds
    the mask sees of each sample what it would see of it alone.
    """
    stacked: Condition = {}
    for name in conditions[0]:
        tensors = [condition[name] for condition in conditions]
        lengths = [len(tensor) if tensor.ndim > 1 else 0 for tensor in tensors]
        longest = max(lengths)
        if min(lengths) == longest:
            stacked[name] = torch.stack(tensors)
            continue
        padding = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True)
        stacked[name] = padding
        places = torch.arange(longest, device=padding.device)
        stacked[name + MASK] = places < torch.tensor(lengths, device=padding.device)[:, None]
    return stacked
