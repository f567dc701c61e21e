"""The window's plot of times is what training draws: one formula, the same base, the same options."""

from pathlib import Path

import pytest
import torch

from core.base.opening import open_base
from core.config.facts import FLOW
from core.config.options import NoiseConfig
from core.diffusion.path import Diffusion, Flow
from core.diffusion.times import EVEN, NUMBERS, Shifts, Times, how_often, of_flow
from core.families.device import choose
from core.families.registry import load

KINDS = [
    EVEN,
    Times(logit_spread=1.0, shift=3.0),
    Times(logit_spread=0.7, logit_mean=-1.2, first=0.2, last=0.6),
    Times(logit_spread=1.0, by_size=Shifts(256, 4096, 0.5, 1.15)),
]


@pytest.mark.parametrize("times", KINDS)
def test_numbers_and_tensors_agree(times: Times) -> None:
    u = torch.rand(1000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    theirs = Flow(times).time(torch.cat([u, ends]), 1024)
    ours = [times.places(one, 1024, NUMBERS) for one in [*u.tolist(), 0.0, 1.0]]
    assert ours == pytest.approx(theirs.tolist(), abs=1e-9)


def test_logit_normal_is_torchs() -> None:
    """By the distribution itself: how much of it lies in each span."""
    often = how_often(Times(logit_spread=0.8, logit_mean=0.5), 1, 20)
    edges = torch.linspace(0, 1, 21, dtype=torch.float64).logit()
    within = torch.distributions.Normal(0.5, 0.8).cdf(edges)
    assert often == pytest.approx(((within[1:] - within[:-1]) * 20).tolist(), abs=0.02)
    assert sum(often) == pytest.approx(20)


@pytest.mark.parametrize("times", KINDS)
def test_the_plot_is_what_many_steps_draw(times: Times) -> None:
    u = torch.rand(200_000, generator=torch.Generator().manual_seed(2))
    drawn = torch.histc(Flow(times).time(u, 900), 25, 0, 1) * 25 / len(u)
    assert how_often(times, 900, 25) == pytest.approx(drawn.tolist(), abs=0.06)
    diffusion = Diffusion(torch.linspace(0.9, 0.1, 1000), "epsilon", times)
    steps = torch.histc((diffusion.time(u, 900).float() + 0.5) / 1000, 25, 0, 1) * 25 / len(u)
    assert how_often(times, 900, 25) == pytest.approx(steps.tolist(), abs=0.06)


def test_a_range_is_drawn_alone() -> None:
    config = NoiseConfig(first=0.5, last=0.75)
    assert how_often(EVEN.wished(config), 1, 8) == [0, 0, 0, 0, 4, 4, 0, 0]


def test_a_bases_own_times_are_known_without_loading_it(any_base: Path) -> None:
    """As the window computes them, against the loaded model's on latents of that size."""
    base = open_base(any_base)
    model = load(base, choose("float32"))
    own = of_flow(base.configs["scheduler"], 1) if base.facts.predicts == FLOW else EVEN
    for edge in (base.multiple_px * 4, base.multiple_px * 8):
        seen = torch.zeros(1, 3, edge, edge)
        with torch.no_grad():
            latents = model.family.encode_picture(model, seen)[0]
        places = (edge // base.multiple_px) ** 2
        for u in (0.1, 0.5, 0.8):
            theirs = model.path.times.places(u, latents[0, 0].numel(), NUMBERS)
            assert own.places(u, places, NUMBERS) == pytest.approx(theirs), (edge, u)
