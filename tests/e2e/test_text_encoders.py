"""Text encoders that learn each by itself: which, how fast, how large, until when; who reads them."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from diffusers.loaders.lora_conversion_utils import _convert_kohya_flux_lora_to_diffusers
from PIL import Image

from core.adapters import files as adapter_files
from core.adapters import formats, programs, reading, report
from core.adapters.changes import LoRA, Place
from core.base.opening import open_base
from core.config import files, idle, presets
from core.config.facts import FAMILIES, FLUX, SD1, SD3, SDXL, ZIMAGE, Facts
from core.config.options import RunConfig
from core.errors import AdapterError
from core.project.layout import Project, create
from core.protocol.events import CheckpointSaved, FileMade, Inspected, StepDone, Warned
from core.training import checkpoint, export, reworking, sample, setup
from core.training.control import Control
from core.training.train import train
from tests.conftest import export_to, fill, made, small_config
from tests.e2e.test_flux import kohyas
from tests.e2e.test_options import small_trainable

CLOSE = 0.6  # of 255, between two ways to draw the same picture
BOTH = "adapter.text_encoders=both"


def started(folder: Path, base: Path, *changes: str) -> Project:
    usual = ["training.text_encoder_learning_rate=0.02", "training.precision=float32"]
    config = files.with_changes(small_config(str(base), steps=6), [*usual, *changes])
    project = create(folder, config)
    fill(project.images, 4)
    return project


def adapter_of(project: Project) -> dict[str, torch.Tensor]:
    path = project.run("").newest_adapter()
    assert path is not None
    return adapter_files.read(path)[0]


def parts(project: Project) -> set[str]:
    facts = open_base(Path(project.config().base)).facts
    path = project.run("").newest_adapter()
    assert path is not None
    return {place.component for place in export.read(path, facts)[0]}


@pytest.mark.parametrize(
    ("row", "which", "taught"),
    [
        ("sdxl", "first", {"text_encoder"}),
        ("sd3", "second", {"text_encoder_2"}),
        ("flux", "both", {"text_encoder"}),
        ("flux", "usual", set()),
    ],
)
def test_those_learn_that_are_named(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, row: str, which: str, taught: set
) -> None:
    project = started(tmp_path / "p", made(row, tmp_path_factory), f"adapter.text_encoders={which}")
    told = list(train(project, Control()))
    assert not [event for event in told if isinstance(event, Warned)]
    facts = open_base(Path(project.config().base)).facts
    assert parts(project) == {facts.denoiser, *taught}
    path = project.run("").newest_adapter()
    assert path is not None
    for place, change in export.read(path, facts)[0].items():
        if place.component in taught:
            assert change.norm() > 0, place


@pytest.mark.parametrize("row", ["sdxl", "sd3", "flux"])
def test_a_run_goes_on_bit_for_bit_past_the_rest_of_one(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, row: str
) -> None:
    project = started(
        tmp_path / "p", made(row, tmp_path_factory), BOTH, "training.text_encoder_share=0.5",
        "training.text_encoder_2_share=0.3", "adapter.text_rank_2=2",
    )  # fmt: skip
    again = Project(shutil.copytree(project.root, tmp_path / "again"))
    list(train(project, Control()))
    control = Control()
    for event in train(again, control):
        if isinstance(event, StepDone) and event.step == 4:
            control.stop.set()
    list(train(again, Control(), ""))
    whole, stopped = (p.run("").newest_adapter() for p in (project, again))
    assert whole is not None
    assert stopped is not None
    assert whole.read_bytes() == stopped.read_bytes()


@pytest.mark.parametrize("optimizer", ["adamw", "schedule_free", "lion"])
def test_from_its_share_on_each_stands_still(
    tmp_path: Path, sdxl_base: Path, optimizer: str
) -> None:
    """Also under schedule-free, which moves what has a rate of 0 towards what it was learning."""
    project = started(
        tmp_path / "p", sdxl_base, "training.schedule=constant", "training.checkpoint_every=2",
        "training.keep_checkpoints=9", f"training.optimizer={optimizer}",
        "training.text_encoder_share=0.7", "training.text_encoder_2_share=0.34",
    )  # fmt: skip
    list(train(project, Control()))
    run = project.run("")
    at = {
        step: adapter_files.read(run.checkpoint(step) / checkpoint.ADAPTER_FILE)[0]
        for step in (2, 4, 6)
    }

    def moves(part: str, one: int, other: int) -> bool:
        names = [name for name in at[one] if name.startswith(f"{part}.")]
        assert names
        return any(not torch.equal(at[one][name], at[other][name]) for name in names)

    assert (moves("text_encoder", 2, 4), moves("text_encoder", 4, 6)) == (True, False)
    assert (moves("text_encoder_2", 2, 4), moves("text_encoder_2", 4, 6)) == (False, False)
    assert moves("unet", 4, 6)


def test_each_has_a_rate_a_rank_and_an_end_of_its_own(sdxl_base: Path) -> None:
    trainable, config = small_trainable(
        sdxl_base, "training.steps=10", "training.text_encoder_learning_rate=0.25",
        "training.text_encoder_2_learning_rate=0.5", "training.text_encoder_2_share=0.4",
        "adapter.text_rank=3", "adapter.text_rank_2=2",
    )  # fmt: skip
    told = [(group["peak"], group["last"]) for group in trainable.optimizer.param_groups]
    assert told == [(1e-3, 10), (0.25, 10), (0.5, 4)]
    ranks = {n.partition(".")[0]: len(p) for n, p in trainable.parameters.items() if "lora_A" in n}
    assert ranks == {"unet": 4, "text_encoder": 3, "text_encoder_2": 2}
    rooms = setup.rooms(SDXL, config, list(ranks))
    assert {room.alpha / room.rank for room in rooms.values()} == {3 / 4}


@pytest.mark.parametrize(
    ("facts", "changes", "words"),
    [
        (SDXL, [BOTH, "adapter.text_rank_2=4"], ""),
        (SD1, ["adapter.text_encoders=second"], "Stable Diffusion 1 has one text encoder alone"),
        (ZIMAGE, ["adapter.text_encoders=first"], "Z-Image has no text encoder that can learn"),
        (FLUX, ["adapter.text_encoders=second"], "Flux.1 has one text encoder alone"),
        (SDXL, [BOTH, "adapter.targets=style"], "has no text encoder that can learn with these"),
        (SDXL, [BOTH, "adapter.text_encoder=false"], "counts where adapter.text_encoder = true"),
        (
            FLUX,
            ["adapter.text_encoders=first", "adapter.text_rank_2=4"],
            "No second text encoder learns in this run: adapter.text_rank_2 counts for nothing",
        ),
        (
            SDXL,
            ["adapter.text_encoders=first", "training.text_encoder_2_share=0.5",
             "training.text_encoder_2_learning_rate=1e-5"],
            "training.text_encoder_2_learning_rate and training.text_encoder_2_share count for",
        ),
    ],
)  # fmt: skip
def test_what_does_not_apply_is_told(facts: Facts, changes: list[str], words: str) -> None:
    config = files.with_changes(small_config("a"), changes)
    said = idle.text_encoders(config, facts)
    assert words in said
    assert bool(said) == bool(words)


def test_a_run_tells_it_and_goes_on(tmp_path: Path, tiny_base: Path) -> None:
    project = started(tmp_path / "p", tiny_base, "adapter.text_rank_2=2")
    told = list(train(project, Control()))
    assert any("adapter.text_rank_2 counts" in e.message for e in told if isinstance(e, Warned))
    assert parts(project) == {"unet", "text_encoder"}


def test_nothing_is_asked_of_who_names_none() -> None:
    """What was trained before is trained now."""
    for facts in FAMILIES:
        config = small_config("a")
        told = set(facts.rates(config)) - {facts.denoiser}
        assert told == ({"text_encoder", "text_encoder_2"} & set(facts.names) if not
                        facts.text_by_name else set())  # fmt: skip
        assert not idle.text_encoders(config, facts)


def test_a_preset_and_another_optimizer_keep_the_seconds_rate_in_proportion() -> None:
    config = RunConfig(name="a", base="b")
    config = files.with_changes(config, ["training.text_encoder_2_learning_rate=2e-5"])
    lion = presets.on_optimizer(config, "lion", SDXL).training
    first, second = lion.text_encoder_learning_rate, lion.text_encoder_2_learning_rate
    assert first / second == pytest.approx(5 / 2, rel=1e-3)
    assert presets.on_optimizer(config, "prodigy", SDXL).training.text_encoder_2_learning_rate == 0
    applied = presets.apply(presets.PRESETS[0], config, SDXL)
    assert applied.training.text_encoder_2_learning_rate == 0


# ---------------------------------------------------------------- other programs


@pytest.mark.parametrize("row", ["sd3", "flux"])
def test_plain_diffusers_draws_our_preview(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, row: str
) -> None:
    """With what the text encoders learnt, and not without."""
    project = started(
        tmp_path / "p", made(row, tmp_path_factory), BOTH, "training.learning_rate=0.05",
        "training.text_encoder_learning_rate=0.1",
    )  # fmt: skip
    list(train(project, Control()))
    run, config = project.run(""), project.config()
    pipe: Any = DiffusionPipeline.from_pretrained(config.base, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)

    def drawn() -> np.ndarray:
        picture = pipe(
            prompt="a red ball",
            width=64,
            height=64,
            num_inference_steps=config.preview.inference_steps,
            guidance_scale=config.preview.guidance,
            generator=torch.Generator().manual_seed(config.preview.seed),
        ).images[0]
        return np.asarray(picture, dtype=np.float64)

    ours = np.asarray(Image.open(run.preview_file(6, 0)), dtype=np.float64)
    file = export_to(run.root, "diffusers", tmp_path / "adapter.safetensors")
    pipe.load_lora_weights(file)
    assert np.abs(drawn() - ours).mean() < CLOSE
    for part in ("text_encoder", "text_encoder_2"):
        if part in parts(project):
            getattr(pipe, part).disable_adapters()
    assert np.abs(drawn() - ours).mean() > CLOSE


def with_clip(rank: int = 2) -> dict[str, torch.Tensor]:
    """What kohya's scripts write of Flux.1 and its CLIP, of one layer."""
    tensors = kohyas(rank)
    rng = torch.Generator().manual_seed(1)
    for module, inputs, outputs in (
        ("self_attn_q_proj", 768, 768), ("self_attn_out_proj", 768, 768), ("mlp_fc1", 768, 3072),
    ):  # fmt: skip
        name = f"lora_te1_text_model_encoder_layers_0_{module}"
        tensors[f"{name}.lora_down.weight"] = torch.randn(rank, inputs, generator=rng)
        tensors[f"{name}.lora_up.weight"] = torch.randn(outputs, rank, generator=rng)
        tensors[f"{name}.alpha"] = torch.tensor(1.0)
    return tensors


def test_kohyas_clip_of_flux_is_read_as_diffusers_reads_it() -> None:
    ours = {
        place: change
        for place, change in reading.from_tensors(with_clip(), {}, FLUX.names).items()
        if place.component == "text_encoder"
    }
    theirs = {
        name: tensor
        for name, tensor in _convert_kohya_flux_lora_to_diffusers(with_clip()).items()
        if name.startswith("text_encoder.")
    }
    assert len(ours) == 3
    spelled = {"q_proj": "to_q", "out_proj": "to_out"}  # as diffusers' own first files have them
    for place, change in ours.items():
        block, _, last = place.module.rpartition(".")
        name = f".{block}.{spelled.get(last, last)}"
        (down,) = (t for n, t in theirs.items() if name in n and ".down." in n)
        (up,) = (t for n, t in theirs.items() if name in n and ".up." in n)
        torch.testing.assert_close(change.delta(up @ down), up @ down)
    assert report.family_of(with_clip(), {}) is FLUX


@pytest.mark.parametrize("number", [2, 3])
def test_what_changes_t5_is_named(number: int) -> None:
    """As kohya's scripts and OneTrainer write it."""
    name = f"lora_te{number}_encoder_block_0_layer_0_SelfAttention_q"
    of_t5 = {
        f"{name}.lora_down.weight": torch.ones(1, 4),
        f"{name}.lora_up.weight": torch.ones(4, 1),
    }
    header = {"ss_base_model_version": "flux1"}
    facts = report.family_of({**with_clip(), **of_t5}, header)
    with pytest.raises(AdapterError, match=f"changes T5, too, which is not read .{name}") as raised:
        reading.from_tensors({**with_clip(), **of_t5}, header, facts.names)
    assert "without T5" in raised.value.hint


def test_who_reads_a_clip_of_flux() -> None:
    """InvokeAI knows kohya's and OneTrainer's names of it, and refuses diffusers' beside a net's."""
    assert {str(r) for r in programs.readings(with_clip(), {}, FLUX)} >= {
        "ComfyUI: 23 of 23", "Forge: 23 of 23", "InvokeAI: 23 of 23", "diffusers: 23 of 23",
    }  # fmt: skip
    adapter = reading.from_tensors(with_clip(), {}, FLUX.names)
    tensors, header = formats.to_diffusers(adapter, FLUX.names)
    said = {r.program: r for r in programs.readings(tensors, header, FLUX)}
    assert {name for name, r in said.items() if r.whole} == {"ComfyUI", "Forge", "diffusers"}
    assert said["InvokeAI"].refused
    flat = programs.readings(formats.to_kohya(adapter, FLUX.names), {}, FLUX)
    assert {r.program for r in flat if r.whole} == {"ComfyUI", "Forge", "InvokeAI"}


@pytest.mark.parametrize("facts", [SDXL, FLUX, SD3])
def test_names_are_those_of_kohyas_scripts_and_of_diffusers(facts: Facts) -> None:
    change = LoRA(torch.ones(1, 2), torch.ones(2, 1), 1.0)
    places = {}
    for part in ("text_encoder", "text_encoder_2"):
        if part in facts.names:
            inside = "" if facts.names[part].inside else "text_model."
            places[part] = Place(part, f"{inside}encoder.layers.3.self_attn.q_proj")
    adapter = dict.fromkeys(places.values(), change)
    number = {"text_encoder": "1", "text_encoder_2": "2"}
    kohya = {f"lora_te{number[p]}_text_model_encoder_layers_3_self_attn_q_proj" for p in places}
    assert {n.partition(".")[0] for n in formats.to_kohya(adapter, facts.names)} == kohya
    ours, _ = formats.to_diffusers(adapter, facts.names)
    diffusers = {f"{part}.text_model.encoder.layers.3.self_attn.q_proj" for part in places}
    assert {n.partition(".lora_")[0] for n in ours} == diffusers


def test_who_reads_both_clips_of_stable_diffusion_3() -> None:
    """diffusers has no reader of kohya's names for it."""
    change = LoRA(torch.ones(1, 2), torch.ones(2, 1), 1.0)
    module = "text_model.encoder.layers.0.mlp.fc1"
    adapter = {
        Place("transformer", "transformer_blocks.0.attn.to_q"): change,
        Place("text_encoder", module): change,
        Place("text_encoder_2", module): change,
    }
    tensors, header = formats.to_diffusers(adapter, SD3.names)
    whole = {r.program for r in programs.readings(tensors, header, SD3) if r.whole}
    assert whole == {"ComfyUI", "diffusers"}
    flat = formats.to_kohya(adapter, SD3.names)
    assert {r.program for r in programs.readings(flat, {}, SD3) if r.whole} == {"ComfyUI"}
    alone = {name: tensor for name, tensor in flat.items() if "lora_te" in name}
    assert {r.program for r in programs.readings(alone, {}, SD3) if r.whole} == {"ComfyUI"}


@pytest.mark.parametrize("row", ["flux", "sd3"])
def test_what_clip_learnt_is_worn_merged_and_told(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, row: str
) -> None:
    """Drawn with it worn, and on a model that it was put into, the picture is the same."""
    base = made(row, tmp_path_factory)
    project = started(
        tmp_path / "p", base, BOTH, "training.learning_rate=0.05",
        "training.text_encoder_learning_rate=0.1",
    )  # fmt: skip
    list(train(project, Control()))
    file = export_to(project.run("").root, "kohya", tmp_path / "kohya.safetensors")
    told = reworking.inspected(file)
    assert isinstance(told, Inspected)
    assert not told.problem
    assert any("in text_encoder" in line for line in told.words)
    merged = tmp_path / "merged"
    (done,) = [
        event
        for event in reworking.baked([(file, 1.0)], open_base(base), merged)
        if isinstance(event, FileMade)
    ]
    assert f"{len(export.read(file, open_base(base).facts)[0])} layers changed" in done.words
    pictures = {}
    for name, model, adapters in (
        ("plain", base, {}), ("worn", base, {file: 1.0}), ("merged", merged, {}),
    ):  # fmt: skip
        out = tmp_path / f"{name}.png"
        edges = {"width_px": 64, "height_px": 64}
        wish = sample.Wish(prompt="a red ball", adapters=adapters, inference_steps=2, **edges)
        sample.load(open_base(model)).draw(out, wish)
        pictures[name] = np.asarray(Image.open(out), dtype=np.float64)
    assert np.abs(pictures["worn"] - pictures["merged"]).mean() < CLOSE
    assert np.abs(pictures["worn"] - pictures["plain"]).mean() > CLOSE


def test_resuming_with_another_encoder_is_refused(tmp_path: Path, sdxl_base: Path) -> None:
    project = started(tmp_path / "p", sdxl_base, "training.checkpoint_every=2")
    control = Control()
    for event in train(project, control):
        if isinstance(event, CheckpointSaved):
            control.stop.set()
    run = project.run("")
    config = files.with_changes(files.load(run.config_file), ["adapter.text_encoders=first"])
    files.save(config, run.config_file)
    with pytest.raises(Exception, match=r"adapter\.text_encoders = usual back"):
        list(train(project, Control(), resume=""))
