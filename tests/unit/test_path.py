"""The paths from data to noise agree with diffusers' schedulers."""

import pytest
import torch
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler

from core.diffusion import path
from core.diffusion.path import Diffusion, Flow
from core.diffusion.times import Times


@pytest.fixture
def sample() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 5, 4, 8, 8, generator=rng)
    return x0, noise, torch.tensor([0, 1, 250, 700, 999])


def test_noised_is_what_diffusers_adds(sample) -> None:
    x0, noise, t = sample
    scheduler = DDPMScheduler(beta_schedule="scaled_linear")
    ours = Diffusion(scheduler.alphas_cumprod, "epsilon")
    made = path.noised(x0, noise, *ours.coefficients(t))
    torch.testing.assert_close(made, scheduler.add_noise(x0, noise, t))


def test_v_is_what_diffusers_calls_velocity(sample) -> None:
    x0, noise, t = sample
    scheduler = DDPMScheduler(beta_schedule="scaled_linear", rescale_betas_zero_snr=True)
    ours = Diffusion(scheduler.alphas_cumprod, "v_prediction")
    made = path.target(x0, noise, *ours.coefficients(t), ours.prediction)
    torch.testing.assert_close(made, scheduler.get_velocity(x0, noise, t))


def test_epsilon_is_the_noise(sample) -> None:
    x0, noise, _ = sample
    assert path.target(x0, noise, torch.rand(5), torch.rand(5), "epsilon") is noise


def test_flow_is_what_diffusers_scales(sample) -> None:
    x0, noise, _ = sample
    scheduler = FlowMatchEulerDiscreteScheduler()
    some = torch.tensor([0, 1, 250, 700, 999])
    t = scheduler.sigmas[some]
    made = path.noised(x0, noise, *Flow().coefficients(t))
    expected = scheduler.scale_noise(x0, scheduler.timesteps[some], noise)
    torch.testing.assert_close(made, expected)


def test_following_the_flow_backwards_reaches_the_data(sample) -> None:
    x0, noise, _ = sample
    t = torch.tensor([0.1, 0.3, 0.5, 0.9, 1.0])
    flow = Flow()
    x_t = path.noised(x0, noise, *flow.coefficients(t))
    velocity = path.target(x0, noise, *flow.coefficients(t), flow.prediction)
    torch.testing.assert_close(x_t - t.view(-1, 1, 1, 1) * velocity, x0, atol=1e-5, rtol=1e-5)


def test_shift_is_that_of_diffusers_scheduler() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    even = FlowMatchEulerDiscreteScheduler(shift=1.0).sigmas[:-1]
    torch.testing.assert_close(Flow(Times(shift=3.0)).time(even, 4), scheduler.sigmas[:-1])


def test_logit_normal_times_have_its_quantiles() -> None:
    """The share of times below sigmoid(z) is the normal distribution's below z / spread."""
    u = (torch.arange(10_000) + 0.5) / 10_000
    t = Flow(Times(logit_spread=1.5)).time(u, 4)
    for z in (-1.0, 0.0, 2.0):
        expected = torch.special.ndtr(torch.tensor(z / 1.5)).item()
        below = (t < torch.sigmoid(torch.tensor(z))).float().mean().item()
        assert below == pytest.approx(expected, abs=1e-3)
    ends = Flow(Times(logit_spread=1.5)).time(torch.tensor([0.0, 1.0]), 4)
    assert ends.isfinite().all()


def test_the_ends_of_the_path_are_data_and_noise() -> None:
    alpha_bars = DDPMScheduler(beta_schedule="scaled_linear").alphas_cumprod
    diffusion = Diffusion(alpha_bars, "epsilon")
    assert diffusion.time(torch.tensor([0.0, 0.4999, 0.5, 1.0]), 4).tolist() == [0, 499, 500, 999]
    signal, noise = diffusion.coefficients(torch.tensor([0, 999]))
    assert (signal > 0.9).tolist() == [True, False]
    assert (noise > 0.9).tolist() == [False, True]
    assert [c.tolist() for c in Flow().coefficients(torch.tensor([0.0, 1.0]))] == [[1, 0], [0, 1]]


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "flow"])
def test_min_snr_weights_the_error_of_x0_alike(prediction) -> None:
    """x_0 is guessed from x_t and what the net says; an error there is weighed min(SNR, gamma)."""
    gamma, snr = 5.0, torch.tensor([0.04, 1.0, 9.0])
    if prediction == "flow":
        t = 1 / (1 + snr.sqrt())
        signal, noise = 1 - t, t
    else:
        signal, noise = (snr / (1 + snr)).sqrt(), (1 / (1 + snr)).sqrt()
    wrong = 0.01  # what the net says is off by this much
    x_0_error = {
        "epsilon": wrong * noise / signal,  # x_0 = (x_t - noise e) / signal
        "v_prediction": wrong * noise,  # x_0 = signal x_t - noise v
        "flow": wrong * noise,  # x_0 = x_t - t v
    }[prediction]
    weight = path.min_snr_weight(snr, gamma, prediction)
    torch.testing.assert_close(weight * wrong**2, snr.clamp(max=gamma) * x_0_error**2)


def test_min_snr_is_finite_at_both_ends() -> None:
    zero, endless = torch.zeros(1), torch.tensor([float("inf")])
    assert path.min_snr_weight(zero, 5.0, "v_prediction").item() == 0
    assert path.min_snr_weight(zero, 5.0, "epsilon").item() == 1
    assert path.min_snr_weight(zero, 5.0, "flow").item() == 0
    assert path.min_snr_weight(endless, 5.0, "flow").item() == 0


def test_a_wrong_number_of_times_is_refused(sample) -> None:
    x0, noise, _ = sample
    with pytest.raises(ValueError, match="one value per sample"):
        path.noised(x0, noise, torch.rand(4), torch.rand(4))
