"""The learning rate's course."""

import pytest

from core.config.options import TrainingConfig
from core.training import lr


def test_cosine_starts_at_the_peak_and_ends_near_zero() -> None:
    config = TrainingConfig(steps=100, schedule="cosine")
    course = [lr.factor(config, step) for step in range(1, 101)]
    assert course[0] == 1
    assert course == sorted(course, reverse=True)
    assert 0 < course[-1] < 0.001
    assert course[50] == pytest.approx(0.5)


def test_warm_up_rises_in_even_steps_to_the_peak() -> None:
    config = TrainingConfig(steps=100, schedule="constant", warmup_steps=4)
    course = [lr.factor(config, step) for step in range(1, 7)]
    assert course == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])
