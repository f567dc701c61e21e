"""How long a run still takes, and when it should be saved because time has gone by."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.config.options import RunConfig

TIMED_STEPS = 20  # the newest of them tell how long the rest will take
PASSES_TO_DRAW, PASSES_TO_LEARN = 2, 3  # a step's in drawing (guided), a picture's in training
FIRST_SAVE_MINUTES = 1.0  # a run that dies early should not lose all


class Clock:
    """Estimates the time left from the newest steps, pictures and checkpoint, in seconds."""

    def __init__(
        self,
        config: RunConfig,
        now: Callable[[], float] = time.monotonic,
        *,
        untrained: int = 0,
    ) -> None:
        """`untrained` previews are still to be drawn. Until one was, its time is a guess."""
        self._steps = config.training.steps
        self._prompts = len(config.preview.prompts)
        passes = PASSES_TO_DRAW * config.preview.inference_steps
        self._steps_per_picture = passes / (PASSES_TO_LEARN * config.training.batch_size)
        self._untrained = untrained
        self._drawn = 0  # of the round in hand
        self._picture = 0.0
        self._preview_every = config.preview.every
        self._save_every = config.training.checkpoint_every
        self._minutes = config.training.checkpoint_minutes
        self._now = now
        self._saved_at = now()
        self._patience = min(FIRST_SAVE_MINUTES, self._minutes)
        self._took: list[float] = []
        self._save = self._measuring = 0.0
        self._measure_every = config.training.measure_every

    def step_took(self, seconds: float) -> None:
        self._drawn = 0
        self._took = [*self._took[-TIMED_STEPS + 1 :], seconds]

    def pictures_took(self, seconds: float, count: int, step: int) -> None:
        """Some previews of a step, 0 for those of the untrained model."""
        self._picture = seconds / count
        if step == 0:
            self._untrained -= count
        else:
            self._drawn += count

    def save_took(self, seconds: float) -> None:
        self._save = seconds
        self._saved_at, self._patience = self._now(), self._minutes

    def measuring_took(self, seconds: float) -> None:
        """The pictures held out."""
        self._measuring = seconds

    def save_due(self) -> bool:
        """Whether the newest checkpoint is so old that another should come."""
        return self._minutes > 0 and self._now() - self._saved_at >= 60 * self._patience

    def left(self, step: int) -> float:
        """Of the steps after `step`, and of the previews and checkpoints from `step` on."""
        typical = sorted(self._took)[len(self._took) // 2] if self._took else 0.0
        picture = self._picture or typical * self._steps_per_picture
        rounds = self._rounds(max(step, 1), self._preview_every)
        pictures = rounds * self._prompts - self._drawn + self._untrained
        saves = self._rounds(max(step, 1), self._save_every) * self._save
        measures = self._rounds(step + 1, self._measure_every) * self._measuring
        rest = pictures * picture + saves + measures
        return max(0.0, (self._steps - step) * typical + rest)

    def _rounds(self, step: int, every: int) -> int:
        """How often something comes from `step` on that is due `every` so often and at the end."""
        every = every or self._steps
        at_the_end = self._steps % every > 0
        return self._steps // every - (step - 1) // every + at_the_end
