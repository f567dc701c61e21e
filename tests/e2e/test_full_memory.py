"""A full memory ends no run: fewer are computed at a time, then in smaller pieces, and it is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.base.opening import open_base
from core.errors import MemoryFullError
from core.families.device import Device
from core.project.layout import Project, create
from core.protocol.events import (
    AdapterSaved,
    Event,
    Finished,
    HeldOutMeasured,
    PreviewReady,
    StepDone,
    StyleMeasured,
    Warned,
)
from core.training import heldout, loop, preview, sample, train
from core.training import step as steps_module
from core.training.control import Control
from tests.conftest import fill, made, small_config
from tests.e2e.test_loss import prepared_for
from tests.e2e.test_training import adapter_bytes, change, copy_of, of

FULL = "CUDA out of memory. Tried to allocate 1.00 GiB."


def full_above(
    most: int, real: Callable[..., Any], count: Callable[..., int]
) -> Callable[..., Any]:
    """As `real`, but that no more than `most` fit the memory."""

    def tried(*args: Any, **options: Any) -> Any:
        if count(*args, **options) > most:
            raise torch.OutOfMemoryError(FULL)
        return real(*args, **options)

    return tried


def said(events: list[Event], words: str) -> list[str]:
    return [event.message for event in of(Warned, events) if words in event.message]


def pictures_of(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in project.run("").previews.iterdir()}


def test_previews_are_drawn_fewer_at_once_and_are_the_same(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = json.dumps(["a red ball", "a blue ball", "a fox", "a hen", "a house"])
    change(project, f"preview.prompts={prompts}", "preview.every=2")
    again = copy_of(project, tmp_path / "again")
    list(train.train(project, Control()))
    monkeypatch.setattr(preview, "parts_of", lambda _: [range(4), range(4, 5)])  # as on a GPU
    full = full_above(1, preview.pictures, lambda _, prompts, *__, **___: len(prompts))
    monkeypatch.setattr(preview, "pictures", full)
    events = list(train.train(again, Control()))
    warned = said(events, "too small for the previews")
    assert ["2 at a time" in warned[0], "1 at a time" in warned[1]] == [True, True]
    assert len(warned) == 2  # later rounds know it
    assert len(of(PreviewReady, events)) == 3 * 5
    assert pictures_of(again) == pictures_of(project)
    assert adapter_bytes(again.run("")) == adapter_bytes(project.run(""))


def test_previews_that_do_not_fit_at_all_are_left_for_a_better_day(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = copy_of(project, tmp_path / "again")
    list(train.train(project, Control()))
    with monkeypatch.context() as patched:
        patched.setattr(preview, "pictures", full_above(0, preview.pictures, lambda *_, **__: 1))
        events = list(train.train(again, Control()))
    assert [e.step for e in of(StepDone, events)] == [1, 2, 3, 4]
    assert len(said(events, "The previews of step 4 were not drawn")) == 1
    assert of(AdapterSaved, events)
    assert of(Finished, events) == [Finished(stopped=True)]
    assert adapter_bytes(again.run("")) == adapter_bytes(project.run(""))
    events = list(train.train(again, Control(), ""))
    assert of(Finished, events) == [Finished(stopped=False)]
    assert pictures_of(again) == pictures_of(project)


def test_where_one_picture_does_not_fit_blocks_are_computed_anew(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is learnt is the same, to the bit where one picture is a step."""
    change(project, "training.batch_size=1")
    again = copy_of(project, tmp_path / "again")
    list(train.train(project, Control()))
    real = steps_module.denoising_losses

    def full(model: Any, *others: Any) -> torch.Tensor:
        if not model.parts["unet"].is_gradient_checkpointing:
            raise torch.OutOfMemoryError(FULL)
        return real(model, *others)

    monkeypatch.setattr(loop, "denoising_losses", full)
    events = list(train.train(again, Control()))
    assert len(said(events, "training.recompute does so from the start")) == 1
    assert adapter_bytes(again.run("")) == adapter_bytes(project.run(""))
    losses = [e.loss for e in of(StepDone, events)]
    assert len(losses) == 4


def test_a_full_memory_that_nothing_helps_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = full_above(0, steps_module.denoising_losses, lambda *_: 1)
    monkeypatch.setattr(loop, "denoising_losses", full)
    events: list[Event] = []
    with pytest.raises(MemoryFullError, match="not enough memory"):
        events.extend(train.train(project, Control()))
    assert project.run("").newest_adapter() is None


def test_pictures_held_out_are_measured_in_parts(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(project, "dataset.held_out=0.2", "training.batch_size=4", "training.measure_every=2")
    full = full_above(1, heldout.denoising_losses, lambda _, draw, *__: len(draw.latents))
    monkeypatch.setattr(heldout, "denoising_losses", full)
    events = list(train.train(project, Control()))
    assert len(said(events, "too small for the pictures held out")) == 2
    assert [e.step for e in of(HeldOutMeasured, events)] == [0, 2, 4]


def test_a_style_that_cannot_be_measured_costs_no_adapter(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = full_above(0, train.style.grams, lambda *_: 1)
    monkeypatch.setattr(train.style, "grams", full)
    events = list(train.train(project, Control()))
    assert len(said(events, "The style was not measured")) == 1
    assert not of(StyleMeasured, events)
    assert of(AdapterSaved, events)
    assert of(Finished, events) == [Finished(stopped=False)]


def test_what_is_told_without_the_trigger_is_read_before_the_first_step(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Large encoders are gone by then: no step reads a text."""
    project = create(
        tmp_path / "project", small_config(str(made("flux", tmp_path_factory)), batch_size=1)
    )
    fill(project.images, 4)
    for changes in ((), ("dataset.shuffle_tags=true",)):
        change(project, "training.prior_share=0.9", *changes)
        prepared = prepared_for(project)
        parts = prepared.model.parts
        untold = 0
        for number in range(1, 5):
            samples = [loop.batches.Sample(number - 1, 1.0)]
            draw = loop.batches.draw(
                prepared.items, samples, prepared.config, step=number, batch_size=1
            )
            untold += "ballstyle" not in draw.captions[0]
            loop.one_step(prepared, draw, number, 1)
        assert untold > 1
        assert "text_encoder_2" not in parts._loaded


@pytest.fixture
def sampler(tmp_path_factory: pytest.TempPathFactory) -> sample.Sampler:
    return sample.load(open_base(made("flux", tmp_path_factory)))


def draw(sampler: sample.Sampler, out: Path, prompt: str) -> bytes:
    sampler.draw(
        out, sample.Wish(prompt=prompt, width_px=32, height_px=32, inference_steps=2, guidance=2.0)
    )
    return out.read_bytes()


def reads_beside(monkeypatch: pytest.MonkeyPatch, sampler: sample.Sampler) -> list[bool]:
    """Whether the denoiser was in the memory whenever a large encoder read."""
    beside: list[bool] = []
    real = sample.Sampler._told_by

    def told_by(self: sample.Sampler, part: str, texts: Any) -> Any:
        if part == "text_encoder_2":
            beside.append("transformer" in sampler.model.parts._loaded)
        return real(self, part, texts)

    monkeypatch.setattr(sample.Sampler, "_told_by", told_by)
    return beside


def test_a_large_encoder_that_finds_no_room_reads_before_the_denoiser(
    sampler: sample.Sampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = reads_beside(monkeypatch, sampler)
    plain = draw(sampler, tmp_path / "a.png", "a red ball")
    assert beside == [True]
    need = sampler.model.parts.to_come(["text_encoder_2"])
    assert need > 0
    monkeypatch.setattr(Device, "free", lambda _: need)  # and nothing to work with
    other = draw(sampler, tmp_path / "b.png", "a blue ball")
    assert beside == [True, False]
    assert draw(sampler, tmp_path / "c.png", "a red ball") == plain != other
    assert beside == [True, False]  # known texts are not read again
    assert "text_encoder_2" not in sampler.model.parts._loaded


def test_a_drawing_that_finds_the_memory_full_lets_go_of_what_it_kept(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(train.train(project, Control()))
    adapter = project.run("").newest_adapter()
    assert adapter is not None
    sampler = sample.load(project.base(project.config()))
    wish = sample.Wish(prompt="a ball", adapters={adapter: 1.0}, inference_steps=1)
    sampler.draw(tmp_path / "a.png", wish)
    kept: list[int] = []
    real = sample.Stack.wear

    def full_once(stack: sample.Stack, parts: Any) -> None:
        kept.append(len(sampler._ready))
        if len(kept) == 1:
            raise torch.OutOfMemoryError(FULL)
        real(stack, parts)

    monkeypatch.setattr(sample.Stack, "wear", full_once)
    other = sample.Wish(prompt="a ball", adapters={}, inference_steps=1)
    sampler.draw(tmp_path / "b.png", other)
    assert kept == [1, 0]
    monkeypatch.setattr(sample.Stack, "wear", full_above(0, real, lambda *_: 1))
    with pytest.raises(MemoryFullError):
        sampler.draw(tmp_path / "c.png", other)
    assert not (tmp_path / "c.png").exists()
