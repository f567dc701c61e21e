"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.config.options import TrainingConfig


def factor(config: TrainingConfig, step: int) -> float:
    """What the peak rate is multiplied with in `step` (from 1): 0 to 1.

    Linear warm-up, then constant, or half a cosine that would reach 0 one step after the last.
    """
    if step <= config.warmup_steps:
        return step / (config.warmup_steps + 1)
    if config.schedule == "constant":
        return 1.0
    done = (step - 1 - config.warmup_steps) / (config.steps - config.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
