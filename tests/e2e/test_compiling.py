"""Blocks that are compiled: what is, that it is told whether it pays, and what where it cannot."""

import shutil
from pathlib import Path

import pytest
import torch
import torch._dynamo
import torch._inductor.config

from core.config import files
from core.config.options import TrainingConfig
from core.project.layout import Project
from core.protocol.events import (
    CheckpointSaved,
    HeldOutMeasured,
    PreviewReady,
    StepDone,
    Verified,
    Warned,
)
from core.training import compiling, offload, setup
from core.training.control import Control
from core.training.log import event_of, read_log_lines
from core.training.train import train
from core.training.verify import verify
from tests.conftest import fill
from tests.e2e.test_streaming import held_as_a_gpu


def change(project: Project, *wanted: str) -> None:
    project.save(files.with_changes(project.config(), list(wanted)))


def of(kind, events) -> list:
    return [e for e in events if isinstance(e, kind)]


def notes(events) -> str:
    return "\n".join(e.message for e in of(Warned, events))


@pytest.fixture(autouse=True)
def forgotten():
    """Nothing that another test compiled."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture
def exact(project: Project) -> Project:
    change(project, "training.precision=float32", "training.steps=5", "training.compile=true")
    change(project, "adapter.text_encoder=false", "training.checkpoint_minutes=0")
    return project


@pytest.fixture
def graphs(monkeypatch) -> list[torch.fx.GraphModule]:
    """What was compiled, by a backend that lets it be as it is."""
    made: list[torch.fx.GraphModule] = []

    def counted(graph: torch.fx.GraphModule, _inputs: list[torch.Tensor]):
        made.append(graph)
        return graph.forward

    monkeypatch.setattr(compiling, "BACKEND", counted)
    return made


def test_steps_are_compiled_and_nothing_else(exact: Project, graphs: list, tmp_path: Path) -> None:
    change(exact, "dataset.held_out=0.2", "training.measure_every=2", "preview.every=2")
    change(exact, "training.checkpoint_every=4")
    alone = Project(shutil.copytree(exact.root, tmp_path / "alone"))
    change(alone, "training.compile=false")
    plain = list(train(alone, Control()))
    assert not graphs
    at_step: list[int] = []
    ours = []
    for event in train(exact, Control()):
        ours.append(event)
        if isinstance(event, StepDone | PreviewReady | HeldOutMeasured):
            at_step.append(len(graphs))
    assert "a step then computes for" in notes(ours)
    assert at_step[0] > 0
    assert set(at_step) == {at_step[0]}  # all steps are of one shape
    assert len(of(PreviewReady, ours)) == len(of(PreviewReady, plain))
    mine, theirs = ([e.loss for e in of(StepDone, events)] for events in (ours, plain))
    assert mine == pytest.approx(theirs, rel=1e-4)
    torch._dynamo.reset()
    before = len(graphs)
    (found,) = of(Verified, verify(exact, exact.run(""), Control()))
    assert (found.first_step, found.different) == (5, [])
    assert len(graphs) > before  # its steps, too


def test_a_compiled_run_that_is_resumed_is_the_whole_one(
    exact: Project, tmp_path: Path, monkeypatch
) -> None:
    """Also where shapes come in another order after it was killed, and activations leave a GPU."""
    monkeypatch.setattr(compiling, "BACKEND", "aot_eager")
    monkeypatch.setattr(setup, "choose", held_as_a_gpu)
    monkeypatch.setattr(offload, "LEAST_BYTES", 1)
    fill(exact.images / "wide", 3, (128, 64))
    change(exact, "training.checkpoint_every=2", "training.offload_activations=true")
    change(exact, "preview.prompts=[]")
    kept = moved(monkeypatch)
    for event in train(exact, Control()):
        if isinstance(event, CheckpointSaved) and event.step == 2:
            killed = Project(shutil.copytree(exact.root, tmp_path / "killed"))
    assert "a step then computes for" in notes(event_of(x) for x in read_log_lines(exact.run("")))
    assert len(kept) > 50
    torch._dynamo.reset()
    events = list(train(killed, Control(), ""))
    assert [e.step for e in of(StepDone, events)] == [3, 4, 5]
    ours, theirs = (p.run("").newest_adapter().read_bytes() for p in (killed, exact))
    assert ours == theirs


def moved(monkeypatch) -> list[int]:
    """The sizes of what goes into the main memory."""
    kept, real = [], torch.empty_like

    def empty_like(tensor: torch.Tensor, **options):
        if "pin_memory" in options:
            kept.append(tensor.nbytes)
        return real(tensor, **options)

    monkeypatch.setattr(torch, "empty_like", empty_like)
    return kept


def test_blocks_that_come_and_go_are_not_compiled() -> None:
    with pytest.raises(ValueError, match="set one of the two to false"):
        TrainingConfig(compile=True, stream_base=True)


def test_without_a_compiler_the_run_is_as_if_none_was_asked_for(
    exact: Project, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("no-such-compiler",))
    change(exact, "preview.prompts=[]", "training.steps=2")
    alone = Project(shutil.copytree(exact.root, tmp_path / "alone"))
    change(alone, "training.compile=false")
    events = list(train(exact, Control()))
    assert "cannot be compiled here, and is trained as it is" in notes(events)
    assert "C++ compiler" in notes(events)
    plain = list(train(alone, Control()))
    assert [e.loss for e in of(StepDone, events)] == [e.loss for e in of(StepDone, plain)]


def test_a_memory_too_small_to_find_out_is_no_reason_to_end(
    exact: Project, graphs: list, monkeypatch
) -> None:
    def full(*_: object, **__: object) -> float:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(compiling, "accumulated", full)
    change(exact, "preview.prompts=[]", "training.steps=2")
    events = list(train(exact, Control()))
    assert "pays is not known: the memory is too small" in notes(events)
    assert len(of(StepDone, events)) == 2
    assert graphs


@pytest.mark.parametrize(
    ("plain", "then", "took", "left", "words"),
    [
        (0.8, 0.6, 30.0, 1500, "It pays after 150 steps."),
        (0.8, 0.6, 30.0, 100, "It would pay after 150 steps, and this run has 100."),
        (0.8, 0.8, 30.0, 1500, "It does not pay here: set training.compile to false."),
    ],
)
def test_whether_it_pays_is_said(plain, then, took, left, words) -> None:
    said = compiling.verdict(plain, then, took, left)
    assert said.startswith(f"Compiling took 30 s; a step then computes for {then} s, and for 0.8 s")
    assert said.endswith(words)
