"""How long a run still takes, and when it should be saved because time has gone by."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.config.options import RunConfig

TIMED_STEPS = 20  # the newest of them tell how long the rest will take
FIRST_SAVE_MINUTES = 1.0  # a run that dies early should not lose all


class Clock:
    """Estimates the time left from the newest steps, previews and checkpoint, in seconds."""

    def __init__(self, config: RunConfig, now: Callable[[], float] = time.monotonic) -> None:
        """`previews_took` and `save_took` may be told from the start; until then they are 0."""
        self._steps = config.training.steps
        self._preview_every = config.preview.every
        self._save_every = config.training.checkpoint_every
        self._minutes = config.training.checkpoint_minutes
        self._now = now
        self._saved_at = now()
        self._patience = min(FIRST_SAVE_MINUTES, self._minutes)
        self._took: list[float] = []
        self._previews = 0.0
        self._save = 0.0

    def step_took(self, seconds: float) -> None:
        self._took = [*self._took[-TIMED_STEPS + 1 :], seconds]

    def previews_took(self, seconds: float) -> None:
        self._previews = seconds

    def save_took(self, seconds: float) -> None:
        self._save = seconds
        self._saved_at, self._patience = self._now(), self._minutes

    def save_due(self) -> bool:
        """Whether the newest checkpoint is so old that another should come."""
        return self._minutes > 0 and self._now() - self._saved_at >= 60 * self._patience

    def left(self, step: int) -> float:
        """Of the steps after `step`, and of the previews and checkpoints from `step` on."""
        typical = sorted(self._took)[len(self._took) // 2]
        previews = self._rounds(step, self._preview_every) * self._previews
        saves = self._rounds(step, self._save_every) * self._save
        return (self._steps - step) * typical + previews + saves

    def _rounds(self, step: int, every: int) -> int:
        """How often something comes from `step` on that is due `every` so often and at the end."""
        every = every or self._steps
        at_the_end = self._steps % every > 0
        return self._steps // every - (step - 1) // every + at_the_end
