"""What a run is said to need, against what it really takes on this machine."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace

from core.base.opening import open_base
from core.cli import main
from core.config import files, presets
from core.config.facts import SD1
from core.config.optimizers import OPTIMIZERS
from core.config.options import RunConfig
from core.data import batches
from core.families import registry
from core.families.device import Device, whole_cpu
from core.project.demo import create_demo, demo_config
from core.project.layout import Project
from core.training import foresight, loop, memory, setup
from core.training.control import Control
from tests.conftest import small_config


def prepared_of(project: Project, config: RunConfig) -> setup.Prepared:
    preparing = setup.prepare(project, config, Control())
    while True:
        try:
            next(preparing)
        except StopIteration as done:
            return done.value


def most_of(work: Any) -> int:
    """Bytes that torch's allocator held at the most."""
    gc.collect()
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as told:
        work()
    books: Any = told.profiler
    events = [e for e in books.kineto_results.events() if e.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def taken_by(prepared: setup.Prepared, step: int) -> int:
    """What torch's allocator gave at the most in a step, over what was there before it.

    By its own books, which the profiler reads: they leave out what oneDNN takes inside a
    convolution.
    """
    count = prepared.batch_size
    samples = [batches.Sample(number, 1.0) for number in range(count)]
    return most_of(lambda: list(loop.taken(prepared, samples, step)))


@pytest.mark.parametrize(
    "changes",
    [
        ["training.precision=float32"],
        ["training.precision=bfloat16", "training.recompute=true"],
    ],
)
def test_a_step_takes_what_was_said(tmp_path: Path, changes: list[str]) -> None:
    plain = ["training.batch_size=4", "training.prior_share=0", "adapter.text_encoder=true"]
    config = files.with_changes(demo_config(steps=2), [*changes, *plain])
    project = create_demo(tmp_path / "demo", config)
    prepared = prepared_of(project, config)
    taken_by(prepared, 1)  # which makes what the optimizer keeps
    measured = taken_by(prepared, 2)
    need = memory.need(project.base(config), config, prepared.model.place)
    held = sum(p.nbytes for net in prepared.nets.values() for p in net.parameters())
    held += sum(p.nbytes for p in prepared.model.parts["vae"].parameters())
    said = need.training - need.optimizer - held
    assert said == pytest.approx(measured, rel=0.15)
    assert need.adapter == sum(p.nbytes for p in prepared.trainable.parameters.values())
    state = prepared.trainable.optimizer.state.values()
    kept = sum(t.nbytes for of_one in state for t in of_one.values() if torch.is_tensor(t))
    assert need.optimizer == pytest.approx(kept, rel=0.01)


def test_settings_on_a_gpu(tiny_base: Path) -> None:
    plain = need_of(tiny_base, like="cuda")
    anew = need_of(tiny_base, "training.recompute=true", like="cuda")
    assert anew.activations < plain.activations
    assert plain.nets["unet"] < need_of(tiny_base).nets["unet"]  # halves


def without_previews(config: RunConfig) -> RunConfig:
    return replace(config, preview=replace(config.preview, prompts=()))


def need_of(base: Path, *changes: str, like: str = "") -> memory.Need:
    """Without previews, which take a while to count."""
    config = without_previews(files.with_changes(small_config(str(base)), list(changes)))
    held = config.training.base_precision
    place = Device(torch.device("cpu"), torch.bfloat16, held, like)
    return memory.need(open_base(base), config, place)


def test_every_family_can_be_foreseen(any_base: Path) -> None:
    place = Device(torch.device("cpu"), torch.bfloat16, like="cuda")
    base = open_base(any_base)
    need = memory.need(base, small_config(str(any_base)), place)
    really = registry.load(base, place)
    denoiser = base.facts.denoiser
    net = really.parts[denoiser]
    held = sum(tensor.nbytes for tensor in (*net.parameters(), *net.buffers()))
    assert need.nets[denoiser] == pytest.approx(held, rel=0.02)
    assert all(need.phases.values())
    assert need.activations > 0
    assert need.gradients == need.adapter


def test_a_base_in_fewer_bits_takes_less(sdxl_base: Path) -> None:
    sizes = []
    for held in ("whole", "fp8", "nf4"):
        need = need_of(sdxl_base, f"training.base_precision={held}", like="cuda")
        really = registry.load(
            open_base(sdxl_base), Device(torch.device("cpu"), torch.bfloat16, held, like="cuda")
        )
        packed = sum(p.nbytes for p in really.parts["unet"].parameters())
        assert packed <= need.nets["unet"] < 1.2 * packed  # scales besides
        sizes.append(need.nets["unet"])
    assert sizes == sorted(sizes, reverse=True)


def test_settings_change_what_is_needed(tiny_base: Path) -> None:
    plain = need_of(tiny_base)
    assert need_of(tiny_base, "training.recompute=true").activations < plain.activations
    assert need_of(tiny_base, "dataset.resolution_px=128").activations > 2 * plain.activations
    assert need_of(tiny_base, "adapter.rank=8", "adapter.alpha=8").adapter == 2 * plain.adapter
    averaged = need_of(tiny_base, "training.average=0.9")
    assert averaged.average == plain.adapter
    assert averaged.training == pytest.approx(plain.training + plain.adapter, rel=0.01)
    assert need_of(tiny_base, "adapter.text_encoder=false").adapter < plain.adapter


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_can_be_foreseen(tiny_base: Path, name: Any) -> None:
    config = presets.on_optimizer(small_config(str(tiny_base)), name, SD1)
    need = memory.need(open_base(tiny_base), without_previews(config), whole_cpu())
    assert need.optimizer > 0


def test_nothing_is_read_of_the_weights(tiny_base: Path, tmp_path: Path) -> None:
    import shutil

    hollow = Path(shutil.copytree(tiny_base, tmp_path / "hollow"))
    for weights in hollow.rglob("*.safetensors"):
        weights.write_bytes(b"")
    assert need_of(hollow) == need_of(tiny_base)


def test_the_command_tells_and_proposes(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = files.with_changes(project.config(), ["training.batch_size=8"])
    project.save(config)
    assert main(["memory", str(project.root), "--device-memory", "8"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "activations" in said
    assert "It fits." in said
    anew = files.with_changes(config, ["training.recompute=true"])
    place, dataset = memory.a_gpu(config), foresight.dataset_of(project, config)
    assert dataset == foresight.Dataset(6, "ballstyle, a ball number 0")
    enough = foresight.whole(foresight.needed(project.base(anew), anew, place, dataset), "cuda")
    monkeypatch.setattr(
        foresight, "a_gpu", lambda _, gb: (place, foresight.Room(f"{gb}", enough, enough))
    )
    before = project.config_file.read_bytes()
    assert main(["memory", str(project.root), "--device-memory", "1"]) == 0
    assert "training.recompute = true" in " ".join(capsys.readouterr().out.split())
    assert project.config_file.read_bytes() == before  # nothing is saved unasked
    assert main(["memory", str(project.root), "--device-memory", "1", "--write"]) == 0
    assert project.config() == anew
    monkeypatch.setattr(foresight, "a_gpu", lambda _, gb: (place, foresight.Room("It", 1, 1)))
    assert main(["memory", str(project.root), "--device-memory", "1"]) == 2
    assert "too small" in capsys.readouterr().err


def test_a_large_encoder_and_the_denoiser_are_not_in_the_memory_together(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    from core.data.cache import Cache
    from core.training.conditions import Conditions
    from tests.conftest import made

    base = open_base(made("flux", tmp_path_factory))
    model = registry.load(base, whole_cpu(), dict.fromkeys(base.facts.parts, "k"))
    told = Conditions(model, {"transformer"}, Cache(tmp_path))
    first = model.parts["transformer"]
    told.make_room(["a"])
    assert "transformer" not in model.parts._loaded
    told.look_up("a")
    told.give_back()
    again = model.parts["transformer"]
    assert again is not first
    told.make_room(["a"])  # it is known: nothing is to be read, nothing leaves
    assert model.parts["transformer"] is again
