"""Half precision: what a GPU does, as far as a CPU can show it."""

import math
from pathlib import Path

import pytest
import torch

from core.config import files
from core.families import device as devices
from core.project.layout import Project, create
from core.protocol.events import StepDone, Warned
from core.training import step
from core.training.control import Control
from core.training.train import train
from tests.conftest import fill, small_config


def made(root: Path, base: Path, *changes: str) -> Project:
    project = create(root, files.with_changes(small_config(str(base)), list(changes)))
    fill(project.images, 4)
    return project


def losses(project: Project, precision: str) -> list[float]:
    project.save(files.with_changes(project.config(), [f"training.precision={precision}"]))
    return [e.loss for e in train(project, Control()) if isinstance(e, StepDone)]


def test_half_precisions_learn_about_the_same(tmp_path: Path, tiny_base: Path) -> None:
    project = made(tmp_path / "p", tiny_base, "training.steps=3")
    whole = losses(project, "float32")
    for precision in ("bfloat16", "float16"):
        half = losses(project, precision)
        assert half == pytest.approx(whole, rel=0.02)
        assert half != whole


@pytest.fixture
def scaled(tmp_path: Path, tiny_base: Path) -> Project:
    return made(tmp_path / "p", tiny_base, "training.precision=float16", "training.steps=6")


def test_an_overflow_lowers_the_scale_and_changes_nothing_else(
    scaled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first steps of a float16 run overflow until its scale is found."""
    monkeypatch.setattr("core.training.setup.FIRST_SCALE", 2.0**40)
    real = step.train_step
    seen: list[tuple[bool, float]] = []

    def watched(losses_of, draw, trainable, **where):
        before = [p.detach().clone() for p in trainable.parameters.values()]
        result = real(losses_of, draw, trainable, **where)
        after = trainable.parameters.values()
        moved = any(not torch.equal(b, p) for b, p in zip(before, after, strict=True))
        seen.append((moved, trainable.scaler.get_scale()))
        return result

    monkeypatch.setattr("core.training.loop.train_step", watched)
    told = [e for e in train(scaled, Control()) if isinstance(e, StepDone)]
    assert len(told) == 6
    assert all(math.isfinite(e.loss) and math.isfinite(e.grad_norm) for e in told)
    assert [moved for moved, _ in seen] == [False] * 6
    assert [scale for _, scale in seen] == [2.0**n for n in range(39, 33, -1)]


def test_a_float16_run_goes_on_bit_for_bit(scaled: Project, tmp_path: Path, monkeypatch) -> None:
    """Its scale is part of what a checkpoint holds."""
    monkeypatch.setattr("core.training.setup.FIRST_SCALE", 2.0**26)
    import shutil

    again = Project(shutil.copytree(scaled.root, tmp_path / "again"))
    list(train(scaled, Control()))
    control = Control()
    for event in train(again, control):
        if isinstance(event, StepDone) and event.step == 3:
            control.stop.set()
    resumed = list(train(again, Control(), ""))
    assert not [e for e in resumed if isinstance(e, Warned)]
    ours, theirs = (p.run("").newest_adapter() for p in (scaled, again))
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize(
    ("has", "precision", "expected"),
    [
        ({"cuda": True, "bf16": True}, "auto", ("cuda", torch.bfloat16)),
        ({"cuda": True, "bf16": False}, "auto", ("cuda", torch.float16)),
        ({"cuda": True, "bf16": False}, "float32", ("cuda", torch.float32)),
        ({"mps": True, "macos": 14}, "auto", ("mps", torch.bfloat16)),
        ({"mps": True, "macos": 13}, "auto", ("mps", torch.float32)),
        ({"amx": True}, "auto", ("cpu", torch.bfloat16)),
        ({}, "auto", ("cpu", torch.float32)),
        ({}, "bfloat16", ("cpu", torch.bfloat16)),
    ],
)
def test_every_machine_gets_the_precision_it_is_fast_in(
    monkeypatch: pytest.MonkeyPatch, has: dict, precision, expected
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has.get("cuda", False))
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda *, including_emulation: has.get("bf16", False)
    )
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: has.get("mps", False))
    monkeypatch.setattr(
        torch.backends.mps, "is_macos_or_newer", lambda major, _: has.get("macos", 0) >= major
    )
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": has.get("amx", False)})
    chosen = devices.choose(precision)
    assert (chosen.device.type, chosen.compute) == expected
    assert chosen.scales_loss == (chosen.compute == torch.float16)
