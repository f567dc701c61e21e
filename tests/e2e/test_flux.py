"""Flux.1: what it learns against plain diffusers, its texts, and the names of its adapters."""

import math
import re
import statistics
from pathlib import Path

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from diffusers.loaders.lora_conversion_utils import _convert_kohya_flux_lora_to_diffusers

from core.adapters import formats, programs, reading
from core.adapters.changes import DoRA, LoRA, Place
from core.base.opening import open_base
from core.base.words import in_words
from core.config import files
from core.config.facts import FLUX
from core.errors import AdapterError, BaseModelError, RunError
from core.families import registry, transformer
from core.families.device import whole_cpu
from core.project.layout import create
from core.protocol.events import Warned
from core.training import setup
from core.training.control import Control
from core.training.step import denoising_losses
from tests import tiny
from tests.conftest import fill, made, small_config
from tests.e2e.test_loss import draw_of, prepared_for

RANK, ALPHA = 4, 2.0


@pytest.fixture(scope="module", params=tiny.FLOWS)
def flux_base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(request.param, tmp_path_factory)


class Reference:
    """Flux as plain diffusers loads it, with the adapter by hand."""

    def __init__(self, base: Path, adapter: dict[str, torch.Tensor]) -> None:
        self.pipe = FluxPipeline.from_pretrained(base)
        self.pipe.vae.requires_grad_(requires_grad=False)
        net = self.pipe.transformer.requires_grad_(requires_grad=False)
        self.matrices: dict[str, torch.Tensor] = {}
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
        """Logit-normal, then shifted as the pipeline shifts what it draws."""
        odds = statistics.NormalDist().inv_cdf(u)
        t = 1 / (1 + math.exp(-odds))
        config = self.pipe.scheduler.config
        if not config.use_dynamic_shifting:
            return config.shift * t / (1 + (config.shift - 1) * t)
        mu = 0.5 + (1.15 - 0.5) * (places - 256) / (4096 - 256)
        return math.exp(mu) / (math.exp(mu) + (1 / t - 1))

    def loss(self, draw) -> torch.Tensor:
        _, _, height, width = draw.latents.shape
        with torch.no_grad():
            text, summary, text_ids = self.pipe.encode_prompt(list(draw.captions), None)
        total = torch.zeros(())
        for n, u in enumerate(draw.u.tolist()):
            t = self.time(u, height * width // 4)
            x_0, noise = draw.latents[n : n + 1], draw.noise[n : n + 1]
            x_t = (1 - t) * x_0 + t * noise
            told = self.pipe.transformer.config.guidance_embeds
            said = self.pipe.transformer(
                hidden_states=self.pipe._pack_latents(x_t, 1, 16, height, width),
                timestep=torch.tensor([t]),
                guidance=torch.ones(1) if told else None,
                pooled_projections=summary[n : n + 1],
                encoder_hidden_states=text[n : n + 1],
                txt_ids=text_ids,
                img_ids=self.pipe._prepare_latent_image_ids(
                    1, height // 2, width // 2, torch.device("cpu"), torch.float32
                ),
            ).sample
            wanted = self.pipe._pack_latents(noise - x_0, 1, 16, height, width)
            total = total + ((said - wanted) ** 2).mean() * draw.weights[n]
        return total / len(draw.u)


def test_loss_and_gradient_are_the_reference(tmp_path: Path, flux_base: Path) -> None:
    config = small_config(str(flux_base), precision="float32")
    config = files.with_changes(config, [f"adapter.rank={RANK}", f"adapter.alpha={ALPHA}"])
    project = create(tmp_path / "p", config)
    fill(project.images, 3, (100, 64))
    prepared = prepared_for(project)
    rng = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in prepared.trainable.parameters.items():
            if "lora_B" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=rng))
    adapter = {n: p.detach().clone() for n, p in prepared.trainable.parameters.items()}
    reference = Reference(flux_base, adapter)
    for step in (1, 2):
        draw = draw_of(prepared, step, 3)
        ours = denoising_losses(prepared.model, draw, prepared.conditions, 0.0).sum() / 3
        theirs = reference.loss(draw)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
        ours.backward()
        theirs.backward()
    assert reference.matrices.keys() == prepared.trainable.parameters.keys()
    for name, parameter in prepared.trainable.parameters.items():
        assert parameter.grad is not None
        torch.testing.assert_close(
            parameter.grad, reference.matrices[name].grad, rtol=1e-3, atol=1e-6
        )


def test_pictures_are_encoded_as_by_the_pipeline(tmp_path: Path, flux_base: Path) -> None:
    """Flux's latents are shifted before they are scaled, unlike Stable Diffusion's."""
    project = create(tmp_path / "p", small_config(str(flux_base)))
    fill(project.images, 1)
    prepared = prepared_for(project)
    pipe = FluxPipeline.from_pretrained(flux_base)
    from core.data import pixels

    picture = pixels.to_tensor(pixels.open_rgb(project.images / "p00.png"))[None]
    with torch.no_grad():
        mean = pipe.vae.encode(picture).latent_dist.mean
    expected = (mean - pipe.vae.config.shift_factor) * pipe.vae.config.scaling_factor
    torch.testing.assert_close(prepared.items[0].mean[None], expected)


@pytest.mark.parametrize("edge", [16, 32, 64])
def test_times_are_shifted_as_they_are_when_drawn(flux_base: Path, edge: int) -> None:
    """At every size, by diffusers' own scheduler."""
    path = registry.load(open_base(flux_base), whole_cpu()).path
    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(flux_base / "scheduler")
    even = torch.linspace(1, 0.1, 10)
    mu = 0.5 + (1.15 - 0.5) * ((edge // 2) ** 2 - 256) / (4096 - 256)
    scheduler.set_timesteps(sigmas=even.tolist(), mu=mu)
    from dataclasses import replace

    plain = replace(path, logit_spread=0.0)
    torch.testing.assert_close(plain.time(even, edge**2), scheduler.sigmas[:-1])
    assert path.logit_spread == 1


def test_packing_is_the_pipelines() -> None:
    latents = torch.randn(2, 16, 6, 4)
    sequence = transformer.packed(latents, 2)
    torch.testing.assert_close(sequence, FluxPipeline._pack_latents(latents, 2, 16, 6, 4))
    torch.testing.assert_close(transformer.unpacked(sequence, 6, 4, 2), latents)


def test_the_large_text_encoder_is_gone_before_the_first_step(
    tmp_path: Path, flux_base: Path
) -> None:
    project = create(tmp_path / "p", small_config(str(flux_base)))
    fill(project.images, 2)
    prepared = prepared_for(project)
    loaded = prepared.model.parts._loaded
    assert "transformer" in loaded
    assert "text_encoder_2" not in loaded
    said = prepared.conditions.each(["", prepared.items[1].caption])
    assert said[1]["text"].shape == (512, 24)
    assert "text_encoder_2" not in loaded  # both were read before
    prepared.conditions.each(["something new"])
    assert "text_encoder_2" in loaded


def test_long_captions_are_told_to_be_cut(tmp_path: Path, flux_base: Path) -> None:
    project = create(tmp_path / "p", small_config(str(flux_base)))
    fill(project.images, 1)
    (project.images / "p00.txt").write_text("a ball " * 200)
    preparing, said = setup.prepare(project, project.config(), Control()), []
    while True:
        try:
            said.append(next(preparing))
        except StopIteration:
            break
    (words,) = [e.message for e in said if isinstance(e, Warned) and "tokens" in e.message]
    assert "longer than 511 tokens" in words
    assert "What comes after is not read" in words


def test_what_flux_has_not_is_said_before_anything_is_loaded(
    tmp_path: Path, flux_base: Path
) -> None:
    for change, words in (
        ("adapter.targets=style", "Choose one of: attention, transformer, linear"),
        ("adapter.conv_rank=4", "adapter.conv_rank to 0"),
    ):
        config = files.with_changes(small_config(str(flux_base)), [change])
        project = create(tmp_path / change, config)
        fill(project.images, 1)
        with pytest.raises(RunError) as raised:
            prepared_for(project)
        assert words in raised.value.hint


def test_a_base_is_told_in_words(flux_base: Path) -> None:
    assert in_words(open_base(flux_base)) == "Flux.1"


def test_a_part_without_weights_is_named(tmp_path: Path) -> None:
    base = tiny.write_flux(tmp_path / "flux")
    (base / "text_encoder_2" / "model.safetensors").unlink()
    with pytest.raises(BaseModelError, match="no weights in its text_encoder_2"):
        open_base(base)


# ---------------------------------------------------------------- names of adapters


@pytest.fixture(scope="module")
def full_size() -> torch.nn.Module:
    with torch.device("meta"):
        return FluxTransformer2DModel(guidance_embeds=True)


def kohyas(rank: int = 2) -> dict[str, torch.Tensor]:
    """What kohya's scripts write for one block of each kind."""
    w = 3072  # which diffusers takes for granted
    layers = {
        "double_blocks_0_img_attn_qkv": (w, 3 * w),
        "double_blocks_0_txt_attn_qkv": (w, 3 * w),
        "double_blocks_0_img_attn_proj": (w, w),
        "double_blocks_0_txt_attn_proj": (w, w),
        "double_blocks_0_img_mlp_0": (w, 4 * w),
        "double_blocks_0_img_mlp_2": (4 * w, w),
        "double_blocks_0_txt_mlp_0": (w, 4 * w),
        "double_blocks_0_txt_mlp_2": (4 * w, w),
        "double_blocks_0_img_mod_lin": (w, 6 * w),
        "double_blocks_0_txt_mod_lin": (w, 6 * w),
        "single_blocks_1_linear1": (w, 7 * w),
        "single_blocks_1_linear2": (5 * w, w),
        "single_blocks_1_modulation_lin": (w, 3 * w),
    }
    rng = torch.Generator().manual_seed(0)
    tensors = {}
    for name, (inputs, outputs) in layers.items():
        tensors[f"lora_unet_{name}.lora_down.weight"] = torch.randn(rank, inputs, generator=rng)
        tensors[f"lora_unet_{name}.lora_up.weight"] = torch.randn(outputs, rank, generator=rng)
        tensors[f"lora_unet_{name}.alpha"] = torch.tensor(1.0)
    return tensors


def test_kohyas_joined_layers_are_read_as_diffusers_reads_them() -> None:
    ours = reading.from_tensors(kohyas(), {}, FLUX.names)
    theirs = _convert_kohya_flux_lora_to_diffusers(kohyas())
    places = {n.split(".lora_")[0].removeprefix("transformer.") for n in theirs}
    assert {place.module for place in ours} == places
    for place, change in ours.items():
        up = theirs[f"transformer.{place.module}.lora_B.weight"]
        down = theirs[f"transformer.{place.module}.lora_A.weight"]
        torch.testing.assert_close(change.delta(up @ down), up @ down)


def test_a_joined_layer_of_another_kind_is_refused() -> None:
    tensors = {
        "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": torch.ones(1, 4),
        "lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight": torch.ones(12, 1),
        "lora_unet_double_blocks_0_img_attn_qkv.dora_scale": torch.ones(1, 4),
    }
    with pytest.raises(AdapterError, match="several layers in one"):
        reading.from_tensors(tensors, {}, FLUX.names)
    with pytest.raises(AdapterError, match="outputs"):
        reading.from_tensors(
            {n: t[:11] if "up" in n else t for n, t in tensors.items() if "dora" not in n},
            {},
            FLUX.names,
        )


@pytest.mark.parametrize("targets", ["attention", "transformer"])
def test_every_program_that_has_flux_loads_all_of_the_usual_file(full_size, targets: str) -> None:
    adapter = {
        Place("transformer", name): LoRA(
            torch.ones(1, m.in_features), torch.ones(m.out_features, 1), 0.5
        )
        for name, m in full_size.named_modules()
        if isinstance(m, torch.nn.Linear)
        and re.fullmatch(FLUX.targets[targets]["transformer"], name)
    }
    tensors, header = formats.to_diffusers(adapter, FLUX.names)
    said = {r.program: str(r) for r in programs.readings(tensors, header, FLUX)}
    count = len(adapter)
    assert said == {
        "ComfyUI": f"ComfyUI: {count} of {count}",
        "Forge": f"Forge: {count} of {count}",
        "A1111": "A1111: has no Flux.1",
        "InvokeAI": f"InvokeAI: {count} of {count}",
        "diffusers": f"diffusers: {count} of {count}",
    }


def test_what_programs_load_of_kohyas_joined_file() -> None:
    said = [str(r) for r in programs.readings(kohyas(), {}, FLUX)]
    assert said[0] == "ComfyUI: 20 of 20"
    assert "diffusers: 20 of 20" in said


def test_other_families_do_not_take_a_flux_file() -> None:
    from core.adapters.report import family_of

    assert family_of(kohyas(), {}) is FLUX
    adapter = {
        Place("transformer", "transformer_blocks.0.attn.to_q"): LoRA(
            torch.ones(1, 2), torch.ones(2, 1), 1.0
        )
    }
    assert family_of(*formats.to_diffusers(adapter, FLUX.names)) is FLUX
    assert family_of(formats.to_kohya(adapter, FLUX.names), {}) is FLUX


def test_dora_of_diffusers_names_is_kept() -> None:
    change = DoRA(torch.ones(1, 4), torch.ones(4, 1), 1.0, torch.ones(4), per_input=True)
    adapter = {Place("transformer", "transformer_blocks.0.attn.to_q"): change}
    tensors = formats.to_kohya(adapter, FLUX.names)
    (read,) = reading.from_tensors(tensors, {}, FLUX.names).values()
    assert isinstance(read, DoRA)
