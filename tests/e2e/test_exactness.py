"""A run can be taken again, made longer, told apart by what it was made of, and brought back."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch

from core.adapters import files as adapter_files
from core.config import files
from core.errors import DivergedError, RunError
from core.project import prolonging
from core.project.layout import Project
from core.protocol.events import CheckpointSaved, Finished, StepDone, Verified, Warned
from core.training import loop
from core.training.control import Control
from core.training.train import train
from core.training.verify import verify
from tests.conftest import fill


def change(project: Project, *wanted: str) -> None:
    project.save(files.with_changes(project.config(), list(wanted)))


def verified(project: Project) -> Verified:
    (event,) = [e for e in verify(project, project.run(""), Control()) if isinstance(e, Verified)]
    return event


def everything(project: Project) -> dict[str, bytes]:
    root = project.run("").root
    return {str(p): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("average", ["0", "0.9"])
def test_the_last_steps_come_out_the_same(project: Project, average: str) -> None:
    change(project, "training.steps=6", "training.checkpoint_every=4", "adapter.dropout=0.2")
    change(project, f"training.average={average}")
    list(train(project, Control()))
    before = everything(project)
    event = verified(project)
    assert (event.first_step, event.last_step, event.different) == (5, 6, [])
    assert everything(project) == before


def test_a_lone_checkpoint_is_replayed_from_the_beginning(project: Project) -> None:
    change(project, "training.steps=3")
    list(train(project, Control()))
    event = verified(project)
    assert (event.first_step, event.last_step, event.different) == (1, 3, [])


def test_what_is_not_the_same_is_named(project: Project) -> None:
    change(project, "training.steps=4", "training.checkpoint_every=2")
    list(train(project, Control()))
    path = project.run("").newest_checkpoint() / "adapter.safetensors"
    tensors, _ = adapter_files.read(path)
    name = sorted(tensors)[0]
    tensors[name].view(-1)[0] = tensors[name].view(-1)[0].nextafter(torch.tensor(9.0))
    adapter_files.write(path, tensors, {})
    assert verified(project).different == [name]


def test_a_run_without_checkpoints_cannot_be_compared(project: Project) -> None:
    list(train(project, Control()))
    shutil.rmtree(project.run("").checkpoints)
    with pytest.raises(RunError, match="no checkpoint to compare with") as caught:
        list(verify(project, project.run(""), Control()))
    assert caught.value.hint


def test_a_run_made_longer_is_the_long_one(project: Project, tmp_path: Path) -> None:
    """With a constant rate, to the bit; a finished run, too."""
    change(project, "training.schedule=constant", "training.steps=3")
    long = Project(shutil.copytree(project.root, tmp_path / "long" / project.root.name))
    change(long, "training.steps=6")
    list(train(long, Control()))
    list(train(project, Control()))
    said = prolonging.prolong(project.run(""), 6)
    assert said.endswith("it goes on from step 3.")
    events = list(train(project, Control(), ""))
    assert [e.step for e in events if isinstance(e, StepDone)] == [4, 5, 6]
    assert events[-1] == Finished()
    ours, theirs = (p.run("").newest_adapter() for p in (project, long))
    assert ours.read_bytes() == theirs.read_bytes()


def test_a_run_is_only_made_longer(project: Project) -> None:
    list(train(project, Control()))
    with pytest.raises(RunError, match="is at step 4 already"):
        prolonging.prolong(project.run(""), 4)
    assert "cosine schedule of the new length" in prolonging.prolong(project.run(""), 9)
    assert files.load(project.run("").config_file).training.steps == 9


def failing(monkeypatch, at: dict[int, int]) -> list[float]:
    """Steps that diverge so many times; returns the rates that were tried."""
    real, rates = loop.train_step, []

    def train_step(losses_of, draw, trainable, *, at_once: int, step: int, accumulate):
        rates.append((step, trainable.optimizer.param_groups[0]["lr"]))
        if at.get(step, 0) > 0:
            at[step] -= 1
            with torch.no_grad():  # as bad as it can be: the weights are gone, too
                for parameter in trainable.parameters.values():
                    parameter.fill_(float("nan"))
            raise DivergedError(f"Step {step}, on {draw.files[0]}: the loss is nan.", hint="Lower.")
        where = {"at_once": at_once, "step": step, "accumulate": accumulate}
        return real(losses_of, draw, trainable, **where)

    monkeypatch.setattr(loop, "train_step", train_step)
    return rates


def test_a_run_that_diverges_goes_back_at_half_the_rate(
    project: Project, tmp_path: Path, monkeypatch
) -> None:
    change(project, "training.steps=6", "training.checkpoint_every=2", "training.schedule=constant")
    change(project, "training.on_divergence=go_back", "training.learning_rate=0.001")
    rates = failing(monkeypatch, {4: 2})
    control = Control()
    events = []
    for event in train(project, control):
        events.append(event)
        if isinstance(event, CheckpointSaved) and event.step == 4:
            control.stop.set()
    told = [e.message for e in events if isinstance(e, Warned)]
    assert [m for m in told if "the loss is nan" in m and "back to step 2" in m and " 0.5 " in m]
    assert [m for m in told if "back to step 2" in m and " 0.25 " in m]
    assert [(s, round(r / 1e-3, 6)) for s, r in rates] == [
        (1, 1), (2, 1), (3, 1), (4, 1), (3, 0.5), (4, 0.5), (3, 0.25), (4, 0.25),
    ]  # fmt: skip
    list(train(project, Control(), ""))  # what it was slowed to outlasts a stop
    assert [(s, round(r / 1e-3, 6)) for s, r in rates[8:]] == [(5, 0.25), (6, 0.25)]
    values, _ = adapter_files.read(project.run("").newest_adapter())
    assert all(value.isfinite().all() for value in values.values())
    assert project.run("").complete(project.config())


@pytest.mark.parametrize(("setting", "times"), [("stop", 1), ("go_back", 99)])
def test_a_run_that_goes_on_diverging_stops(
    project: Project, monkeypatch, setting: str, times: int
) -> None:
    change(project, "training.steps=6", "training.checkpoint_every=2")
    change(project, f"training.on_divergence={setting}")
    rates = failing(monkeypatch, {3: times})
    with pytest.raises(DivergedError, match="Step 3"):
        list(train(project, Control()))
    assert [s for s, _ in rates].count(3) == (1 if setting == "stop" else 6)
    assert project.run("").newest_checkpoint().name == "step000002"


def test_a_run_says_what_it_was_made_of(project: Project) -> None:
    change(project, "training.steps=1", "dataset.held_out=0.2", "training.seed=7")
    list(train(project, Control()))
    told = json.loads(project.run("").manifest_file.read_text(encoding="utf-8"))
    files_there = sorted(project.images.glob("*.png"))
    assert sorted(p["file"] for p in told["pictures"]) == [p.name for p in files_there]
    for one in told["pictures"]:
        content = (project.images / one["file"]).read_bytes()
        assert one["blake2"] == hashlib.blake2b(content, digest_size=16).hexdigest()
        assert one["caption"].startswith("ballstyle, a ball number")
    assert sorted(p["learnt"] for p in told["pictures"]) == [False, *[True] * 5]
    assert told["seed"] == 7
    assert told["versions"]["torch"] == torch.__version__
    assert set(told["base"]) >= {"unet", "vae", "text_encoder"}
    first = adapter_files.read(project.run("").newest_adapter())[1]
    fill(project.images, 7)
    list(train(project, Control()))
    second = adapter_files.read(project.run("").newest_adapter())[1]
    assert first["stylewright_base"] == second["stylewright_base"]
    assert first["stylewright_dataset"] != second["stylewright_dataset"]
