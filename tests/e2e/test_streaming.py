"""A base whose blocks come and go, and activations that wait elsewhere: the same step in less memory.

On this CPU, taken for a GPU: what is copied is copied, and what is let go of is gone.
"""

from __future__ import annotations

import weakref
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from core.adapters import injection
from core.base.opening import open_base
from core.config import files
from core.config.options import TrainingConfig
from core.families import registry, streaming
from core.families.device import Device
from core.project.layout import Project, create
from core.protocol.events import StepDone
from core.training import loop, memory, offload, setup, train
from core.training.control import Control
from tests.conftest import fill, small_config
from tests.e2e.test_full_memory import FULL
from tests.e2e.test_loss import prepared_for
from tests.e2e.test_tiles import tensors_of
from tests.e2e.test_training import change, copy_of

CPU = torch.device("cpu")


def held_as_a_gpu(_: object, held: Any = "whole", *, streamed: bool = False) -> Device:
    return Device(CPU, torch.float32, held, like="cuda", streamed=streamed)


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "choose", held_as_a_gpu)
    monkeypatch.setattr(offload, "LEAST_BYTES", 1)


def a_step(project: Project, *changes: str) -> tuple[setup.Prepared, float, dict[str, Any]]:
    """A run's first step: what is ready, its loss, and what it learnt."""
    change(project, "training.batch_size=2", "training.optimizer=adamw", *changes)
    prepared = prepared_for(project)
    with torch.no_grad():
        for n, parameter in enumerate(prepared.trainable.parameters.values()):
            rng = torch.Generator().manual_seed(n)
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=rng))
    samples = [loop.batches.Sample(n, 1.0) for n in range(2)]
    draw = loop.batches.draw(prepared.items, samples, prepared.config, step=1, batch_size=2)
    for group in prepared.trainable.optimizer.param_groups:
        group["lr"] = 1e-3
    done = loop.one_step(prepared, draw, 1, 2)
    learnt = {n: p.detach().clone() for n, p in prepared.trainable.parameters.items()}
    return prepared, done.loss, learnt


def same(
    ours: tuple[Any, float, dict[str, Any]], theirs: tuple[Any, float, dict[str, Any]]
) -> bool:
    return ours[1] == theirs[1] and all(torch.equal(t, theirs[2][n]) for n, t in ours[2].items())


def watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes of the blocks' weights are there at a time; grows with each that comes."""
    alive: dict[int, int] = {}
    seen = [0]
    real = streaming._come

    def come(held: Any, device: torch.device, *given: object) -> None:
        real(held, device, *given)
        for tensor, numbers in held:
            storage = tensor.data.untyped_storage()
            assert storage.data_ptr() != numbers.untyped_storage().data_ptr()
            key = storage._cdata
            alive[key] = storage.nbytes()
            weakref.finalize(storage, alive.pop, key, None)
        seen.append(sum(alive.values()))

    monkeypatch.setattr(streaming, "_come", come)
    return seen


@pytest.fixture
def any_project(tmp_path: Path, any_base: Path) -> Project:
    project = create(tmp_path / "project", small_config(str(any_base)))
    fill(project.images, 3)
    change(project, "adapter.text_encoder=false", "preview.prompts=[]")
    return project


def test_a_step_of_every_family_is_the_same_with_one_block_at_a_time(
    any_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = a_step(any_project, "training.recompute=true")
    seen = watched(monkeypatch)
    ours = a_step(any_project, "training.stream_base=true", "training.recompute=false")
    assert same(ours, plain)
    net = ours[0].model.parts[ours[0].model.facts.denoiser]
    found = streaming.blocks(net)
    assert len(seen) >= 2 * len(found)  # forward, and anew on the way back
    sizes = [sum(t.nbytes for t, _ in _held(block)) for block in found]
    assert max(seen) <= max(sizes)
    assert next(net.parameters()).device == CPU
    outside = set(net.parameters()) - {t for block in found for t, _ in _held(block)}
    assert next(net.parameters()) in outside  # by which pipelines know where it computes
    for block in found:
        assert all(t.data.data_ptr() == numbers.data_ptr() for t, numbers in _held(block))
    assert not {id(p) for p in ours[0].trainable.parameters.values()} & {
        id(t) for block in found for t, _ in _held(block)
    }


def _held(block: Any) -> Any:
    (hook,) = (h for h in block._forward_hooks.values() if isinstance(h, partial))
    return hook.args[0]


@pytest.mark.parametrize(
    "changes",
    [
        ("adapter.kind=dora",),
        ("adapter.kind=dora", "adapter.dora_norm=output"),
        ("adapter.kind=lokr",),
        ("adapter.kind=oft", "adapter.rank=8"),
        ("adapter.init=pissa",),
        ("adapter.conv_rank=2",),
        ("training.base_precision=nf4",),
        ("training.base_precision=nf4", "adapter.kind=dora"),
        ("training.base_precision=int8_weights",),
        ("training.base_precision=fp8", "adapter.kind=dora"),
        ("training.offload_activations=true",),
        ("dataset.trigger=ballstyle", "training.prior_share=0.5"),
    ],
)
def test_kinds_of_adapters_and_bases_are_streamed(
    project: Project, monkeypatch: pytest.MonkeyPatch, changes: tuple[str, ...]
) -> None:
    plain = a_step(project, "training.recompute=true", *changes)
    seen = watched(monkeypatch)
    assert same(a_step(project, "training.stream_base=true", *changes), plain)
    assert max(seen) > 0


def test_what_learns_never_leaves_the_device(project: Project) -> None:
    """peft puts an adapter where the base's weights lie: that is not where it is to learn."""
    prepared, _, _ = a_step(project, "training.stream_base=true")
    nets = prepared.nets
    moved = injection.brought(nets, torch.device("meta"))
    assert moved.keys() == prepared.trainable.parameters.keys()
    assert all(p.is_meta for p in moved.values())
    frozen = [p for net in nets.values() for p in net.parameters() if not p.requires_grad]
    assert frozen
    assert not any(p.is_meta for p in frozen)


def test_a_pass_that_fails_leaves_the_blocks_where_they_were(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, _, _ = a_step(project, "training.stream_base=true")
    unet = prepared.model.parts["unet"]
    block = streaming.blocks(unet)[0]

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError(FULL)

    monkeypatch.setattr(block.attn1, "forward", full)
    samples = [loop.batches.Sample(n, 1.0) for n in range(2)]
    draw = loop.batches.draw(prepared.items, samples, prepared.config, step=1, batch_size=2)
    with pytest.raises(torch.OutOfMemoryError):
        loop.one_step(prepared, draw, 1, 2)
    assert all(t.data.data_ptr() == numbers.data_ptr() for t, numbers in _held(block))


def test_a_whole_run_is_the_same_and_resumes(project: Project, tmp_path: Path) -> None:
    options = ("training.stream_base=true", "training.offload_activations=true")
    ours = copy_of(project, tmp_path / "ours")
    change(project, "training.recompute=true")
    change(ours, "training.recompute=true", *options)
    list(train.train(project, Control()))
    control = Control()
    for event in train.train(ours, control):
        if isinstance(event, StepDone) and event.step == 2:
            control.stop.set()
    list(train.train(ours, Control(), ""))
    assert tensors_of(ours) == tensors_of(project)
    pictures = [sorted(p.run("").previews.iterdir()) for p in (project, ours)]
    assert [p.read_bytes() for p in pictures[0]] == [p.read_bytes() for p in pictures[1]]


def test_int8_cannot_be_streamed() -> None:
    with pytest.raises(ValueError, match="int8"):
        TrainingConfig(stream_base=True, base_precision="int8")


def test_on_a_cpu_there_is_but_one_memory(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    seen = watched(monkeypatch)
    change(project, "training.stream_base=true", "training.offload_activations=true")
    monkeypatch.setattr(loop, "offloaded", None)  # would fail
    list(train.train(project, Control()))
    assert seen == [0]


@pytest.mark.parametrize("recompute", ["false", "true"])
def test_activations_wait_elsewhere_and_weights_do_not(
    project: Project, monkeypatch: pytest.MonkeyPatch, recompute: str
) -> None:
    plain = a_step(project, f"training.recompute={recompute}")
    kept: list[int] = []
    real = torch.empty_like

    def empty_like(tensor: torch.Tensor, **options: Any) -> torch.Tensor:
        if "pin_memory" in options:
            kept.append(tensor.untyped_storage().data_ptr())
        return real(tensor, **options)

    monkeypatch.setattr(torch, "empty_like", empty_like)
    ours = a_step(project, f"training.recompute={recompute}", "training.offload_activations=true")
    if recompute == "true":
        assert same(ours, plain)
    assert ours[1] == plain[1]
    for name, tensor in ours[2].items():  # a part of a tensor comes back as one of its own
        torch.testing.assert_close(tensor, plain[2][name], rtol=1e-3, atol=1e-5)
    assert len(kept) > 5
    weights = {
        p.untyped_storage().data_ptr() for net in ours[0].nets.values() for p in net.parameters()
    }
    assert not weights & set(kept)


def need_of(base: Path, *changes: str) -> memory.Need:
    config = files.with_changes(small_config(str(base)), ["preview.prompts=[]", *changes])
    return memory.need(open_base(base), config, memory.a_gpu(config))


def test_what_a_streamed_base_needs_is_foreseen(
    any_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = open_base(any_base)
    plain, ours = need_of(any_base), need_of(any_base, "training.stream_base=true")
    net = registry.load(base, Device(CPU, torch.bfloat16, like="cuda", streamed=True)).parts[
        base.facts.denoiser
    ]
    sizes = [sum(t.nbytes for t, _ in _held(block)) for block in streaming.blocks(net)]
    less = plain.nets[base.facts.denoiser] - ours.nets[base.facts.denoiser]
    assert less == sum(sizes) - max(sizes)


def test_activations_elsewhere_are_foreseen(tiny_base: Path) -> None:
    big = ("dataset.resolution_px=512", "training.batch_size=4")
    plain = need_of(tiny_base, *big)
    ours = need_of(tiny_base, *big, "training.offload_activations=true")
    assert ours.activations < 0.7 * plain.activations
    assert ours.nets == plain.nets
    anew = need_of(tiny_base, *big, "training.recompute=true")
    both = need_of(tiny_base, *big, "training.recompute=true", "training.offload_activations=true")
    assert both.activations < anew.activations
