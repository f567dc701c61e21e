"""Every option of a run does something, and does it where it should."""

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch
from PIL import Image

from core.adapters import files as adapter_files
from core.base.opening import open_base
from core.config import files
from core.config.facts import SD1
from core.config.options import RunConfig, TrainingConfig
from core.data import batches
from core.families.device import choose
from core.families.registry import load
from core.project.layout import Project, create
from core.protocol.events import PreviewReady, StepDone
from core.training import lr, setup, step
from core.training.control import Control
from core.training.step import denoising_losses
from core.training.train import train
from tests.conftest import draw_picture, fill, small_config
from tests.e2e.test_loss import draw_of, prepared_for

# What each option is set to; the run it is compared with has the fixture's value. A new option
# stands here or in one of the two sets below, else its test fails.
LEARNT = {
    "dataset.folders": '["others"]',
    "dataset.resolution_px": "128",
    "dataset.more_resolutions_px": "[128]",
    "dataset.flip": "true",
    "dataset.folder_repeats": "true",
    "dataset.balance_folders": "true",
    "dataset.masks": "files",
    "dataset.unmasked": "0.5",
    "dataset.class_folder": "others",
    "dataset.class_weight": "0.5",
    "dataset.held_out": "0.3",
    "dataset.trigger": "otherword",
    "dataset.prefix": "drawn",
    "dataset.suffix": "on white",
    "dataset.caption_lines": "one",
    "dataset.shuffle_tags": "true",
    "dataset.keep_tags": "2",
    "dataset.tag_dropout": "0.5",
    "dataset.wildcards": "true",
    "dataset.caption_dropout": "0.9",
    "adapter.rank": "5",
    "adapter.alpha": "7",
    "adapter.dropout": "0.5",
    "adapter.targets": "transformer",
    "adapter.text_encoder": "false",
    "adapter.text_encoders": "second",  # which this base has not
    "adapter.kind": "lokr",
    "adapter.rank_stabilized": "true",
    "adapter.init": "pissa",
    "adapter.dora_norm": "output",
    "adapter.rank_dropout": "0.5",
    "adapter.module_dropout": "0.5",
    "adapter.pattern": '".*attn2.to_k"',
    "adapter.conv_rank": "2",
    "adapter.conv_alpha": "4",
    "adapter.text_rank": "2",
    "training.steps": "5",
    "training.batch_size": "3",
    "training.learning_rate": "2e-3",
    "training.text_encoder_learning_rate": "3e-3",
    "training.optimizer": "lion",
    "training.schedule": "constant",
    "training.schedule_cycles": "2",
    "training.schedule_power": "3",
    "training.average": "0.9",
    "training.warmup_steps": "2",
    "training.weight_decay": "1",
    "training.max_grad_norm": "1e-9",  # Adam knows no scale but beside its epsilon
    "training.up_rate_factor": "16",
    "training.max_weight_norm": "1e-3",
    "training.text_encoder_share": "0.25",
    "training.loss": "huber",
    "training.huber_c": "0.01",
    "training.min_snr_gamma": "0.5",
    "training.debiased": "true",
    "training.prior_share": "0.5",
    "noise.times": "logit_normal",
    "noise.logit_mean": "1",
    "noise.logit_spread": "0.5",
    "noise.shift": "3",
    "noise.first": "0.5",
    "noise.last": "0.5",
    "noise.offset": "0.1",
    "noise.pyramid": "0.3",
    "noise.perturbation": "0.1",
    "training.precision": "bfloat16",
    "training.base_precision": "nf4",
    "training.seed": "8",
}
# What some of them need to act at all; the run that theirs is compared with has it, too.
NEEDS = {
    "dataset.unmasked": "dataset.masks=files",
    "dataset.class_weight": "dataset.class_folder=others",
    "dataset.keep_tags": "dataset.shuffle_tags=true",
    "adapter.dora_norm": "adapter.kind=dora",
    "adapter.rank_dropout": "adapter.kind=loha",
    "adapter.module_dropout": "adapter.kind=loha",
    "adapter.conv_alpha": "adapter.conv_rank=2",
    "training.huber_c": "training.loss=huber",
    "noise.logit_mean": "noise.times=logit_normal",
    "noise.logit_spread": "noise.times=logit_normal",
    "training.schedule_cycles": "training.schedule=restarts",
    "training.schedule_power": "training.schedule=polynomial",
}
DRAWN = {
    "preview.prompts": '["a blue cube"]',
    "preview.inference_steps": "3",
    "preview.guidance": "6",
    "preview.guidance_rescale": "0.9",
    "preview.seed": "9",
}
ELSEWHERE = {  # each has tests of its own
    "schema", "name", "base", "vae", "rest", "texts", "prediction", "adapter.start",
    "training.measure_every",
    "training.patience", "adapter.text_rank_2", "training.text_encoder_2_learning_rate",
    "training.text_encoder_2_share", "training.on_divergence", "training.recompute", "training.vae_tiles",
    "training.stream_base", "training.offload_activations", "training.compile", "training.checkpoint_every",
    "training.checkpoint_minutes", "training.keep_checkpoints", "preview.every",
}  # fmt: skip


def option_names(kind: type = RunConfig, prefix: str = "") -> list[str]:
    names = []
    for field in msgspec.structs.fields(kind):
        name = prefix + field.name
        nested = isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
        names += option_names(field.type, name + ".") if nested else [name]
    return names


def test_every_option_is_tried() -> None:
    assert set(option_names()) == LEARNT.keys() | DRAWN.keys() | ELSEWHERE


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Project:
    """A finished run in which every option can act."""
    project = create(tmp_path_factory.mktemp("plain") / "project", small_config(str(tiny_base)))
    fill(project.images, 5)
    for path in sorted(project.images.glob("*.txt"))[:3]:  # what options on captions act on
        path.write_text("a ball, {red|bluish}\na disc, round, bright, small", encoding="utf-8")
    fill(project.images / "3_often", 2)
    picture = min(project.images.glob("*.png"))
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    mask.save(picture.with_name(f"{picture.stem}-masklabel.png"))
    for number in range(6):
        others = project.root / "others"
        others.mkdir(exist_ok=True)
        draw_picture(others / f"o{number}.png", number + 3)
    options = [
        "training.precision=float32",
        "dataset.caption_dropout=0.2",
        "training.text_encoder_learning_rate=1e-3",
    ]
    project.save(files.with_changes(project.config(), options))
    list(train(project, Control()))
    return project


def tensors(project: Project) -> dict[str, torch.Tensor]:
    path = project.run("").newest_adapter()
    assert path is not None
    return adapter_files.read(path)[0]


@pytest.mark.parametrize("name", LEARNT)
def test_it_changes_what_is_learnt(plain: Project, tmp_path: Path, name: str) -> None:
    needs = [NEEDS[name]] if name in NEEDS else []
    before = tensors(again(plain, tmp_path / "without", *needs)) if needs else tensors(plain)
    after = tensors(again(plain, tmp_path / "with", *needs, f"{name}={LEARNT[name]}"))
    others = [k for k in after if "lora_down" not in k]  # drawn, in part, not learnt
    assert any(
        k not in before or before[k].shape != after[k].shape or not torch.equal(before[k], after[k])
        for k in others
    ) or len(before) != len(after)


def again(plain: Project, folder: Path, *changes: str) -> Project:
    """The same run with other options."""
    project = Project(shutil.copytree(plain.root, folder))
    project.save(files.with_changes(project.config(), changes))
    list(train(project, Control()))
    return project


@pytest.mark.parametrize("name", DRAWN)
def test_it_changes_what_is_drawn(plain: Project, tmp_path: Path, name: str) -> None:
    """The untrained picture, so that nothing but the drawing differs."""
    project = Project(shutil.copytree(plain.root, tmp_path / "p"))
    project.save(files.with_changes(project.config(), [f"{name}={DRAWN[name]}"]))
    control = Control()
    for event in train(project, control):
        if isinstance(event, PreviewReady):
            control.stop.set()
    ours, theirs = (p.run("").preview_file(0, 0) for p in (plain, project))
    assert ours.read_bytes() != theirs.read_bytes()


def test_each_prompt_has_a_seed_of_its_own(plain: Project, tmp_path: Path) -> None:
    project = Project(shutil.copytree(plain.root, tmp_path / "p"))
    project.save(files.with_changes(project.config(), ['preview.prompts=["a ball", "a ball"]']))
    control = Control()
    seeds = []
    for event in train(project, control):
        if isinstance(event, PreviewReady):
            seeds.append(event.seed)
            if len(seeds) == 2:
                control.stop.set()
    assert seeds == [1, 2]
    pictures = [project.run("").preview_file(0, index).read_bytes() for index in (0, 1)]
    assert pictures[0] != pictures[1]


def test_two_resolutions_share_one_cache(plain: Project, tmp_path: Path) -> None:
    """A picture's latents at one size are never taken for those at another."""
    project = Project(shutil.copytree(plain.root, tmp_path / "p"))
    sizes = []
    for edge in (64, 128, 64):
        project.save(files.with_changes(project.config(), [f"dataset.resolution_px={edge}"]))
        sizes.append({tuple(item.mean.shape[1:]) for item in prepared_for(project).items})
    assert sizes == [{(8, 8)}, {(16, 16)}, {(8, 8)}]


def small_trainable(base: Path, *changes: str) -> tuple[setup.Prepared, RunConfig]:
    config = files.with_changes(small_config(str(base)), list(changes))
    model = load(open_base(base), choose("float32"))
    return setup.trainable(model, model.nets(model.facts.rates(config)), config), config


def test_options_reach_the_optimizer(tiny_base: Path) -> None:
    """Rates by group at three steps, decay, and the adapter's size and scale."""
    made, config = small_trainable(
        tiny_base,
        "training.steps=11",
        "training.learning_rate=0.5",
        "training.text_encoder_learning_rate=0.125",
        "training.weight_decay=0.25",
        "training.warmup_steps=1",
    )
    groups = made.optimizer.param_groups
    unet, text = (
        {id(p) for n, p in made.parameters.items() if n.startswith(part)}
        for part in ("unet.", "text_encoder.")
    )
    assert [{id(p) for p in group["params"]} for group in groups] == [unet, text]
    assert [group["weight_decay"] for group in groups] == [0.25, 0.25]
    # step 1 is half of the warm-up, step 2 the peak, step 7 the middle of the cosine
    for number, factor in ((1, 0.5), (2, 1.0), (7, 0.5)):
        step.set_rate(made.optimizer, lr.factor(config.training, number), number)
        assert [g["lr"] for g in groups] == pytest.approx([0.5 * factor, 0.125 * factor])
    assert {p.shape[0] for n, p in made.parameters.items() if "lora_A" in n} == {4}


def test_bs_learn_faster_with_lora_plus(tiny_base: Path) -> None:
    """Hayou et al. 2024, arXiv:2402.12354: A at the rate, B at a multiple of it."""
    made, _ = small_trainable(
        tiny_base,
        "training.learning_rate=0.5",
        "training.text_encoder_learning_rate=0.125",
        "training.up_rate_factor=8",
    )
    step.set_rate(made.optimizer, 1.0, 1)
    rates = {id(p): group["lr"] for group in made.optimizer.param_groups for p in group["params"]}
    assert len(rates) == len(made.parameters)
    for name, parameter in made.parameters.items():
        rate = 0.5 if name.startswith("unet.") else 0.125
        assert rates[id(parameter)] == rate * (8 if ".lora_B." in name else 1)


def test_text_encoders_rest_after_their_share(tiny_base: Path) -> None:
    made, _ = small_trainable(
        tiny_base, "training.steps=10", "training.text_encoder_share=0.4",
        "training.learning_rate=0.5", "training.text_encoder_learning_rate=0.25",
    )  # fmt: skip
    told = []
    for number in (1, 4, 5, 10):
        step.set_rate(made.optimizer, 1.0, number)
        told.append([group["lr"] for group in made.optimizer.param_groups])
    assert told == [[0.5, 0.25], [0.5, 0.25], [0.5, 0.0], [0.5, 0.0]]


def test_text_encoders_have_a_rank_of_their_own_at_the_same_strength(tiny_base: Path) -> None:
    made, config = small_trainable(tiny_base, "adapter.text_rank=2", "adapter.conv_rank=3")
    ranks = {
        (n.partition(".")[0], ".conv" in n): p.shape[0]
        for n, p in made.parameters.items()
        if "lora_A" in n
    }
    assert ranks[("text_encoder", False)] == 2
    assert ranks[("unet", False)] == 4
    assert ranks[("unet", True)] == 3
    rooms = setup.rooms(SD1, config, ["unet", "text_encoder"])
    assert {room.alpha / room.rank for room in rooms.values()} == {3 / 4}


def test_a_step_is_adamws_on_the_clipped_gradient(tmp_path: Path, tiny_base: Path) -> None:
    """Against Loshchilov & Hutter's formula (arXiv:1711.05101, algorithm 2), two steps long."""
    config = small_config(str(tiny_base), max_grad_norm=0.01, weight_decay=0.3, precision="float32")
    project = create(tmp_path / "p", config)
    fill(project.images, 3)
    prepared = prepared_for(project)
    made = prepared.trainable
    parameters = list(made.parameters.values())
    expected = [p.detach().clone() for p in parameters]
    first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))

    def losses_of(part):
        return denoising_losses(prepared.model, part, prepared.conditions, TrainingConfig())

    for number in (1, 2):
        rate = [0.02, 0.01][number - 1]
        for group in made.optimizer.param_groups:
            group["lr"] = rate
        draw = draw_of(prepared, number, 3)
        (losses_of(draw).sum() / 3).backward()
        grads = [p.grad.clone() for p in parameters]
        norm = torch.stack([g.norm() for g in grads]).norm()
        assert norm > 0.01
        for p in parameters:
            p.grad = None
        done = step.train_step(losses_of, draw, made, at_once=3, step=number)
        assert done.grad_norm == pytest.approx(norm.item(), rel=1e-4)
        for n, gradient in enumerate(grads):
            g = gradient * 0.01 / norm
            first[n] = 0.9 * first[n] + 0.1 * g
            second[n] = 0.999 * second[n] + 0.001 * g**2
            m, v = first[n] / (1 - 0.9**number), second[n] / (1 - 0.999**number)
            expected[n] -= rate * (m / (v.sqrt() + 1e-8) + 0.3 * expected[n])
    for made_, wanted in zip(parameters, expected, strict=True):
        torch.testing.assert_close(made_.detach(), wanted, rtol=1e-3, atol=2e-6)


def test_a_lone_pictures_gradient_is_its_share(tmp_path: Path, tiny_base: Path) -> None:
    """In a batch that is not full a picture counts as in one that is: a half of two."""
    project = create(tmp_path / "p", small_config(str(tiny_base), precision="float32"))
    fill(project.images, 2)
    fill(project.images / "wide", 1, (128, 64))
    prepared = prepared_for(project)
    lone = next(
        n for n, item in enumerate(prepared.items) if item.bucket.width > item.bucket.height
    )

    def losses_of(part):
        return denoising_losses(prepared.model, part, prepared.conditions, TrainingConfig())

    draw = batches.draw(
        prepared.items,
        [batches.Sample(lone, 1.0)],
        files.with_changes(prepared.config, ["dataset.caption_dropout=0"]),
        step=1,
        batch_size=2,
    )

    def gradient(batch_size: int) -> torch.Tensor:
        made = prepared.trainable
        taken = {}
        step_now = made.optimizer.step
        made.optimizer.step = lambda *_, **__: taken.update(
            {n: p.grad.clone() for n, p in made.parameters.items()}
        )
        step.train_step(
            losses_of,
            replace(draw, batch_size=batch_size),
            replace(made, max_grad_norm=1e9),
            at_once=1,
            step=1,
        )
        made.optimizer.step = step_now
        return torch.cat([g.flatten() for g in taken.values()])

    torch.testing.assert_close(gradient(2), gradient(1) / 2)


def test_the_loss_that_is_told_is_the_pictures_mean(plain: Project, tmp_path: Path) -> None:
    """Also of a batch that is not full: a lone picture's is not told as an eighth of it."""
    project = create(tmp_path / "p", plain.config())
    fill(project.images, 1, (128, 64))
    fill(project.images / "squares", 4)
    project.save(files.with_changes(project.config(), ["training.batch_size=4"]))
    told = [e.loss for e in train(project, Control()) if isinstance(e, StepDone)]
    assert max(told) < 2 * min(told)
