"""The learning rate's course."""

import warnings

import pytest
import torch
from transformers import optimization

from core.config.options import TrainingConfig
from core.training import lr

STEPS = 60


def course(schedule: str, **options) -> list[float]:
    config = TrainingConfig(steps=STEPS, schedule=schedule, **options)
    return [lr.factor(config, step) for step in range(1, STEPS + 1)]


def theirs(make) -> list[float]:
    """The course of a scheduler of torch's or transformers'."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, rates = make(optimizer), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(STEPS):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return rates


REFERENCES = {
    "constant": lambda o: optimization.get_constant_schedule(o),
    "linear": lambda o: optimization.get_linear_schedule_with_warmup(o, 0, STEPS),
    "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS),
    "restarts": lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, STEPS // 3),
    "polynomial": lambda o: optimization.get_polynomial_decay_schedule_with_warmup(
        o, 0, STEPS, lr_end=0.0, power=2.0
    ),
}


@pytest.mark.parametrize("schedule", REFERENCES)
def test_a_schedule_is_that_of_other_libraries(schedule: str) -> None:
    assert course(schedule) == pytest.approx(theirs(REFERENCES[schedule]), abs=1e-7)


def test_rex_is_the_papers(capsys) -> None:
    """Chen et al. 2021, arXiv:2107.04197: (1 - t/T) / (1/2 + 1/2 (1 - t/T)) of the first rate."""
    left = [1 - step / STEPS for step in range(STEPS)]
    assert course("rex") == pytest.approx([x / (0.5 + 0.5 * x) for x in left])


def test_cosine_starts_at_the_peak_and_ends_near_zero() -> None:
    made = course("cosine")
    assert made[0] == 1
    assert made == sorted(made, reverse=True)
    assert 0 < made[-1] < 0.001
    assert made[30] == pytest.approx(0.5)


def test_restarts_begin_anew_and_a_power_bends() -> None:
    made = course("restarts", schedule_cycles=4)
    assert [step for step in range(STEPS) if made[step] == 1] == [0, 15, 30, 45]
    assert course("polynomial", schedule_power=1.0) == pytest.approx(course("linear"))
    assert course("polynomial", schedule_power=3.0)[30] == pytest.approx(0.125)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "restarts", "rex"])
def test_warm_up_rises_in_even_steps_to_the_peak(schedule: str) -> None:
    made = course(schedule, warmup_steps=4)
    assert made[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1])
    config = TrainingConfig(steps=STEPS + 4, schedule=schedule, warmup_steps=4)
    assert [lr.factor(config, step) for step in range(5, STEPS + 5)] == course(schedule)
