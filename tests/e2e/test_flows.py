"""What flow models learn, against plain diffusers: no function of ours on that side."""

import math
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler
from torch import Tensor

from core.base.opening import open_base
from core.config import files
from core.config.options import TrainingConfig
from core.data import batches, pixels
from core.errors import BaseModelError
from core.families import registry
from core.families.device import whole_cpu
from core.families.family import DrawOptions, draw_texts
from core.project.layout import create
from core.training import setup
from core.training.control import Control
from core.training.step import denoising_losses
from tests import tiny
from tests.conftest import fill, made, small_config
from tests.e2e.test_loss import draw_of, prepared_for

RANK, ALPHA = 4, 2.0


@pytest.fixture(scope="module", params=tiny.FLOWS)
def flow_base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(request.param, tmp_path_factory)


def _flux(pipe: Any, x_t: Tensor, t: float, caption: str) -> Tensor:
    _, _, height, width = x_t.shape
    with torch.no_grad():
        text, summary, text_ids = pipe.encode_prompt(caption, None)
    said = pipe.transformer(
        hidden_states=pipe._pack_latents(x_t, 1, 16, height, width),
        timestep=torch.tensor([t]),
        guidance=torch.ones(1) if pipe.transformer.config.guidance_embeds else None,
        pooled_projections=summary,
        encoder_hidden_states=text,
        txt_ids=text_ids,
        img_ids=pipe._prepare_latent_image_ids(
            1, height // 2, width // 2, torch.device("cpu"), torch.float32
        ),
    ).sample
    return pipe._unpack_latents(said, height * 8, width * 8, 8)


def _zimage(pipe: Any, x_t: Tensor, t: float, caption: str) -> Tensor:
    with torch.no_grad():
        texts, _ = pipe.encode_prompt([caption], do_classifier_free_guidance=False)
    (said,) = pipe.transformer([x_t[0][:, None]], torch.tensor([1 - t]), texts, return_dict=False)[
        0
    ]
    return -said.squeeze(1)[None]


def _chroma(pipe: Any, x_t: Tensor, t: float, caption: str) -> Tensor:
    """With the mask that its authors mean, not the pipeline's: nothing of the padding but one."""
    _, _, height, width = x_t.shape
    with torch.no_grad():
        text, mask = pipe._get_t5_prompt_embeds(caption)
    text = text[:, mask[0].bool()]
    said = pipe.transformer(
        hidden_states=pipe._pack_latents(x_t, 1, 16, height, width),
        timestep=torch.tensor([t]),
        encoder_hidden_states=text,
        txt_ids=torch.zeros(text.shape[1], 3),
        img_ids=pipe._prepare_latent_image_ids(
            1, height // 2, width // 2, torch.device("cpu"), torch.float32
        ),
    ).sample
    return pipe._unpack_latents(said, height * 8, width * 8, 8)


def _sd3(pipe: Any, x_t: Tensor, t: float, caption: str) -> Tensor:
    with torch.no_grad():
        text, _, summary, _ = pipe.encode_prompt(
            caption, caption, caption, do_classifier_free_guidance=False
        )
    return pipe.transformer(x_t, text, summary, torch.tensor([1000 * t]), return_dict=False)[0]


def _flux2(pipe: Any, x_t: Tensor, t: float, caption: str) -> Tensor:
    _, _, height, width = x_t.shape
    with torch.no_grad():
        text, text_ids = pipe.encode_prompt(caption)
    said = pipe.transformer(
        hidden_states=pipe._pack_latents(x_t),
        timestep=torch.tensor([t]),
        encoder_hidden_states=text,
        txt_ids=text_ids,
        img_ids=pipe._prepare_latent_ids(x_t),
    ).sample
    return pipe._unpack_latents_with_ids(said, pipe._prepare_latent_ids(x_t), height, width)


def _qwen_image(pipe: Any, x_t: Tensor, t: float, caption: str) -> Tensor:
    _, _, height, width = x_t.shape
    with torch.no_grad():
        text, mask = pipe.encode_prompt(caption)
    said = pipe.transformer(
        hidden_states=pipe._pack_latents(x_t, 1, 16, height, width),
        timestep=torch.tensor([t]),
        encoder_hidden_states=text,
        encoder_hidden_states_mask=mask,
        img_shapes=[[(1, height // 2, width // 2)]],
    ).sample
    return pipe._unpack_latents(said, height * 8, width * 8, 8).squeeze(2)


def _krea2(pipe: Any, x_t: Tensor, t: float, caption: str) -> Tensor:
    _, _, height, width = x_t.shape
    with torch.no_grad():
        text, mask = pipe.encode_prompt(caption)
    said = pipe.transformer(
        hidden_states=pipe._pack_latents(x_t, 1, 16, height, width),
        encoder_hidden_states=text,
        timestep=torch.tensor([t]),
        position_ids=pipe.prepare_position_ids(
            text.shape[1], height // 2, width // 2, torch.device("cpu")
        ),
        encoder_attention_mask=mask,
    ).sample
    return pipe._unpack_latents(said, height * 8, width * 8).squeeze(2)


VELOCITY: dict[str, Callable[[Any, Tensor, float, str], Tensor]] = {
    "FluxPipeline": _flux,
    "ZImagePipeline": _zimage,
    "ChromaPipeline": _chroma,
    "StableDiffusion3Pipeline": _sd3,
    "Flux2KleinPipeline": _flux2,
    "QwenImagePipeline": _qwen_image,
    "Krea2Pipeline": _krea2,
}


class Reference:
    """A base as plain diffusers loads it, with the adapter by hand."""

    def __init__(self, base: Path, adapter: dict[str, Tensor]) -> None:
        self.pipe: Any = DiffusionPipeline.from_pretrained(base)
        net = self.pipe.transformer.requires_grad_(requires_grad=False)
        self.matrices: dict[str, Tensor] = {}
        for name in [n for n in adapter if n.endswith(".lora_A.weight")]:
            place = name.removesuffix(".lora_A.weight")
            a = adapter[name].clone().requires_grad_()
            b = adapter[f"{place}.lora_B.weight"].clone().requires_grad_()
            self.matrices |= {name: a, f"{place}.lora_B.weight": b}
            layer = net.get_submodule(place.removeprefix("transformer."))
            layer.register_forward_hook(
                lambda _, x, y, a=a, b=b: y + ALPHA / RANK * (x[0] @ a.T @ b.T)
            )

    def time(self, u: float, places: int) -> float:
        """Logit-normal, then shifted as the scheduler shifts what it draws."""
        t = 1 / (1 + math.exp(-statistics.NormalDist().inv_cdf(u)))
        config = self.pipe.scheduler.config
        if not config.use_dynamic_shifting:
            return config.shift * t / (1 + (config.shift - 1) * t)
        slope = (config.max_shift - config.base_shift) / (
            config.max_image_seq_len - config.base_image_seq_len
        )
        mu = config.base_shift + slope * (places - config.base_image_seq_len)
        return math.exp(mu) / (math.exp(mu) + (1 / t - 1))

    def loss(self, draw: Any) -> Tensor:
        velocity = VELOCITY[type(self.pipe).__name__]
        total = torch.zeros(())
        for n, u in enumerate(draw.u.tolist()):
            packs = 1 if type(self.pipe).__name__ == "Flux2KleinPipeline" else 4
            t = self.time(u, draw.latents[0, 0].numel() // packs)
            x_0, noise = draw.latents[n : n + 1], draw.noise[n : n + 1]
            said = velocity(self.pipe, (1 - t) * x_0 + t * noise, t, draw.captions[n])
            total = total + ((said - (noise - x_0)) ** 2).mean() * draw.weights[n]
        return total / len(draw.u)


def test_loss_and_gradient_are_the_reference(tmp_path: Path, flow_base: Path) -> None:
    """Captions of several lengths, too: what one picture teaches hangs on no other's caption."""
    config = small_config(str(flow_base), precision="float32")
    config = files.with_changes(config, [f"adapter.rank={RANK}", f"adapter.alpha={ALPHA}"])
    project = create(tmp_path / "p", config)
    fill(project.images, 3, (100, 64))
    (project.images / "p01.txt").write_text("a ball")
    prepared = prepared_for(project)
    rng = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in prepared.trainable.parameters.items():
            if "lora_B" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=rng))
    adapter = {n: p.detach().clone() for n, p in prepared.trainable.parameters.items()}
    reference = Reference(flow_base, adapter)
    for step in (1, 2):
        draw = draw_of(prepared, step, 3)
        ours = (
            denoising_losses(prepared.model, draw, prepared.conditions, TrainingConfig()).sum() / 3
        )
        theirs = reference.loss(draw)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
        ours.backward()
        theirs.backward()
    assert reference.matrices.keys() == prepared.trainable.parameters.keys()
    for name, parameter in prepared.trainable.parameters.items():
        wanted = reference.matrices[name].grad  # none in a last block whose texts nothing reads
        assert (parameter.grad is None) == (wanted is None)
        if wanted is not None:
            torch.testing.assert_close(parameter.grad, wanted, rtol=1e-3, atol=1e-6)


def test_pictures_are_encoded_as_the_pipeline_decodes_them(tmp_path: Path, flow_base: Path) -> None:
    """These VAEs' latents are shifted before they are scaled, unlike Stable Diffusion's."""
    project = create(tmp_path / "p", small_config(str(flow_base)))
    fill(project.images, 1)
    prepared = prepared_for(project)
    pipe: Any = DiffusionPipeline.from_pretrained(flow_base)
    vae = pipe.vae
    picture = pixels.to_tensor(pixels.open_rgb(project.images / "p00.png"))[None]
    with torch.no_grad():
        if hasattr(vae, "bn"):
            expected = pipe._encode_vae_image(picture, None)
        elif vae.config.get("latents_mean"):
            mean = vae.encode(picture[:, :, None]).latent_dist.mean[:, :, 0]
            told = vae.config
            expected = torch.stack(
                [
                    (channel - told.latents_mean[n]) / told.latents_std[n]
                    for n, channel in enumerate(mean[0])
                ]
            )[None]
        else:
            mean = vae.encode(picture).latent_dist.mean
            expected = (mean - vae.config.shift_factor) * vae.config.scaling_factor
    torch.testing.assert_close(prepared.items[0].mean[None], expected)


@pytest.mark.parametrize("edge", [16, 32, 64])
def test_times_are_shifted_as_they_are_when_drawn(flow_base: Path, edge: int) -> None:
    """At every size, by diffusers' own scheduler."""
    path: Any = registry.load(open_base(flow_base), whole_cpu()).path
    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(flow_base / "scheduler")
    even = torch.linspace(1, 0.1, 10)
    places = edge**2 if "flux2" in flow_base.name else (edge // 2) ** 2
    said = scheduler.config
    slope = (said.max_shift - said.base_shift) / (said.max_image_seq_len - said.base_image_seq_len)
    mu = said.base_shift + slope * (places - said.base_image_seq_len)
    scheduler.set_timesteps(sigmas=even.tolist(), mu=mu)
    assert path.times.logit_spread == 1
    plain = path.timed(replace(path.times, logit_spread=0.0))
    torch.testing.assert_close(plain.time(even, edge**2), scheduler.sigmas[:-1])


def test_large_text_encoders_are_gone_before_the_first_step(
    tmp_path: Path, flow_base: Path
) -> None:
    project = create(tmp_path / "p", small_config(str(flow_base)))
    fill(project.images, 2)
    prepared = prepared_for(project)
    encoders = prepared.model.family.text_encoders
    heavy = {part for part, encoder in encoders.items() if encoder.heavy}
    loaded = prepared.model.parts._loaded
    assert "transformer" in loaded
    assert not heavy & loaded.keys()
    prepared.conditions.each(["", prepared.items[1].caption])
    assert not heavy & loaded.keys()  # both were read before
    prepared.conditions.each(["something new"])
    assert heavy <= loaded.keys()


def test_captions_that_vary_are_all_read_before(tmp_path: Path, flow_base: Path) -> None:
    """What every step will tell is known beforehand, so that no large encoder comes back."""
    project = create(tmp_path / "p", small_config(str(flow_base)))
    fill(project.images, 2)
    for path in project.images.glob("*.txt"):
        path.write_text("red, round, small, bright, new", encoding="utf-8")
    wanted = ["dataset.shuffle_tags=true", "training.steps=5", "preview.prompts=[]"]
    project.save(files.with_changes(project.config(), wanted))
    prepared = prepared_for(project)
    heavy = {n for n, e in prepared.model.family.text_encoders.items() if e.heavy}
    told = set()
    plan = batches.plan(prepared.items, prepared.batch_size, 0, 1)
    for step, samples in zip(range(1, 6), plan, strict=False):
        draw = batches.draw(
            prepared.items, samples, prepared.config, step=step, batch_size=prepared.batch_size
        )
        prepared.conditions.of(draw.captions, draw.frames)
        told |= set(draw.captions)
    assert len(told) > 5
    assert heavy
    assert not heavy & prepared.model.parts._loaded.keys()


def test_a_picture_larger_than_the_nets_table_of_places_is_refused(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    model = registry.load(open_base(made("sd3", tmp_path_factory)), whole_cpu())
    with pytest.raises(BaseModelError, match="128 px at most"):
        draw_texts(model, ["a ball"], [1], DrawOptions(144, 64, 2, 3.0, 0.0))


def test_long_captions_are_told_to_be_cut(tmp_path: Path, flow_base: Path) -> None:
    project = create(tmp_path / "p", small_config(str(flow_base)))
    fill(project.images, 1)
    (project.images / "p00.txt").write_text("a ball " * 200)
    preparing, said = setup.prepare(project, project.config(), Control()), []
    while True:
        try:
            said.append(next(preparing))
        except StopIteration:
            break
    (words,) = [e.message for e in said if "tokens" in getattr(e, "message", "")]
    assert "1 of 1 captions are longer than" in words
    assert "What comes after is not read" in words
