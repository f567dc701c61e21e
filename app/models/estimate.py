"""How long a run would take, by what one like it has told: its steps, its previews, its saving."""

from __future__ import annotations

import statistics

from app.models.run_record import RunRecord
from core.config.options import RunConfig


def estimate_seconds(config: RunConfig, like: RunRecord) -> float | None:
    """None where the other run did not get far enough to tell."""
    if like.config is None or not like.step_seconds:
        return None
    pace = statistics.median(like.step_seconds)
    steps = config.training.steps
    prompts = len(config.preview.prompts) or len(like.config.preview.prompts)
    rounds = 1 + _rounds(config, 1)  # the first is the untrained model's
    return steps * pace + rounds * prompts * _picture_seconds(like, like.config, pace)


def _picture_seconds(like: RunRecord, config: RunConfig, pace: float) -> float:
    """Of one preview, with its share of saving: what the steps left of the time that was left."""
    step, left = like.left
    pictures = _rounds(config, step) * len(config.preview.prompts)
    steps_left = config.training.steps - step
    if step <= len(config.preview.prompts) or steps_left < 0 or not pictures:
        return 0.0  # the untrained model's, one after each of the first steps, are still to come
    return max(0.0, left - steps_left * pace) / pictures


def _rounds(config: RunConfig, step: int) -> int:
    """How often previews come from a step on: every so often, and at the end."""
    steps = config.training.steps
    every = config.preview.every or steps
    return steps // every - (step - 1) // every + (steps % every > 0)
