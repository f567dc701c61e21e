"""Every optimizer learns, is resumed to the bit, and exports what it is meant to."""

import shutil
from pathlib import Path

import msgspec
import pytest
import torch

from core.adapters import files as adapter_files
from core.config import files, presets
from core.config.facts import DEMO, SD1
from core.config.optimizers import OPTIMIZERS
from core.config.options import Optimizer, TrainingConfig
from core.errors import ConfigError, RunError
from core.project.layout import Project
from core.protocol.events import CheckpointSaved, StepDone
from core.training import optimizers
from core.training.control import Control
from core.training.step import set_rate
from core.training.train import train
from tests.e2e.test_loss import prepared_for
from tests.e2e.test_options import small_trainable
from tests.e2e.test_resume import half_done

NAMES = list(OPTIMIZERS)
BIG = ["adapter.rank=64", "adapter.alpha=64"]  # 8 bits need tensors of 4,096 numbers and more


def wishes(name: str) -> list[str]:
    """What sets an optimizer and what goes with it."""
    config = TrainingConfig(learning_rate=1e-3, text_encoder_learning_rate=5e-4)
    row = OPTIMIZERS[name]
    rate = row.usual_rate(config.learning_rate)
    return [
        f"training.learning_rate={rate}",
        f"training.text_encoder_learning_rate={rate if row.finds_rate else rate / 2}",
        f"training.schedule={'constant' if row.averages else 'cosine'}",
        f"training.optimizer={name}",
    ]


def change(project: Project, *wanted: str) -> None:
    project.save(files.with_changes(project.config(), list(wanted)))


def finished(project: Project, *, stop_after: int = 0) -> bytes:
    """The adapter of a run, which may be stopped once and resumed."""
    control = Control()
    for event in train(project, control):
        if isinstance(event, CheckpointSaved) and event.step == stop_after:
            control.stop.set()
    if stop_after:
        assert project.run("").newest_checkpoint().name.endswith(str(stop_after))
        list(train(project, Control(), ""))
    path = project.run("").newest_adapter()
    assert path is not None
    return path.read_bytes()


def test_every_one_has_a_row_and_a_maker() -> None:
    assert list(Optimizer.__args__) == NAMES == list(optimizers.KINDS)


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_run_is_the_whole_one(project: Project, tmp_path: Path, name: str) -> None:
    wanted = ["training.steps=6", "training.checkpoint_every=3", "preview.every=2", *BIG]
    change(project, *wanted, *wishes(name))
    again = Project(shutil.copytree(project.root, tmp_path / "again" / project.root.name))
    assert finished(project) == finished(again, stop_after=3)


def test_a_resumed_average_is_the_whole_one(project: Project, tmp_path: Path) -> None:
    change(project, "training.steps=6", "training.checkpoint_every=3", "training.average=0.9")
    again = Project(shutil.copytree(project.root, tmp_path / "again" / project.root.name))
    assert finished(project) == finished(again, stop_after=3)


@pytest.mark.parametrize("name", NAMES)
def test_it_learns(name: str) -> None:
    """A product of two matrices, as a LoRA is one, comes near a third that such a one can be."""
    torch.manual_seed(0)
    down, up = (torch.nn.Parameter(torch.randn(4, 64) / 8), torch.nn.Parameter(torch.zeros(64, 4)))
    target = torch.randn(64, 4) @ torch.randn(4, 64) / 8
    kind = optimizers.KINDS[name]
    rate = OPTIMIZERS[name].usual_rate(1e-2)
    optimizer = kind.make([{"params": [down, up], "peak": rate, "last": 999}], TrainingConfig())
    parameters = {"down": down, "up": up}

    def loss() -> torch.Tensor:
        return (up @ down - target).square().mean()

    before = loss().item()
    for step in range(400):
        set_rate(optimizer, 1.0 if OPTIMIZERS[name].averages else 1 - step / 400, 1)
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    with optimizers.learnt(kind, optimizer, parameters, None):
        assert loss().item() < 0.5 * before


def test_eight_bits_are_eight_bits(tiny_base: Path) -> None:
    """Two bytes of state a number instead of eight."""

    def state_bytes(name: str) -> int:
        made, _ = small_trainable(tiny_base, f"training.optimizer={name}", *BIG)
        for parameter in made.parameters.values():
            parameter.grad = torch.ones_like(parameter)
        made.optimizer.step()
        large = {n: p for n, p in made.parameters.items() if p.numel() >= 4096}
        tensors, _ = optimizers.state_of(made.kind, made.optimizer, large)
        return sum(t.nbytes for n, t in tensors.items() if "qmap" not in n)

    assert state_bytes("adamw8") < 0.27 * state_bytes("adamw")


def test_the_average_is_what_is_drawn_and_exported(tiny_base: Path) -> None:
    """Against its formula: of each step a share, of the first ones that of a mean."""
    made, _ = small_trainable(tiny_base, "training.average=0.75")
    name, parameter = next(iter(made.parameters.items()))
    wanted = parameter.detach().clone()
    for step in range(1, 40):
        with torch.no_grad():
            parameter.add_(0.5 * step)
        kept = min(0.75, step / (step + 9))
        wanted = kept * wanted + (1 - kept) * parameter.detach()
        made.average.add(made.parameters, step)
    last = parameter.detach().clone()
    with made.learnt():
        torch.testing.assert_close(parameter.detach(), wanted, rtol=1e-5, atol=1e-6)
        assert not torch.allclose(parameter, last)
    assert torch.equal(parameter, last)


def test_schedule_free_gives_the_mean_of_its_steps(project: Project) -> None:
    """Defazio et al. 2024, arXiv:2405.15682, eq. 5 with a constant rate: x is the z's mean."""
    change(project, *wishes("schedule_free"))
    prepared = prepared_for(project)
    made = prepared.trainable
    parameters = list(made.parameters.values())
    sums = [torch.zeros_like(p) for p in parameters]
    for group in made.optimizer.param_groups:
        group["lr"] = 1e-2
    torch.manual_seed(0)
    for _ in range(5):
        for p in parameters:
            p.grad = torch.randn_like(p)
        made.optimizer.step()
        for total, p in zip(sums, parameters, strict=True):
            total.add_(made.optimizer.state[p]["z"])
    before = [p.detach().clone() for p in parameters]
    with made.learnt():
        for total, p in zip(sums, parameters, strict=True):
            torch.testing.assert_close(p.detach(), total / 5, rtol=1e-4, atol=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(before, parameters, strict=True))


def test_prodigy_keeps_what_it_found(project: Project, tmp_path: Path) -> None:
    """Whatever it begins from, the rate that it has come to is in the checkpoint."""
    change(project, "training.steps=3", "preview.every=0", *wishes("prodigy"))
    list(train(project, Control()))
    folder = project.run("").newest_checkpoint()
    state = msgspec.json.decode((folder / "state.json").read_bytes())
    made = prepared_for(project).trainable
    tensors, _ = adapter_files.read(folder / "optimizer.safetensors")
    told = [{**group, "d": 0.125, "d_max": 0.25} for group in state["groups"]]
    optimizers.restore(made.kind, made.optimizer, made.parameters, tensors, told)
    assert [g["d"] for g in made.optimizer.param_groups] == [0.125] * len(told)
    _, again = optimizers.state_of(made.kind, made.optimizer, made.parameters)
    assert again == told


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (["training.optimizer=schedule_free"], "set schedule to constant"),
        (["training.optimizer=prodigy"], "one rate for all that learns"),
        ([*wishes("prodigy"), "training.up_rate_factor=4"], "up_rate_factor"),
        ([*wishes("schedule_free"), "training.average=0.9"], "average to 0"),
    ],
)
def test_what_does_not_go_together_is_refused(project: Project, wanted, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        change(project, "training.text_encoder_learning_rate=5e-4", *wanted)


@pytest.mark.parametrize("facts", [SD1, DEMO])
@pytest.mark.parametrize("preset", presets.PRESETS, ids=lambda p: p.id)
def test_a_preset_goes_with_any_optimizer_and_back(project: Project, facts, preset) -> None:
    plain = presets.apply(preset, project.config(), facts)
    for name in NAMES:
        there = presets.on_optimizer(plain, name, facts)
        assert msgspec.convert(msgspec.to_builtins(there), type(there)) == there  # within bounds
        follows = presets.apply(preset, there, facts)
        if OPTIMIZERS[name].finds_rate:
            assert follows.training.learning_rate == 1
        else:
            assert follows == there
        rates = presets.on_optimizer(there, "adamw", facts).training
        assert rates.learning_rate == pytest.approx(
            facts.learning_rate if OPTIMIZERS[name].finds_rate else plain.training.learning_rate
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_checkpoint_is_told(project: Project, name: str) -> None:
    folder = half_done(project, *BIG, *wishes(name)).newest_checkpoint()
    path = folder / "optimizer.safetensors"
    tensors, _ = adapter_files.read(path)
    key = next(k for k in tensors if tensors[k].numel() > 1)
    for wrong in ({key: tensors[key][:-1]}, {}, {"x/y": tensors[key] + 1, key: tensors[key]}):
        kept = {k: t for k, t in tensors.items() if k != key}
        adapter_files.write(path, {**kept, **wrong}, {})
        with pytest.raises(RunError, match="cannot be used: its optimizer's"):
            list(train(project, Control(), ""))


def test_another_optimizer_is_no_way_to_go_on(project: Project) -> None:
    run = half_done(project)
    files.save(files.with_changes(files.load(run.config_file), wishes("lion")), run.config_file)
    with pytest.raises(RunError, match=r"optimizer = lion.*begun with adamw") as caught:
        list(train(project, Control(), ""))
    assert "Put training.optimizer = adamw back" in caught.value.hint


def test_an_average_may_begin_in_the_middle(project: Project) -> None:
    run = half_done(project)
    files.save(
        files.with_changes(files.load(run.config_file), ["training.average=0.9"]), run.config_file
    )
    assert [e for e in train(project, Control(), "") if isinstance(e, StepDone)]
