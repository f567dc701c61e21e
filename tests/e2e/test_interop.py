"""What other programs read is what we trained: plain diffusers, peft, and every name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from PIL import Image

from core.adapters import files, lora
from core.errors import AdapterError, RunError
from core.families import sd1
from core.families.family import DrawOptions
from core.families.registry import family_of
from core.project.layout import ASSETS, Project
from core.training import export
from core.training.control import Control
from core.training.train import train
from core.worker.jobs import export_to

DEMO = ASSETS / "demo-base"
CLOSE = 2.0  # of 255, on average


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Project:
    """A run at so high a rate that its adapter shows."""
    from core.project.layout import create
    from tests.conftest import fill, small_config

    config = small_config(
        str(tiny_base), steps=8, learning_rate=0.05, text_encoder_learning_rate=0.05
    )
    project = create(tmp_path_factory.mktemp("trained") / "project", config)
    fill(project.images, 4)
    list(train(project, Control()))
    return project


def picture(pipe: StableDiffusionPipeline, project: Project) -> np.ndarray:
    config = project.config().preview
    pipe.set_progress_bar_config(disable=True)
    return np.asarray(
        pipe(
            config.prompts[0],
            width=64,
            height=64,
            num_inference_steps=config.inference_steps,
            guidance_scale=config.guidance,
            generator=torch.Generator().manual_seed(config.seed),
        ).images[0],
        dtype=np.float64,
    )


def plain_pipeline(base: Path) -> StableDiffusionPipeline:
    pipe = StableDiffusionPipeline.from_pretrained(base, dtype=torch.float32)
    assert isinstance(pipe.scheduler, DDIMScheduler)
    return pipe


@pytest.mark.parametrize("layout", ["kohya", "diffusers"])
def test_plain_diffusers_draws_our_preview(
    trained: Project, tiny_base: Path, tmp_path: Path, layout
) -> None:
    run = trained.run("")
    path = export_to(run.root, layout, tmp_path / "adapter.safetensors")
    pipe = plain_pipeline(tiny_base)
    untrained = picture(pipe, trained)
    pipe.load_lora_weights(path)
    loaded = picture(pipe, trained)
    ours = np.asarray(Image.open(run.preview_file(8, 0)), dtype=np.float64)
    assert np.abs(loaded - ours).mean() < CLOSE
    # else this test shows nothing, or nothing of one of the two nets
    assert np.abs(untrained - ours).mean() > 2 * CLOSE
    for component in ("unet", "text_encoder"):
        pipe.unload_lora_weights()
        pipe.load_lora_weights(only(component, path, tmp_path / "part.safetensors"))
        assert np.abs(picture(pipe, trained) - ours).mean() > CLOSE


def only(component: str, path: Path, part: Path) -> Path:
    """One component's share of an adapter file."""
    prefix = {"unet": ("lora_unet_", "unet."), "text_encoder": ("lora_te_", "text_encoder.")}
    tensors, header = files.read(path)
    settings = json.loads(header.get("lora_adapter_metadata", "{}"))
    own = {k: v for k, v in settings.items() if k.startswith(prefix[component])}
    kept = {k: t for k, t in tensors.items() if k.startswith(prefix[component])}
    files.write(part, kept, {"lora_adapter_metadata": json.dumps(own)} if own else {})
    return part


def test_a_file_of_diffusers_becomes_one_of_kohya(
    trained: Project, tiny_base: Path, tmp_path: Path
) -> None:
    """With diffusers' header beside kohya's alphas, diffusers refuses the file."""
    theirs = export_to(trained.run("").root, "diffusers", tmp_path / "theirs.safetensors")
    family = family_of(tiny_base)
    parts = family.load(tiny_base, torch.device("cpu"), torch.float32)
    export.convert(theirs, family, parts, "kohya", tmp_path / "ours.safetensors")
    assert "lora_adapter_metadata" not in files.read(tmp_path / "ours.safetensors")[1]
    plain_pipeline(tiny_base).load_lora_weights(tmp_path / "ours.safetensors")


@pytest.mark.parametrize(
    ("tensors", "header", "words"),
    [
        ({"lora_unet_mid.hada_w1_a": torch.zeros(1)}, {}, "kind of adapter is not supported"),
        ({"lora_unet_nowhere.lora_down.weight": torch.zeros(1)}, {}, "does not fit"),
        ({}, {"lora_adapter_metadata": "{"}, "header cannot be read"),
        ({}, {"lora_adapter_metadata": '{"unet.use_rslora": true}'}, "unet.use_rslora"),
        ({}, {}, "holds no adapter"),
    ],
)
def test_an_adapter_that_cannot_be_used_is_named(
    tiny_base: Path, tmp_path: Path, tensors, header, words
) -> None:
    path = tmp_path / "odd.safetensors"
    files.write(path, tensors, header)
    family = family_of(tiny_base)
    nets = family.load(tiny_base, torch.device("cpu"), torch.float32).nets(text_encoders=True)
    with pytest.raises(AdapterError, match=words) as caught:
        export.read(path, family, nets)
    assert "odd.safetensors" in caught.value.message
    assert caught.value.hint


def test_export_takes_what_lies_in_a_run_and_says_so(
    trained: Project, tmp_path: Path, monkeypatch
) -> None:
    run = trained.run("")
    monkeypatch.chdir(run.adapters)
    export_to(Path(run.newest_adapter().name), "kohya", tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").exists()
    with pytest.raises(RunError, match="neither a run nor one of its adapters"):
        export_to(tmp_path / "a.safetensors", "diffusers", tmp_path / "b.safetensors")


def test_the_untrained_preview_is_the_base_model(trained: Project, tiny_base: Path) -> None:
    ours = np.asarray(Image.open(trained.run("").preview_file(0, 0)), dtype=np.float64)
    assert np.abs(picture(plain_pipeline(tiny_base), trained) - ours).mean() < CLOSE


@pytest.mark.parametrize("kind", ["DDIMScheduler", "DDPMScheduler", "PNDMScheduler"])
def test_previews_are_drawn_with_the_bases_own_scheduler(
    tmp_path: Path, tiny_base: Path, kind: str
) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_base, base)
    file = base / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "_class_name": kind}))
    parts = family_of(base).load(base, torch.device("cpu"), torch.float32)
    assert type(sd1.pipeline(parts).scheduler).__name__ == kind


def test_the_demo_base_is_drawn_as_by_plain_diffusers() -> None:
    """The tiny base's random VAE hides what a scheduler does; this one does not."""
    family = family_of(DEMO)
    parts = family.load(DEMO, torch.device("cpu"), torch.float32)
    options = DrawOptions(128, 128, inference_steps=6, guidance=3.0, guidance_rescale=0.7)
    (ours,) = family.draw(parts, ["an apple"], [3], options)
    pipe = StableDiffusionPipeline.from_pretrained(DEMO, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    drawn = pipe(
        "an apple",
        width=128,
        height=128,
        num_inference_steps=6,
        guidance_scale=3.0,
        guidance_rescale=0.7,
        generator=torch.Generator().manual_seed(3),
        output_type="np",
    ).images[0]
    difference = np.abs(drawn * 255 - (ours.permute(1, 2, 0).numpy() / 2 + 0.5).clip(0, 1) * 255)
    assert difference.mean() < CLOSE


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's own
def test_peft_loads_its_own_folder(trained: Project, tiny_base: Path, tmp_path: Path) -> None:
    from diffusers import UNet2DConditionModel
    from peft import PeftModel
    from transformers import CLIPTextModel

    folder = export_to(trained.run("").root, "peft", tmp_path / "peft")
    nets = {
        "unet": UNet2DConditionModel.from_pretrained(tiny_base / "unet"),
        "text_encoder": CLIPTextModel.from_pretrained(tiny_base / "text_encoder"),
    }
    for name, net in nets.items():
        model = PeftModel.from_pretrained(net, str(folder / name))
        ups = [p for n, p in model.named_parameters() if "lora_B" in n]
        assert ups
        assert all(p.abs().max() > 0 for p in ups)


@pytest.mark.parametrize("layout", ["kohya", "diffusers"])
def test_what_is_exported_is_read_back(
    trained: Project, tiny_base: Path, tmp_path: Path, layout
) -> None:
    run = trained.run("")
    path = export_to(run.root, layout, tmp_path / "adapter.safetensors")
    family = family_of(tiny_base)
    parts = family.load(tiny_base, torch.device("cpu"), torch.float32)
    nets = parts.nets(text_encoders=True)
    adapter, _ = export.read(path, family, nets)
    original, _ = export.read(run.newest_adapter(), family, nets)
    assert adapter.keys() == original.keys()
    for place, pair in adapter.items():
        assert torch.equal(pair.down, original[place].down)
        assert torch.equal(pair.up, original[place].up)
        assert pair.alpha == original[place].alpha
    lora.attach(nets, adapter)
    assert {p for p, _ in lora.layers(nets)} == set(adapter)


def test_kohya_names_are_those_that_comfyui_and_forge_know(trained: Project) -> None:
    tensors, _ = files.read(trained.run("").newest_adapter())
    assert all(k.startswith(("lora_unet_", "lora_te_")) for k in tensors)
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0"
    assert tensors[f"{name}.lora_down.weight"].shape == (4, 32)
    assert tensors[f"{name}.alpha"].item() == 4
    te = "lora_te_text_model_encoder_layers_1_self_attn_q_proj.lora_up.weight"
    assert tensors[te].shape == (32, 4)
    assert tensors[te].dtype == torch.float16


def test_the_header_says_what_a1111_and_forge_ask(trained: Project) -> None:
    with safetensors.safe_open(trained.run("").newest_adapter(), "pt") as file:
        header = file.metadata()
    assert header["ss_base_model_version"] == "sd_v1"
    assert header["ss_v2"] == "False"
    assert header["ss_network_module"] == "networks.lora"
    assert header["ss_network_dim"] == "4"
    assert header["modelspec.architecture"] == "stable-diffusion-v1/lora"
    assert header["modelspec.trigger_phrase"] == "ballstyle"
    assert "lora_adapter_metadata" not in header
    assert json.loads(header["ss_tag_frequency"])["Small"]["ballstyle"] == 4
    assert len(header["sshs_model_hash"]) == 64
    assert len(header["sshs_legacy_hash"]) == 8


def test_all_attention_layers_of_the_full_sd1_get_a_name_of_their_own() -> None:
    """From the real nets' shapes, without their weights; other trainers add 88 other layers."""
    import re

    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from core.families.sd1 import SD1

    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
        text = CLIPTextModel(
            CLIPTextConfig(num_hidden_layers=12, hidden_size=768, num_attention_heads=12)
        )
    found = {
        SD1.names[component].kohya_name(name)
        for component, net in (("unet", unet), ("text_encoder", text))
        for name, module in net.named_modules()
        if isinstance(module, torch.nn.Linear)
        and re.fullmatch(SD1.targets["attention"][component], name)
    }
    assert len([n for n in found if n.startswith("lora_unet")]) == 128  # of 192: attention alone
    assert len([n for n in found if n.startswith("lora_te")]) == 48  # of 72


def test_strength_zero_is_the_base_and_more_is_further(trained: Project, tiny_base: Path) -> None:
    from core.families.family import DrawOptions

    family = family_of(tiny_base)
    parts = family.load(tiny_base, torch.device("cpu"), torch.float32)
    options = DrawOptions(64, 64, 2, 3.0, 0.0)

    def drawn() -> torch.Tensor:
        return family.draw(parts, ["a red ball"], [1], options)[0]

    base = drawn()
    nets = parts.nets(text_encoders=True)
    lora.attach(nets, export.read(trained.run("").newest_adapter(), family, nets)[0])
    distances = []
    for weight in (0.0, 0.5, 1.0):
        lora.set_weight(nets, weight)
        distances.append((drawn() - base).abs().mean().item())
    assert distances[0] < 1e-6
    assert distances[0] < distances[1] < distances[2]


def test_half_precision_nets_draw_with_the_whole_vae(tiny_base: Path) -> None:
    """What a GPU does, on the CPU: bfloat16 nets, float32 VAE and adapter."""
    from core.families.family import DrawOptions

    family = family_of(tiny_base)
    parts = family.load(tiny_base, torch.device("cpu"), torch.bfloat16)
    drawn = family.draw(parts, ["a red ball"], [1], DrawOptions(64, 64, 2, 3.0, 0.0))[0]
    whole = family.load(tiny_base, torch.device("cpu"), torch.float32)
    expected = family.draw(whole, ["a red ball"], [1], DrawOptions(64, 64, 2, 3.0, 0.0))[0]
    assert (drawn - expected).abs().mean() < 0.05
