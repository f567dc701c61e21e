"""What other programs read is what we trained: plain diffusers, peft, and every name."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from PIL import Image

from core.adapters import changes, files, formats, injection
from core.adapters.stack import Stack
from core.base.opening import open_base
from core.base.value import ASSETS
from core.config.facts import SD1
from core.errors import AdapterError, RunError
from core.families import sd1
from core.families.device import Device, whole_cpu
from core.families.family import DrawOptions, Model, draw_texts
from core.families.registry import load
from core.project.layout import Project
from core.training import export, setup
from core.training.control import Control
from core.training.train import train
from tests.conftest import export_to, small_config

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
    export.convert(theirs, SD1, "kohya", tmp_path / "ours.safetensors")
    assert "lora_adapter_metadata" not in files.read(tmp_path / "ours.safetensors")[1]
    plain_pipeline(tiny_base).load_lora_weights(tmp_path / "ours.safetensors")


PAIR = {"lora_down.weight": torch.ones(2, 8), "lora_up.weight": torch.ones(8, 2)}
NAME = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"


def pair(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    return {f"{NAME}.{role}": tensor for role, tensor in {**PAIR, **changed}.items()}


@pytest.mark.parametrize(
    ("tensors", "header", "words"),
    [
        ({"lora_unet_mid_block_x.hada_w1_a": torch.zeros(1)}, {}, "lacks its w1_b"),
        ({"lora_unet_mid_block_x.lokr_w1": torch.zeros(1, 1)}, {}, "lacks its w2_a"),
        ({f"{NAME}.oft_blocks": torch.zeros(2, 4, 4)}, {}, "rotation of outputs"),
        ({f"{NAME}.oft_R.weight": torch.zeros(2, 5)}, {}, "blocks of"),
        ({f"{NAME}.diff": torch.zeros(2, 4)}, {}, "full difference"),
        ({**pair(), f"{NAME}.hada_w1_a": torch.ones(1, 8)}, {}, "two kinds"),
        ({f"{NAME}.alpha": torch.ones(1)}, {}, "nothing but an alpha"),
        ({"emb_params": torch.zeros(4, 768)}, {}, "textual inversion"),
        ({"model.diffusion_model.out.2.weight": torch.zeros(1)}, {}, "no kind of adapter"),
        ({"lora_transformer_x.lora_down.weight": torch.zeros(1)}, {}, "does not fit"),
        ({f"{NAME}.lora_down.weight": torch.ones(2, 8)}, {}, "lacks its up half"),
        (pair(**{"lora_up.weight": torch.ones(8, 3)}), {}, "do not fit"),
        (pair(**{"lora_up.weight": torch.ones(8, 2) * float("nan")}), {}, "not finite"),
        (pair(alpha=torch.tensor(float("inf"))), {}, "not finite"),
        (pair(alpha=torch.ones(2)), {}, "alpha"),
        ({}, {"lora_adapter_metadata": "{"}, "header cannot be read"),
        (
            {
                "unet.mid_block.x.lora_A.weight": PAIR["lora_down.weight"],
                "unet.mid_block.x.lora_B.weight": PAIR["lora_up.weight"],
            },
            {"lora_adapter_metadata": '{"unet.use_dora": true}'},
            "lacks its DoRA magnitudes",
        ),
        ({}, {}, "holds no adapter"),
    ],
)
def test_an_adapter_that_cannot_be_used_is_named(tmp_path: Path, tensors, header, words) -> None:
    path = tmp_path / "odd.safetensors"
    files.write(path, tensors, header)
    with pytest.raises(AdapterError, match=words) as caught:
        export.read(path, SD1)
    assert "odd.safetensors" in caught.value.message
    assert caught.value.hint


def test_an_adapter_of_another_base_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    files.write(tmp_path / "odd.safetensors", pair(), {})
    adapter, _ = export.read(tmp_path / "odd.safetensors", SD1)
    with pytest.raises(AdapterError, match="does not fit this model"):
        injection.place_into(loaded(tiny_base).nets(SD1.names), adapter)


def loaded(base: Path) -> Model:
    return load(open_base(base), whole_cpu())


def delta(change: changes.LoRA) -> torch.Tensor:
    return change.up.float() @ change.down.float() * change.alpha / change.rank


def same(made: torch.Tensor, expected: torch.Tensor) -> bool:
    """But for half precision's rounding."""
    return bool((made - expected).norm() < 1e-3 * expected.norm())


def as_others_write_it(adapter: changes.Adapter, form: str, folder: Path) -> Path:
    """The same adapter with the names of other programs and versions."""
    path = folder / "other.safetensors"
    tensors, header = {}, {}
    for place, change in adapter.items():
        unet = place.component == "unet"
        a, b = change.down, change.up * (change.alpha / change.rank)
        if form == "example scripts":
            name = place.module if unet else f"text_model.{place.module}"
            ending = ".lora" if unet else ".lora_linear_layer"
            name, ends = f"{place.component}.{name}{ending}", (".down.weight", ".up.weight")
        elif form == "attention processors":
            if not unet:
                continue
            name = place.module.replace(".to_out.0", ".to_out").replace(".to_", ".processor.to_")
            name, ends = f"unet.{name}_lora", (".down.weight", ".up.weight")
        elif form == "transformers 5":
            name, ends = f"{place.component}.{place.module}", (".lora_A.weight", ".lora_B.weight")
        else:  # alpha in the header
            name, ends = f"{place.component}.{place.module}", (".lora_A.weight", ".lora_B.weight")
            b = change.up
            header[f"{place.component}.r"] = change.rank
            header[f"{place.component}.lora_alpha"] = change.alpha
        tensors[name + ends[0]], tensors[name + ends[1]] = a, b.contiguous()
    said = {"format": "pt"}
    if header:
        said["lora_adapter_metadata"] = json.dumps(header)
    files.write(path, tensors, said)
    return path


@pytest.mark.parametrize(
    "form", ["example scripts", "attention processors", "transformers 5", "alpha in the header"]
)
def test_what_other_programs_write_is_read(trained: Project, tmp_path: Path, form: str) -> None:
    original, _ = export.read(trained.run("").newest_adapter(), SD1)
    read, _ = export.read(as_others_write_it(original, form, tmp_path), SD1)
    expected = {p for p in original if form != "attention processors" or p.component == "unet"}
    assert read.keys() == expected
    for place in expected:
        assert same(delta(read[place]), delta(original[place]))


def test_the_diffusers_form_needs_no_word_on_alpha(trained: Project, tmp_path: Path) -> None:
    """diffusers 0.32, ComfyUI and OneTrainer heed none; 0.34 to 0.39 ask for two patterns."""
    original, _ = export.read(trained.run("").newest_adapter(), SD1)
    path = export_to(trained.run("").root, "diffusers", tmp_path / "d.safetensors")
    tensors, header = files.read(path)
    said = json.loads(header["lora_adapter_metadata"])
    for part in ("unet", "text_encoder"):
        assert said[f"{part}.r"] == said[f"{part}.lora_alpha"] == 4
        assert said[f"{part}.rank_pattern"] == said[f"{part}.alpha_pattern"] == {}
    for place, change in original.items():
        inside = "text_model." if place.component == "text_encoder" else ""
        name = f"{place.component}.{inside}{place.module}"
        made = tensors[f"{name}.lora_B.weight"].float() @ tensors[f"{name}.lora_A.weight"].float()
        assert same(made, delta(change))


def test_the_trigger_word_lies_where_a1111_forge_and_invokeai_look(
    trained: Project, tmp_path: Path
) -> None:
    beside = trained.run("").newest_adapter().with_suffix(".json")
    assert json.loads(beside.read_text())["activation text"] == "ballstyle"
    mine = tmp_path / "mine.json"
    mine.write_text('{"activation text": "my own note"}')
    export_to(trained.run("").root, "kohya", tmp_path / "mine.safetensors")
    assert "my own note" in mine.read_text()


def test_export_takes_what_lies_in_a_run_and_says_so(
    trained: Project, tmp_path: Path, monkeypatch
) -> None:
    run = trained.run("")
    monkeypatch.chdir(run.adapters)
    export_to(Path(run.newest_adapter().name), "kohya", tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").exists()
    export_to(tmp_path / "a.safetensors", "diffusers", tmp_path / "b.safetensors")  # of no run
    export_to(run.root, "diffusers", tmp_path / "of-run.safetensors")
    again = (tmp_path / "b.safetensors", tmp_path / "of-run.safetensors")
    assert len({frozenset(files.read(path)[0]) for path in again}) == 1
    with pytest.raises(RunError, match="neither a run nor an adapter file"):
        export_to(tmp_path, "diffusers", tmp_path / "c.safetensors")


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
    model = loaded(base)
    assert type(sd1.pipeline(model).scheduler).__name__ == kind
    assert not model.notes


@pytest.mark.parametrize("kind", ["LMSDiscreteScheduler", "NoSuchScheduler", None])
def test_a_scheduler_that_cannot_draw_gives_way_to_one_that_can(
    tmp_path: Path, tiny_base: Path, kind: str | None
) -> None:
    """Training needs its betas alone; LMS wants a library that is not there."""
    base = tmp_path / "base"
    shutil.copytree(tiny_base, base)
    file = base / "scheduler" / "scheduler_config.json"
    settings = {**json.loads(file.read_text()), "_class_name": kind}
    file.write_text(json.dumps({k: v for k, v in settings.items() if v is not None}))
    model = loaded(base)
    assert isinstance(sd1.pipeline(model).scheduler, DDIMScheduler)
    assert "DDIM" in model.notes[0]
    assert torch.equal(model.path.alpha_bars, loaded(tiny_base).path.alpha_bars)


def test_the_demo_base_is_drawn_as_by_plain_diffusers() -> None:
    """The tiny base's random VAE hides what a scheduler does; this one does not."""
    model = loaded(DEMO)
    options = DrawOptions(128, 128, inference_steps=6, guidance=3.0, guidance_rescale=0.7)
    (ours,) = draw_texts(model, ["an apple"], [3], options)
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


@pytest.mark.parametrize("layout", ["kohya", "diffusers", "peft"])
def test_what_is_exported_is_read_back(
    trained: Project, tiny_base: Path, tmp_path: Path, layout
) -> None:
    run = trained.run("")
    path = export_to(run.root, layout, tmp_path / "adapter.safetensors")
    adapter, _ = export.read(path, SD1)
    original, _ = export.read(run.newest_adapter(), SD1)
    assert adapter.keys() == original.keys()
    for place, change in adapter.items():
        assert same(delta(change), delta(original[place]))
    nets = loaded(tiny_base).nets(SD1.names)
    injection.place_into(nets, adapter)
    assert {p for p, _ in injection.layers(nets)} == set(adapter)


@pytest.mark.parametrize("layout", ["kohya", "diffusers", "peft"])
def test_every_layer_that_learns_is_in_the_file(
    trained: Project, tiny_base: Path, tmp_path: Path, layout
) -> None:
    """Asked of the nets themselves, not of another file of ours."""
    path = export_to(trained.run("").root, layout, tmp_path / "adapter.safetensors")
    expected = {
        changes.Place(part, name)
        for part, net in loaded(tiny_base).nets(SD1.names).items()
        for name, _ in net.named_modules()
        if re.fullmatch(SD1.targets["attention"][part], name)
    }
    assert len(expected) == 40
    assert export.read(path, SD1)[0].keys() == expected


def test_kohya_names_are_those_that_comfyui_and_forge_know(trained: Project) -> None:
    tensors, _ = files.read(trained.run("").newest_adapter())
    assert all(k.startswith(("lora_unet_", "lora_te_")) for k in tensors)
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0"
    assert tensors[f"{name}.lora_down.weight"].shape == (4, 32)
    assert tensors[f"{name}.alpha"].item() == 3
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
    assert json.loads(header["ss_tag_frequency"])["Small-001-step000008"]["ballstyle"] == 4
    assert len(header["sshs_model_hash"]) == 64
    assert len(header["sshs_legacy_hash"]) == 8


@pytest.fixture(scope="module")
def full_sd1() -> dict[str, torch.nn.Module]:
    """The real nets' shapes, without their weights."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        return {
            "unet": UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8),
            "text_encoder": CLIPTextModel(
                CLIPTextConfig(num_hidden_layers=12, hidden_size=768, num_attention_heads=12)
            ),
        }


def test_all_attention_layers_of_the_full_sd1_get_a_name_of_their_own(full_sd1) -> None:
    """Other trainers add 88 other layers."""
    found = {
        formats.kohya_name(name, SD1.names[component])
        for component, net in full_sd1.items()
        for name, module in net.named_modules()
        if isinstance(module, torch.nn.Linear)
        and re.fullmatch(SD1.targets["attention"][component], name)
    }
    assert len([n for n in found if n.startswith("lora_unet")]) == 128  # of 192: attention alone
    assert len([n for n in found if n.startswith("lora_te")]) == 48  # of 72


def test_every_module_of_the_full_sd1_is_known_by_its_kohya_name(full_sd1) -> None:
    """No base is needed to tell where a dot was, so an export loads none."""
    count = 0
    for component, net in full_sd1.items():
        names = SD1.names[component]
        for module, part in net.named_modules():
            if isinstance(part, torch.nn.Linear | torch.nn.Conv2d):
                written = formats.kohya_name(module, names).removeprefix(names.kohya + "_")
                assert formats.module_of_kohya(written, names) == module
                count += 1
    assert count == 354


def test_an_adapter_goes_exactly_where_it_belongs() -> None:
    """Also where a module's name ends with another's, as Flux's proj_out; and each at its rank."""
    net = torch.nn.ModuleDict(
        {
            "proj_out": torch.nn.Linear(4, 4),
            "block": torch.nn.ModuleDict({"proj_out": torch.nn.Linear(4, 4)}),
            "other": torch.nn.Linear(4, 4),
        }
    )
    adapter = {
        changes.Place("net", "proj_out"): changes.LoRA(torch.ones(2, 4), torch.ones(4, 2), 3.0),
        changes.Place("net", "other"): changes.LoRA(torch.ones(1, 4), torch.ones(4, 1), 7.0),
    }
    injection.place_into({"net": net}, adapter)
    taken = injection.take({"net": net})
    assert {p.module: (c.rank, c.alpha) for p, c in taken.items()} == {
        "proj_out": (2, 3.0),
        "other": (1, 7.0),
    }


def test_strength_zero_is_the_base_and_more_is_further(trained: Project, tiny_base: Path) -> None:
    model = loaded(tiny_base)
    options = DrawOptions(64, 64, 2, 3.0, 0.0)

    def drawn() -> torch.Tensor:
        return draw_texts(model, ["a red ball"], [1], options)[0]

    base = drawn()
    stack = Stack(model.nets(SD1.names))
    worn = stack.ready(export.read(trained.run("").newest_adapter(), SD1)[0])
    distances = []
    for weight in (0.0, 0.5, 1.0):
        stack.wear([(worn, weight)])
        distances.append((drawn() - base).abs().mean().item())
    assert distances[0] < 1e-6
    assert distances[0] < distances[1] < distances[2]


class HalfOnCpu(Device):
    """What a GPU does, on the CPU: bfloat16 nets, float32 VAE and adapter."""

    @property
    def weights(self) -> torch.dtype:
        return self.compute


def test_half_precision_nets_draw_with_the_whole_vae(tiny_base: Path) -> None:
    half = load(open_base(tiny_base), HalfOnCpu(torch.device("cpu"), torch.bfloat16))
    whole = loaded(tiny_base)
    options = DrawOptions(64, 64, 2, 3.0, 0.0)
    drawn = draw_texts(half, ["a red ball"], [1], options)[0]
    expected = draw_texts(whole, ["a red ball"], [1], options)[0]
    assert half.parts["unet"].dtype == torch.bfloat16
    assert (drawn - expected).abs().mean() < 0.05


def test_an_adapter_begins_with_the_same_numbers_on_every_precision(tiny_base: Path) -> None:
    """peft alone would round them to the base's dtype, and a GPU's run would begin elsewhere."""
    drawn = []
    for device in (HalfOnCpu(torch.device("cpu"), torch.bfloat16), whole_cpu()):
        model = load(open_base(tiny_base), device)
        made = setup.trainable(model, model.nets(SD1.names), small_config("x"))
        drawn.append({n: p.detach().clone() for n, p in made.parameters.items()})
    for name, whole in drawn[1].items():
        assert drawn[0][name].dtype == torch.float32
        assert torch.equal(drawn[0][name], whole)
