"""The maths agrees with diffusers' schedulers."""

import pytest
import torch
from diffusers import DDPMScheduler

from core.diffusion import objectives


@pytest.fixture
def sample() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 5, 4, 8, 8, generator=rng)
    return x0, noise, torch.tensor([0, 1, 250, 700, 999])


def test_noised_is_what_diffusers_adds(sample) -> None:
    x0, noise, t = sample
    scheduler = DDPMScheduler(beta_schedule="scaled_linear")
    expected = scheduler.add_noise(x0, noise, t)
    torch.testing.assert_close(objectives.noised(x0, noise, scheduler.alphas_cumprod[t]), expected)


def test_v_is_what_diffusers_calls_velocity(sample) -> None:
    x0, noise, t = sample
    scheduler = DDPMScheduler(beta_schedule="scaled_linear", rescale_betas_zero_snr=True)
    expected = scheduler.get_velocity(x0, noise, t)
    made = objectives.target(x0, noise, scheduler.alphas_cumprod[t], "v_prediction")
    torch.testing.assert_close(made, expected)


def test_epsilon_is_the_noise(sample) -> None:
    x0, noise, t = sample
    assert objectives.target(x0, noise, torch.rand(5), "epsilon") is noise


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_min_snr_weights_the_error_of_x0_alike(prediction) -> None:
    """SNR 1 and gamma 5: weight on x0's error is 1; SNR 9: it is 5."""
    alpha_bar = torch.tensor([0.5, 0.9])
    snr = alpha_bar / (1 - alpha_bar)
    per_x0 = snr if prediction == "epsilon" else snr + 1
    weight = objectives.min_snr_weight(alpha_bar, 5.0, prediction)
    torch.testing.assert_close(weight * per_x0, torch.tensor([1.0, 5.0]))


def test_min_snr_is_finite_at_zero_terminal_snr() -> None:
    zero = torch.zeros(1)
    assert objectives.min_snr_weight(zero, 5.0, "v_prediction").item() == 0
    assert objectives.min_snr_weight(zero, 5.0, "epsilon").item() == 1


def test_a_wrong_number_of_times_is_refused(sample) -> None:
    x0, noise, _ = sample
    with pytest.raises(ValueError, match="one value per sample"):
        objectives.noised(x0, noise, torch.rand(4))
