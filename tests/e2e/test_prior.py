"""What is told without the trigger is to stay as the base draws it; blocks may be computed anew."""

import pytest
import torch

from core.adapters import injection
from core.config import files
from core.config.options import RunConfig, TrainingConfig
from core.data import variation
from core.errors import ConfigError
from core.project.layout import Project
from core.training.control import Control
from core.training.step import denoising_losses
from core.training.train import train
from tests.e2e.test_loss import draw_of, prepared_for
from tests.e2e.test_options import tensors


def change(project: Project, *wanted: str) -> None:
    project.save(files.with_changes(project.config(), list(wanted)))


def test_a_caption_without_its_trigger() -> None:
    assert variation.untriggered("inkstyle, a fox, asleep", "inkstyle") == "a fox, asleep"
    assert variation.untriggered("a fox, in Inkstyle, asleep", "inkstyle") == "a fox, asleep"
    assert variation.untriggered("an inkstyle fox", "inkstyle") == ""
    assert variation.untriggered("pink, a fox", "ink") == "pink, a fox"


@pytest.mark.parametrize("kind", ["lora", "oft"])
def test_the_bases_own_answer_is_wanted(project: Project, kind: str) -> None:
    """Against two passes by hand: with the adapter, and with none at all."""
    change(project, "training.precision=float32", f"adapter.kind={kind}")
    base = prepared_for(project)
    model, plain = base.model, base.model.parts["unet"]
    with torch.no_grad():
        for n, parameter in enumerate(base.trainable.parameters.values()):
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=_seeded(n)))
    draw = draw_of(base, 1, 4, "training.prior_share=0.5")
    kept = draw.prior.tolist()
    assert 0 < sum(kept) < 4
    assert [("ballstyle" in text) for text in draw.captions] == [not one for one in kept]
    t = model.path.time(draw.u, 64)
    a, s = (c.view(-1, 1, 1, 1) for c in model.path.coefficients(t))
    x_t = a * draw.latents + s * draw.noise
    said = plain(x_t, t, base.conditions.of(draw.captions, draw.frames)["text"]).sample
    with torch.no_grad(), injection.off(base.nets):
        own = plain(x_t, t, base.conditions.of(draw.captions, draw.frames)["text"]).sample
    wanted = torch.where(draw.prior.view(-1, 1, 1, 1), own, draw.noise)
    expected = (said - wanted).square().flatten(1).mean(dim=1) * draw.weights
    ours = denoising_losses(
        model, draw, base.conditions, TrainingConfig(), lambda: injection.off(base.nets)
    )
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(own, draw.noise)
    assert own[draw.prior].sub(said[draw.prior]).abs().max() > 1e-4
    before = draw.noise.clone()
    ours.sum().backward()
    assert torch.equal(draw.noise, before)
    parts = [
        denoising_losses(
            model, part, base.conditions, TrainingConfig(), lambda: injection.off(base.nets)
        )
        for part in draw.parts(1)
    ]
    torch.testing.assert_close(torch.cat(parts), ours, rtol=1e-3, atol=1e-5)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_it_needs_a_trigger() -> None:
    with pytest.raises(ValueError, match=r"set dataset\.trigger"):
        RunConfig(name="", base="", training=TrainingConfig(prior_share=0.5))


def test_no_trigger_is_refused_in_words(project: Project) -> None:
    with pytest.raises(ConfigError, match="prior_share needs a word"):
        change(project, "dataset.trigger=", "training.prior_share=0.5")


def test_blocks_computed_anew_learn_the_same_in_less_memory(project: Project) -> None:
    change(project, "training.precision=float32", "training.steps=3")
    plain = prepared_for(project)
    change(project, "training.recompute=true")
    anew = prepared_for(project)

    def step(prepared) -> tuple[dict[str, torch.Tensor], int]:
        held: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = denoising_losses(
                prepared.model, draw_of(prepared, 1, 4), prepared.conditions, TrainingConfig()
            ).sum()
        kept = sum(held.values())
        loss.backward()
        return {n: p.grad.clone() for n, p in prepared.trainable.parameters.items()}, kept

    (ours, less), (theirs, more) = step(anew), step(plain)
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-4, atol=1e-7)
    assert less < 0.6 * more
    list(train(project, Control()))
    first = tensors(project)
    change(project, "training.recompute=false")
    list(train(project, Control()))
    for name, value in tensors(project).items():
        torch.testing.assert_close(value, first[name], rtol=1e-2, atol=1e-4)
