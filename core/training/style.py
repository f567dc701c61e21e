"""How near pictures are to a dataset's style, and whether that measure can be trusted there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    Features = Callable[[Tensor], list[Tensor]]

MIN_PICTURES = 4  # fewer have no spread to compare with


@dataclass(frozen=True, slots=True)
class StyleChange:
    """Distances in units of the dataset's own spread: 1 is as far as its pictures are apart."""

    before: float
    after: float
    check: float  # 0.5 is chance, 1 tells every dataset picture from every untrained preview


def grams(features: Features, pictures: Sequence[Tensor]) -> list[Tensor]:
    """Gram matrices of each picture's features, one (N, C, C) tensor a level.

    G = F F^T / (H W) with F the (C, H W) features (Gatys et al. 2016, CVPR, eq. 3), then signed
    square roots, so that the strongest channels do not drown the others. Pictures may differ in
    size.
    """
    per_picture: list[list[Tensor]] = []
    for picture in pictures:
        levels: list[Tensor] = []
        for level in features(picture[None]):
            flat = level[0].flatten(1).float().cpu()
            gram = flat @ flat.T / flat.shape[1]
            levels.append(gram.sign() * gram.abs().sqrt())
        per_picture.append(levels)
    return [torch.stack(level) for level in zip(*per_picture, strict=True)]


def distances(dataset: list[Tensor], others: list[Tensor]) -> Tensor:
    """Of each other picture to the dataset's mean, (M,); 1 is the dataset's own spread.

    The spread of a level is the mean distance of a dataset picture to the mean of the rest.
    """
    levels = [
        _to_mean(others_level, level.mean(dim=0)) / _leave_one_out(level).mean()
        for level, others_level in zip(dataset, others, strict=True)
    ]
    return torch.stack(levels).mean(dim=0)


def own_distances(dataset: list[Tensor]) -> Tensor:
    """Of each dataset picture to the mean of the rest, (N,); their mean is 1."""
    levels = [_leave_one_out(level) for level in dataset]
    return torch.stack([level / level.mean() for level in levels]).mean(dim=0)


def _to_mean(grams_of: Tensor, mean: Tensor) -> Tensor:
    return (grams_of - mean).flatten(1).norm(dim=1)


def _leave_one_out(grams_of: Tensor) -> Tensor:
    """Distance of each (C, C) matrix to the mean of all others, (N,).

    x - (S - x) / (N - 1) = (x - S / N) N / (N - 1), with S the sum.
    """
    count = len(grams_of)
    return _to_mean(grams_of, grams_of.mean(dim=0)) * count / (count - 1)


def ranked_right(near: Tensor, far: Tensor) -> float:
    """The share of pairs in which `near` is below `far`, ties half (the area under the ROC)."""
    difference = far[None, :] - near[:, None]
    return ((difference > 0).float() + 0.5 * (difference == 0).float()).mean().item()


def measure(
    features: Features,
    dataset: Sequence[Tensor],
    before: Sequence[Tensor],
    after: Sequence[Tensor],
) -> StyleChange | None:
    """Compare previews before and after training with the dataset.

    None where the dataset is too small or all the same.

    Args:
        features: Levels of features, (1, C, h, w) each, of one picture (1, 3, H, W).
        dataset: Pictures (3, H, W), -1 to 1, as large as the previews are.
        before: Previews of the untrained model.
        after: Previews of the trained one, same prompts and seeds.
    """
    if len(dataset) < MIN_PICTURES or not before or not after:
        return None
    own = grams(features, dataset)
    untrained = distances(own, grams(features, before))
    trained = distances(own, grams(features, after))
    change = StyleChange(
        before=untrained.mean().item(),
        after=trained.mean().item(),
        check=ranked_right(own_distances(own), untrained),
    )
    # Pictures that are all the same have no spread, and so no unit.
    return change if math.isfinite(change.before + change.after) else None
