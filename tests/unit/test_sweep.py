"""What a range test says of learning rates, against numpy's mathematics."""

import math

import numpy as np
import pytest

from core.training import sweep
from core.training.sweep import Point

RATES = [sweep.rate_of(step, 1e-4) for step in range(sweep.EVERY, sweep.STEPS + 1, sweep.EVERY)]


def points(losses) -> list[Point]:
    """Three pictures of unlike losses that move alike."""
    return [
        Point(rate, [loss, loss + 0.5, loss + 1]) for rate, loss in zip(RATES, losses, strict=False)
    ]


def curve(fastest: float, depth: float = 0.1, width: float = 0.4) -> list[float]:
    """A fall whose slope by the rate's logarithm is a bell about `fastest`."""
    return [1 - depth / (1 + math.exp(-math.log(rate / fastest) / width)) for rate in RATES]


def test_rates_rise_by_equal_factors() -> None:
    made = [sweep.rate_of(step, 3e-4) for step in range(1, sweep.STEPS + 1)]
    wanted = np.geomspace(3e-4 / sweep.REACH, 3e-4 * sweep.REACH, sweep.STEPS)
    assert made == pytest.approx(wanted.tolist())


@pytest.mark.parametrize("count", [1, 2, 3, 5, 25])
def test_smoothing_is_a_convolution(count: int) -> None:
    """numpy's, divided by how much of the kernel lies within."""
    values = np.random.default_rng(count).normal(size=count)
    kernel = [1, 2, 3, 2, 1]
    summed = np.convolve(values, kernel)[2 : 2 + count]
    there = np.convolve(np.ones(count), kernel)[2 : 2 + count]
    assert sweep.smoothed(values.tolist()) == pytest.approx((summed / there).tolist())


def test_slopes_are_numpys() -> None:
    values = np.random.default_rng(1).normal(size=12)
    assert sweep.slopes(values.tolist()) == pytest.approx(np.gradient(values).tolist())


@pytest.mark.parametrize("fastest", [3e-5, 1e-4, 1e-3])
def test_the_steepest_fall_is_proposed(fastest: float) -> None:
    said = sweep.proposed([1, 1.5, 2], points(curve(fastest)), diverged=False)
    assert fastest / 1.3 < said.rate < fastest * 1.3
    # half the steepest slope of a logistic curve: where its argument is +-1.76
    assert said.least == pytest.approx(fastest * math.exp(-1.76 * 0.4), rel=0.6)
    assert said.most == pytest.approx(fastest * math.exp(1.76 * 0.4), rel=0.6)
    assert said.least < said.rate < said.most
    assert f"fastest at {said.rate:g}" in said.words


def test_a_fall_after_the_lowest_point_does_not_count() -> None:
    """What comes apart may fall again, from high above."""
    losses = curve(1e-4)
    losses[18:] = [1.0, 1.5, 1.9, 1.6, 1.3, 1.1, 1.0]
    said = sweep.proposed([1, 1.5, 2], points(losses), diverged=True)
    assert 5e-5 < said.rate < 2e-4
    assert "it came apart above" in said.words


def test_chance_is_no_proposal() -> None:
    rng = np.random.default_rng(7)
    noise = [Point(rate, (1 + 0.01 * rng.normal(size=8)).tolist()) for rate in RATES]
    first = [point.loss for point in noise]
    lowest = min(range(len(noise)), key=sweep.smoothed(first).__getitem__)
    start = [loss + 1e-3 * (-1) ** n for n, loss in enumerate(noise[lowest].losses)]
    said = sweep.proposed(start, noise, diverged=False)
    assert (said.rate, said.least, said.most) == (0, 0, 0)
    assert "more than chance" in said.words


def test_what_diverges_at_once_is_no_matter_of_rate() -> None:
    said = sweep.proposed([1, 1.5, 2], points([0.9, 0.8, 0.7]), diverged=True)
    assert said.rate == 0
    assert "almost at once" in said.words


def test_a_fall_to_the_end_says_that_more_may_be_better() -> None:
    said = sweep.proposed([1, 1.5, 2], points(curve(8e-3)), diverged=False)
    assert said.rate > 3e-3
    assert "more may be better" in said.words


def test_a_loss_twice_the_untrained_or_none_at_all_diverges() -> None:
    assert not sweep.diverges(0.99, 0.5)
    assert sweep.diverges(1.01, 0.5)
    assert sweep.diverges(math.nan, 0.5)
    assert sweep.diverges(math.inf, 0.5)
