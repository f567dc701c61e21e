"""Times and noise of other kinds: each has the spread that its paper says."""

import math

import pytest
import torch

from core.config.options import NoiseConfig
from core.diffusion import noise as noises
from core.diffusion import path
from core.diffusion.path import Diffusion, Flow
from core.diffusion.times import Shifts, Times
from tests.unit.test_batches import drawn

PLAIN = Times()
EVEN = (torch.arange(20_000) + 0.5) / 20_000


def places(config: NoiseConfig, base: Times = PLAIN) -> torch.Tensor:
    return noises.timed(Flow(base), config).time(EVEN, 4)


def test_times_are_the_bases_own_unless_said_otherwise() -> None:
    own = Times(logit_spread=1.0, by_size=Shifts(4, 64, 0.5, 1.15))
    assert noises.timed(Flow(own), NoiseConfig()) == Flow(own)
    assert torch.equal(places(NoiseConfig(times="even"), own), EVEN)


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (0.8, 0.5), (-1.0, 2.0)])
def test_logit_normal_times_are(mean: float, spread: float) -> None:
    """The logits of what is drawn have that mean and spread (arXiv:2403.03206, eq. 19)."""
    logits = places(NoiseConfig(times="logit_normal", logit_mean=mean, logit_spread=spread)).logit()
    assert logits.mean().item() == pytest.approx(mean, abs=0.01)
    assert logits.std().item() == pytest.approx(spread, rel=0.01)


def test_a_shift_is_the_papers_and_takes_the_place_of_the_bases() -> None:
    own = Times(by_size=Shifts(4, 64, 0.5, 1.15))
    made = places(NoiseConfig(shift=3), own)
    torch.testing.assert_close(made, 3 * EVEN / (1 + 2 * EVEN))
    # SD3's paper, eq. 23: sqrt(m / n) of 3 moves the middle of the path to 0.75
    assert made[10_000].item() == pytest.approx(0.75, abs=1e-3)


def test_a_range_holds_all_times() -> None:
    made = places(NoiseConfig(first=0.25, last=0.5, times="logit_normal", shift=2))
    assert 0.25 <= made.min() < 0.26
    assert 0.49 < made.max() <= 0.5
    diffusion = Diffusion(torch.linspace(0.999, 0.01, 1000), "epsilon")
    steps = noises.timed(diffusion, NoiseConfig(first=0.2, last=0.7)).time(EVEN, 4)
    assert (steps.min().item(), steps.max().item()) == (200, 699)


def test_an_offset_moves_channels_alike() -> None:
    """What is added has the strength's deviation between channels, and none within one."""
    plain = drawn(64, 1).noise
    added = drawn(64, 1, noise=NoiseConfig(offset=0.2)).noise - plain
    assert added.flatten(2).std(dim=2).max() < 1e-6
    assert added.mean(dim=(2, 3)).std().item() == pytest.approx(0.2, rel=0.15)


def test_a_pyramid_adds_low_frequencies_and_keeps_the_spread() -> None:
    rng = torch.Generator().manual_seed(0)
    plain = torch.randn(32, 4, 32, 32, generator=rng)
    made = noises.pyramid(plain, rng, 0.5)
    assert made.shape == plain.shape
    torch.testing.assert_close(made.flatten(1).std(dim=1), torch.ones(32))

    def low(noise: torch.Tensor) -> float:
        """The share of the power in the eight longest waves."""
        power = torch.fft.fft2(noise).abs().square().mean(dim=(0, 1))
        return ((power[:2, :2].sum() - power[0, 0]) / power.sum()).item()

    assert low(made) > 5 * low(plain)
    # Level 0 alone: strength 0 is what was there, but for the deviation
    torch.testing.assert_close(
        noises.pyramid(plain, rng, 0.0), plain / plain.flatten(1).std(dim=1).view(-1, 1, 1, 1)
    )


def test_a_perturbation_is_in_the_picture_alone() -> None:
    """Ning et al. 2023, arXiv:2301.11706: noise of variance 1 + gamma^2 in, the first part asked."""
    plain, made = drawn(64, 1), drawn(64, 1, noise=NoiseConfig(perturbation=0.3))
    assert torch.equal(made.noise, plain.noise)
    assert (made.input_noise - made.noise).std().item() == pytest.approx(0.3, rel=0.05)
    assert torch.equal(plain.input_noise, plain.noise)
    first, second = list(made.parts(32))
    assert torch.equal(torch.cat([first.input_noise, second.input_noise]), made.input_noise)


def test_a_draw_is_the_same_again_and_another_at_another_step() -> None:
    wanted = NoiseConfig(offset=0.1, pyramid=0.3, perturbation=0.1)
    for name in ("noise", "input_noise"):
        one, again, other = (getattr(drawn(4, s, noise=wanted), name) for s in (1, 1, 2))
        assert torch.equal(one, again)
        assert not torch.equal(one, other)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "flow"])
def test_debiased_weights_the_error_of_x0_alike(prediction) -> None:
    """Of epsilon it is 1 / sqrt(SNR) (Yu et al., arXiv:2310.08442, eq. 12)."""
    snr = torch.tensor([0.04, 1.0, 9.0])
    of_x0 = {
        "epsilon": snr,
        "v_prediction": snr + 1,
        "flow": (1 + snr.sqrt()).square(),
    }[prediction]
    weight = path.debiased_weight(snr, prediction)
    torch.testing.assert_close(weight * of_x0, snr.sqrt())
    if prediction == "epsilon":
        torch.testing.assert_close(weight, torch.tensor([5.0, 1.0, 1 / 3]))
    ends = torch.tensor([0.0, math.inf])
    assert path.debiased_weight(ends, prediction).isfinite().all()


def test_huber_is_square_near_and_straight_far() -> None:
    """Against kohya's formula; its slope comes from autograd."""
    d = torch.tensor([1e-4, 0.01, 1.0, 50.0], requires_grad=True)
    made = path.huber_error(d, torch.zeros(4), 0.1)
    expected = [2 * 0.1 * (math.sqrt(x**2 + 0.01) - 0.1) for x in d.tolist()]
    torch.testing.assert_close(made.tolist(), expected, rtol=1e-3, atol=1e-8)
    (slope,) = torch.autograd.grad(made.sum(), d)
    assert slope[0].item() == pytest.approx(2e-4, rel=0.01)  # as the square's
    assert slope[3].item() == pytest.approx(0.2, rel=0.01)  # 2 c, however far


def test_a_range_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="last must be above first"):
        NoiseConfig(first=0.6, last=0.5)
