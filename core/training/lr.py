"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.config.options import TrainingConfig


def factor(config: TrainingConfig, step: int) -> float:
    """What the peak rate is multiplied with in `step` (from 1): 0 to 1.

    Linear warm-up, then the schedule, which begins at 1 and would reach its end one step after the
    last.
    """
    if step <= config.warmup_steps:
        return step / (config.warmup_steps + 1)
    done = (step - 1 - config.warmup_steps) / (config.steps - config.warmup_steps)
    match config.schedule:
        case "constant":
            return 1.0
        case "linear":
            return 1 - done
        case "cosine":
            return cosine(done)
        case "restarts":
            return cosine(done * config.schedule_cycles % 1)
        case "polynomial":
            return (1 - done) ** config.schedule_power
        case "rex":
            return rex(done)


def cosine(done: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5)."""
    return 0.5 * (1 + math.cos(math.pi * done))


def rex(done: float) -> float:
    """Reflected exponential (Chen et al. 2021, arXiv:2107.04197, eq. 2): late, steep fall."""
    return (1 - done) / (1 - done / 2)
