"""What other programs know Stable Diffusion XL's adapters by."""

import json
import re
from pathlib import Path

import pytest
import torch

from core.adapters import files, formats, injection, reading
from core.adapters.changes import LoRA, Place
from core.base.value import BUNDLED
from core.config import presets
from core.config.facts import DEMO, SD1, SDXL
from core.config.options import RunConfig, TrainingConfig
from core.errors import AdapterError
from core.project.layout import Project, create
from core.training import export
from core.training.control import Control
from core.training.train import train
from tests.conftest import fill, small_config


@pytest.fixture(scope="module")
def full_size() -> dict[str, torch.nn.Module]:
    """The real nets' shapes, without their weights, from the configs that are shipped."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    def config(part: str) -> dict:
        return json.loads((BUNDLED / "sdxl" / part / "config.json").read_text())

    with torch.device("meta"):
        return {
            "unet": UNet2DConditionModel.from_config(config("unet")),
            "text_encoder": CLIPTextModel(CLIPTextConfig.from_dict(config("text_encoder"))),
            "text_encoder_2": CLIPTextModelWithProjection(
                CLIPTextConfig.from_dict(config("text_encoder_2"))
            ),
        }


def targeted(full_size: dict[str, torch.nn.Module], targets: str) -> list[Place]:
    return [
        Place(part, name)
        for part, net in full_size.items()
        for name, module in net.named_modules()
        if isinstance(module, torch.nn.Linear) and re.fullmatch(SDXL.targets[targets][part], name)
    ]


@pytest.mark.parametrize(
    ("targets", "unet", "first", "second"),
    [("attention", 560, 44, 128), ("transformer", 722, 66, 192)],
)
def test_every_layer_has_a_name_of_its_own_and_is_found_again(
    full_size, targets: str, unet: int, first: int, second: int
) -> None:
    """Kohya's count is 722, 72, 192: the first encoder's last layer is read by nothing."""
    places = targeted(full_size, targets)
    counts = [sum(p.component == part for p in places) for part in full_size]
    assert counts == [unet, first, second]
    names = {
        place: formats.kohya_name(place.module, SDXL.names[place.component]) for place in places
    }
    assert len(set(names.values())) == len(places)
    change = LoRA(torch.ones(1, 2), torch.ones(2, 1), 1.0)
    tensors = formats.to_kohya(dict.fromkeys(places, change), SDXL.names)
    assert reading.from_tensors(tensors, {}, SDXL.names).keys() == set(places)


@pytest.mark.parametrize(
    ("part", "module", "name"),
    [  # as sd-scripts writes them and ComfyUI, Forge and A1111 read them
        (
            "unet",
            "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
            "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q",
        ),
        (
            "unet",
            "mid_block.attentions.0.transformer_blocks.9.attn2.to_out.0",
            "lora_unet_middle_block_1_transformer_blocks_9_attn2_to_out_0",
        ),
        ("unet", "up_blocks.0.attentions.0.proj_in", "lora_unet_output_blocks_0_1_proj_in"),
        ("unet", "down_blocks.0.downsamplers.0.conv", "lora_unet_input_blocks_3_0_op"),
        ("unet", "up_blocks.0.upsamplers.0.conv", "lora_unet_output_blocks_2_2_conv"),
        ("unet", "up_blocks.2.resnets.1.conv_shortcut", "lora_unet_output_blocks_7_0_skip_connection"),
        (
            "text_encoder",
            "encoder.layers.0.self_attn.q_proj",
            "lora_te1_text_model_encoder_layers_0_self_attn_q_proj",
        ),
        (
            "text_encoder_2",
            "text_model.encoder.layers.31.mlp.fc1",
            "lora_te2_text_model_encoder_layers_31_mlp_fc1",
        ),
    ],
)  # fmt: skip
def test_names_are_those_of_other_programs(part: str, module: str, name: str) -> None:
    assert formats.kohya_name(module, SDXL.names[part]) == name
    written = name.removeprefix(SDXL.names[part].kohya + "_")
    assert formats.module_of_kohya(written, SDXL.names[part]) == module


def test_both_spellings_are_read() -> None:
    """ComfyUI, Forge and diffusers know diffusers' block names with kohya's endings, too."""
    module = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    pair = {"lora_down.weight": torch.ones(2, 8), "lora_up.weight": torch.ones(8, 2)}
    for name in (
        formats.kohya_name(module, SDXL.names["unet"]),
        f"lora_unet_{module}".replace(".", "_"),
    ):
        tensors = {f"{name}.{ending}": tensor for ending, tensor in pair.items()}
        assert list(reading.from_tensors(tensors, {}, SDXL.names)) == [Place("unet", module)]


@pytest.mark.parametrize("name", ["middle_block_7_proj_in", "input_blocks_4_0_odd"])
def test_a_name_that_no_net_has_is_refused(name: str) -> None:
    tensors = {f"lora_unet_{name}.lora_down.weight": torch.ones(2, 8)}
    with pytest.raises(AdapterError, match="has no place"):
        reading.from_tensors(tensors, {}, SDXL.names)


def test_the_header_says_sdxl_to_a1111_forge_and_invokeai(tmp_path: Path, sdxl_base: Path) -> None:
    project = create(tmp_path / "p", small_config(str(sdxl_base), steps=1))
    fill(project.images, 2)
    list(train(project, Control()))
    path = project.run("").newest_adapter()
    assert path is not None
    tensors, header = files.read(path)
    assert header["ss_base_model_version"] == "sdxl_base_v1-0"
    assert header["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora"
    assert header["modelspec.implementation"].endswith("/Stability-AI/generative-models")
    assert json.loads(path.with_suffix(".json").read_text())["sd version"] == "SDXL"
    prefixes = {re.match(r"lora_(unet|te1|te2)_", name)[0] for name in tensors}
    assert prefixes == {"lora_unet_", "lora_te1_", "lora_te2_"}


@pytest.mark.parametrize("layout", ["kohya", "diffusers", "peft"])
def test_every_form_is_read_back(tmp_path: Path, sdxl_base: Path, layout) -> None:
    project = create(tmp_path / "p", small_config(str(sdxl_base), steps=2))
    fill(project.images, 2)
    list(train(project, Control()))
    source = project.run("").newest_adapter()
    assert source is not None
    out = tmp_path / ("out" if layout == "peft" else "out.safetensors")
    export.convert(source, SDXL, layout, out)
    before, after = export.read(source, SDXL)[0], export.read(out, SDXL)[0]
    assert before.keys() == after.keys()
    for place, change in before.items():
        scale = change.alpha / change.rank
        assert torch.allclose(
            after[place].up.float() @ after[place].down.float() * after[place].alpha / after[place].rank,
            change.up.float() @ change.down.float() * scale,
            atol=1e-4,
        )  # fmt: skip


def test_a_picture_is_learnt_with_its_size_and_crop(sdxl_base: Path, tmp_path: Path) -> None:
    """The same pixels told as another size are another step."""
    from dataclasses import replace

    from core.data.buckets import Size
    from core.training.step import denoising_losses
    from tests.e2e.test_loss import draw_of, prepared_for

    project = create(tmp_path / "p", small_config(str(sdxl_base)))
    fill(project.images, 2)
    prepared = prepared_for(project)
    draw = draw_of(prepared, 1, 2)
    frames = [frame._replace(original=Size(32, 32)) for frame in draw.frames]
    small = replace(draw, frames=(frames[0], draw.frames[1]))
    with torch.no_grad():
        first = denoising_losses(prepared.model, draw, prepared.conditions, TrainingConfig())
        second = denoising_losses(prepared.model, small, prepared.conditions, TrainingConfig())
    assert first[0] != second[0]
    assert torch.allclose(first[1], second[1])


def test_presets_leave_its_text_encoders_alone() -> None:
    on_sd1 = RunConfig(name="a", base="x")
    on_sdxl = presets.on_base(on_sd1, "y", SD1, SDXL)
    assert not on_sdxl.adapter.text_encoder
    assert on_sdxl.dataset.resolution_px == 1024
    assert presets.on_base(on_sdxl, "demo", SDXL, DEMO).adapter.text_encoder
    for preset in presets.PRESETS:
        applied = presets.apply(preset, on_sdxl, SDXL)
        assert SDXL.rates(applied).keys() == {"unet"}
        assert presets.matching(applied, SDXL) == preset


def test_an_adapter_of_sd1_is_refused(sdxl_base: Path, project: Project, tmp_path: Path) -> None:
    from core.training import sample

    list(train(project, Control()))
    sampler = sample.load(project.base(small_config(str(sdxl_base))))
    worn = {project.run("").newest_adapter(): 1.0}
    with pytest.raises(AdapterError):
        sampler.draw(tmp_path / "a.png", sample.Wish(prompt="a ball", adapters=worn))
    assert not (tmp_path / "a.png").exists()


def test_a_lora_of_the_unused_layer_is_attached(sdxl_base: Path, tmp_path: Path) -> None:
    """As kohya's files have it; it does nothing there, and is no reason to refuse a file."""
    from core.base.opening import open_base
    from core.families.device import whole_cpu
    from core.families.registry import load

    model = load(open_base(sdxl_base), whole_cpu())
    place = Place("text_encoder", "encoder.layers.11.self_attn.q_proj")
    injection.place_into(
        model.nets(SDXL.names), {place: LoRA(torch.ones(2, 32), torch.ones(32, 2), 2.0)}
    )
