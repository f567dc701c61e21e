"""Flux.1: what is told of it, and the names of its adapters."""

import json
import re
from pathlib import Path

import pytest
import torch
from diffusers import FluxPipeline, FluxTransformer2DModel
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
from tests import tiny
from tests.conftest import fill, made, small_config
from tests.e2e.test_loss import prepared_for

RANK, ALPHA = 4, 2.0


@pytest.fixture(scope="module")
def flux_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made("flux", tmp_path_factory)


def test_packing_is_the_pipelines() -> None:
    latents = torch.randn(2, 16, 6, 4)
    sequence = transformer.packed(latents, 2)
    torch.testing.assert_close(sequence, FluxPipeline._pack_latents(latents, 2, 16, 6, 4))
    torch.testing.assert_close(transformer.unpacked(sequence, 6, 4, 2), latents)


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
        "A1111": "A1111: not known to read adapters of Flux.1",
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


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [("vocab_size", 900_000, "numbers"), ("num_layers", 9_000, "is 9")],
)
def test_a_text_encoder_larger_than_its_files_is_refused_before_there_is_room_made(
    tmp_path: Path, setting: str, value: int, words: str
) -> None:
    base = tiny.write_flux(tmp_path / "flux")
    config = base / "text_encoder_2" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), setting: value}))
    with pytest.raises(BaseModelError, match=words):
        registry.load(open_base(base), whole_cpu())
