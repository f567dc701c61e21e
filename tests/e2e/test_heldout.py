"""Pictures held out are never learnt from, measured alike each time, and judged fairly."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from core.adapters import files as adapter_files
from core.cli.projects import check
from core.config import files
from core.data import marks
from core.data.marks import TOO_MANY, Mark, Marks
from core.errors import DatasetError
from core.project.layout import Project
from core.protocol.events import (
    AdapterSaved,
    CheckpointSaved,
    Finished,
    HeldOutMeasured,
    StepDone,
    Warned,
)
from core.training import heldout, manifest
from core.training.control import Control
from core.training.heldout import verdict
from core.training.setup import Prepared
from core.training.train import train
from tests.conftest import fill
from tests.e2e.test_loss import prepared_for


def change(project: Project, *wanted: str) -> None:
    project.save(files.with_changes(project.config(), list(wanted)))


def measured(events: list) -> list[HeldOutMeasured]:
    return [e for e in events if isinstance(e, HeldOutMeasured)]


def test_the_choice_is_of_contents_and_stays(project: Project) -> None:
    """A share of them, at least one, never all; a picture more moves few others."""
    names = [f"picture {n}" for n in range(100)]
    held = heldout.chosen(names, 0.2)
    assert len(held) == 20
    assert held == heldout.chosen(names[::-1] * 2, 0.2)
    assert len(held & heldout.chosen([*names, "one more"], 0.2)) >= 19
    assert heldout.chosen(names, 0.0) == set()
    assert len(heldout.chosen(names[:3], 0.01)) == 1
    assert len(heldout.chosen(names[:3], 0.99)) == 2


def test_held_out_pictures_are_not_learnt_from(project: Project) -> None:
    """Neither mirrored nor at another resolution."""
    change(project, "dataset.held_out=0.3", "dataset.flip=true", "dataset.more_resolutions_px=[96]")
    prepared = prepared_for(project)
    held, learnt = ({i.path for i in part} for part in (prepared.held_out, prepared.items))
    assert (len(held), len(learnt)) == (2, 4)
    assert not held & learnt
    assert len(prepared.items) == 4 * 2 * 2
    assert len(prepared.held_out) == 2


def test_a_lone_picture_cannot_be_both(project: Project) -> None:
    for path in sorted(project.images.glob("*.png"))[1:]:
        path.unlink()
    change(project, "dataset.held_out=0.5")
    with pytest.raises(DatasetError, match="held out and learnt from"):
        list(train(project, Control()))


def test_the_loss_is_that_of_fixed_noise(project: Project) -> None:
    """Computed anew from the formula, whatever seed and batch size the run has."""
    change(project, "dataset.held_out=0.2", "training.precision=float32", "training.seed=5")
    prepared = prepared_for(project)
    (item,) = prepared.held_out
    draw = heldout.draw_of(item)
    model = prepared.model
    t = ((torch.arange(8) + 0.5) / 8 * 1000).long()
    a = model.path.alpha_bars[t].sqrt().view(-1, 1, 1, 1)
    s = (1 - a**2).sqrt()
    text = prepared.conditions.of([item.caption], [item.frame])["text"].expand(8, -1, -1)
    with torch.no_grad():
        made = model.parts["unet"](a * item.mean + s * draw.noise, t, text).sample
    expected = (made - draw.noise).square().mean().item()
    assert heldout.losses(prepared, 2) == pytest.approx([expected], rel=1e-4)
    change(project, "training.seed=6", "training.batch_size=1")
    other = prepared_for(project)
    # another seed makes another adapter, which does nothing yet
    assert heldout.losses(other, 1) == pytest.approx([expected], rel=1e-4)
    assert 0.5 < draw.noise.std().item() < 1.5


def test_a_run_measures_when_it_is_time_and_tells(project: Project, tmp_path: Path) -> None:
    """Step 0 is the base; measuring changes nothing of what is learnt, nor does a resume."""
    change(project, "dataset.held_out=0.3", "training.steps=6", "training.checkpoint_every=3")
    change(project, "training.measure_every=2", "training.average=0.5")
    other = Project(shutil.copytree(project.root, tmp_path / "other" / project.root.name))
    rare = Project(shutil.copytree(project.root, tmp_path / "rare" / project.root.name))
    change(rare, "training.measure_every=0")
    events = list(train(project, Control()))
    assert [e.step for e in measured(events)] == [0, 2, 4, 6]
    assert [type(e) for e in events if isinstance(e, StepDone | HeldOutMeasured)][:2] == [
        StepDone,
        StepDone,
    ]
    control = Control()
    for event in train(other, control):
        if isinstance(event, CheckpointSaved) and event.step == 3:
            control.stop.set()
    list(train(other, Control(), ""))
    ours, theirs = (heldout.told(p.run("")) for p in (project, other))
    assert ours == theirs
    assert [e.step for e in measured(list(train(rare, Control())))] == [0, 6]
    bytes_of = {p.run("").newest_adapter().read_bytes() for p in (project, other, rare)}
    assert len(bytes_of) == 1


def test_an_overfitting_run_keeps_its_best_adapter(project: Project, monkeypatch) -> None:
    """Told by losses that are put in: best at step 2, far worse at the end."""
    change(project, "dataset.held_out=0.3", "training.steps=6", "training.measure_every=2")
    change(project, "adapter.text_encoder=false")
    course = iter([[1.0, 2.0], [0.5, 1.5], [0.8, 1.8], [1.2, 2.2]])
    monkeypatch.setattr(heldout, "losses", lambda *_: next(course))
    control, kept = Control(), {}
    events = []
    for event in train(project, control):
        events.append(event)
        if isinstance(event, HeldOutMeasured) and event.step:
            kept[event.step] = sorted(p.name for p in project.run("").best.iterdir())
    assert set(map(tuple, kept.values())) == {("step000002.safetensors",)}
    saved = [Path(e.path) for e in events if isinstance(e, AdapterSaved)]
    assert [p.stem.rpartition("-")[2] for p in saved] == ["step000002", "step000006"]
    best = adapter_files.read(project.run("").best_file(2))[0]
    exported, header = adapter_files.read(saved[0])
    assert header["ss_steps"] == "2"
    down = next(k for k in best if "attn1.to_q.lora_A" in k)
    twin = next(k for k in exported if k.endswith("attn1_to_q.lora_down.weight")
                and down.split(".attn1")[0].removeprefix("unet.").replace(".", "_") in k)  # fmt: skip
    torch.testing.assert_close(exported[twin].float(), best[down], rtol=1e-3, atol=1e-3)
    last, _ = adapter_files.read(saved[1])
    assert any(not torch.equal(last[k], exported[k]) for k in last if "lora_up" in k)
    assert project.run("").complete(project.config())
    assert measured(events)[-1].verdict.startswith("It overfits since step 2")


def test_patience_stops_a_run_that_gets_no_better(project: Project, monkeypatch) -> None:
    change(project, "dataset.held_out=0.3", "training.steps=20", "training.measure_every=2")
    change(project, "training.patience=3")
    course = iter([[1.0, 2.0], [0.5, 1.5], *([[0.8, 1.8]] * 9)])
    monkeypatch.setattr(heldout, "losses", lambda *_: next(course))
    events = list(train(project, Control()))
    assert events[-1] == Finished(stopped=True)
    assert [e.step for e in events if isinstance(e, StepDone)][-1] == 8  # 2 is best; 4, 6 and 8
    (words,) = [e.message for e in events if isinstance(e, Warned) and "patience" in e.message]
    assert "none of 3 measurements was better than that of step 2" in words
    better = iter([[0.4 - n / 100, 1.4 - n / 100] for n in range(9)])
    monkeypatch.setattr(heldout, "losses", lambda *_: next(better))
    assert list(train(project, Control(), ""))[-1] == Finished()  # it can go on all the same


OVERFITS = [(0, 1.0), (50, 0.9), (100, 0.8), (150, 0.84), (200, 0.9)]
LEARNS = [(0, 1.0), (50, 0.9), (100, 0.85), (150, 0.8), (200, 0.75)]
LEVEL = [(0, 1.0), (50, 0.8), (100, 0.8), (150, 0.8), (200, 0.8)]
NOTHING = [(0, 1.0), (50, 1.0), (100, 1.01)]


@pytest.mark.parametrize(
    ("course", "best", "words", "overfits"),
    [
        (OVERFITS, 100, "overfits since step 100", True),
        (LEARNS, 200, "still learning", False),
        (LEVEL, 50, "learnt what it can since about step 50", False),
        (NOTHING, 0, "Nothing that holds", False),
    ],
)
def test_the_verdict(course, best: int, words: str, overfits: bool) -> None:
    """Pictures differ by far more than steps do; chance moves each a little."""
    rng = torch.Generator().manual_seed(0)
    levels = [0.1, 0.5, 1.0, 3.0]
    seen = [
        (step, [level + mean + 0.002 * torch.randn(1, generator=rng).item() for level in levels])
        for step, mean in course
    ]
    made = verdict(seen)
    assert words in made.words
    assert made.overfits is overfits
    if best not in (50, 0):  # where all are alike, chance chooses among them
        assert made.best_step == best


def test_chance_is_no_overfitting() -> None:
    """Differences that go both ways are none, whatever the means say."""
    before = [1.0, 2.0, 3.0, 4.0]
    best = [0.5, 1.5, 2.5, 3.5]
    after = [0.4, 1.7, 2.3, 3.7]  # on average worse than the best
    assert not verdict([(0, before), (10, best), (20, after)]).overfits
    assert verdict([(0, before), (10, best), (20, [b + 0.1 for b in best])]).overfits


def test_a_log_that_holds_measurements_is_read_back(project: Project) -> None:
    fill(project.images, 3)
    change(project, "dataset.held_out=0.3", "training.steps=2", "training.measure_every=1")
    events = measured(list(train(project, Control())))
    lines = project.run("").log_file.read_bytes().splitlines()
    kinds = [json.loads(line)["type"] for line in lines]
    assert kinds.count("held_out_measured") == 3
    assert heldout.told(project.run("")) == events


def mark(project: Project, **said: Mark) -> None:
    named = {project.images / f"{name}.png": one for name, one in said.items()}
    marks.write(project.marks_file, Marks(named), project.root)


def written(prepared: Prepared) -> dict:
    """The manifest as it is read."""
    return json.loads(json.dumps(manifest.of(prepared)))


def test_marked_pictures_are_held_out_and_never_learnt(project: Project) -> None:
    """Nor is a copy of one; they count towards a share."""
    names = [path.stem for path in sorted(project.images.glob("*.png"))]
    shutil.copy(project.images / f"{names[1]}.png", project.images / "copy.png")
    plain = prepared_for(project).dataset_key
    mark(project, **{names[1]: Mark(held_out=True)})
    change(project, "dataset.flip=true")
    prepared = prepared_for(project)
    learnt = {item.path.stem for item in prepared.items}
    assert len(prepared.held_out) == 1
    assert learnt == set(names) - {names[1]}
    change(project, "dataset.flip=false", "dataset.held_out=0.3")
    shared = prepared_for(project)
    (item,) = prepared.held_out
    assert len(shared.held_out) == 2
    assert item.content in {i.content for i in shared.held_out}
    change(project, "dataset.held_out=0")
    assert prepared_for(project).dataset_key != plain


def test_unused_pictures_are_neither_and_the_manifest_says_so(project: Project) -> None:
    names = [path.stem for path in sorted(project.images.glob("*.png"))]
    mark(project, **{names[0]: Mark(unused=True), names[2]: Mark(held_out=True)})
    prepared = prepared_for(project)
    assert [i.path.stem for i in prepared.held_out] == [names[2]]
    assert {i.path.stem for i in prepared.items} == set(names) - {names[0], names[2]}
    said = written(prepared)
    assert said["not_used"] == [f"{names[0]}.png"]
    assert [p["file"] for p in said["pictures"] if not p["learnt"]] == [f"{names[2]}.png"]


def test_repeats_of_a_folder_are_a_runs(project: Project) -> None:
    plain = prepared_for(project)
    marks.write(project.marks_file, Marks(folders={project.images: 3}), project.root)
    prepared = prepared_for(project)
    assert {item.repeats for item in prepared.items} == {3}
    assert prepared.dataset_key != plain.dataset_key
    assert {p["repeats"] for p in written(prepared)["pictures"]} == {3}


def test_nothing_is_left_to_learn(project: Project) -> None:
    names = [path.stem for path in sorted(project.images.glob("*.png"))]
    mark(project, **dict.fromkeys(names, Mark(held_out=True)))
    with pytest.raises(DatasetError, match="All pictures are held out"):
        list(train(project, Control()))
    mark(project, **dict.fromkeys(names, Mark(unused=True)))
    with pytest.raises(DatasetError, match="All 6 pictures are marked as not used"):
        list(train(project, Control()))


def test_too_many_held_out_is_said_by_check_and_before_the_base_is_loaded(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [path.stem for path in sorted(project.images.glob("*.png"))]
    mark(project, **dict.fromkeys(names[:4], Mark(held_out=True)))
    check(project.root)
    said = " ".join(capsys.readouterr().out.split())
    assert f"{TOO_MANY.removesuffix('.')} (4 times" in said
    told = []
    for event in train(project, Control()):
        told.append(event)
        if getattr(event, "phase", "") == "Loading the base model":
            break
    assert any(isinstance(e, Warned) and TOO_MANY[:-1] in e.message for e in told)
