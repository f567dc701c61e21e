"""The engine on real files: the same run twice, resumed runs, and what it refuses."""

import itertools
import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from msgspec.structs import replace

from app.models import run_record
from core.base.opening import open_base
from core.config import files
from core.errors import (
    BaseModelError,
    DatasetError,
    DivergedError,
    MemoryFullError,
    NewerVersionError,
    RunError,
    StorageError,
)
from core.families import registry
from core.families.device import whole_cpu
from core.project.layout import Project, Run, create
from core.protocol import wire
from core.protocol.events import (
    AdapterSaved,
    CheckpointSaved,
    Event,
    Finished,
    PreviewReady,
    Progress,
    RunStarted,
    StepDone,
    StyleMeasured,
    Warned,
)
from core.training import clock
from core.training import step as steps_module
from core.training import train as train_module
from core.training.control import Control
from core.training.train import read_log_lines, train
from tests.conftest import draw_picture, fill, small_config


def of(kind, events: list[Event]) -> list:
    return [e for e in events if isinstance(e, kind)]


def copy_of(project: Project, root: Path) -> Project:
    shutil.copytree(project.root, root)
    return Project(root)


def change(project: Project, *changes: str) -> None:
    project.save(files.with_changes(project.config(), changes))


def adapter_bytes(run: Run) -> bytes:
    path = run.newest_adapter()
    assert path is not None
    return path.read_bytes()


def test_a_run_leaves_an_adapter_previews_and_its_own_config(project: Project) -> None:
    config = project.config()
    events = list(train(project, Control()))
    run = project.run("")
    assert of(StepDone, events)[-1].step == 4
    assert [e.step for e in of(PreviewReady, events)] == [0, 4]
    assert all(Path(e.path).exists() for e in of(PreviewReady, events))
    assert Path(of(AdapterSaved, events)[0].path).exists()
    assert of(Finished, events) == [Finished(stopped=False)]
    assert files.load(run.config_file) == config
    assert len(read_log_lines(run)) > 6
    (started,) = of(RunStarted, events)
    # 6 attention layers in the UNet and 2 in the text encoder, 4 matrices each, rank 4
    assert started.trainable == sum(
        p.numel() for p in _adapter_tensors(run).values() if p.ndim == 2
    )


def test_the_window_shows_a_finished_run_with_its_style(project: Project) -> None:
    """What it reads from the log the engine wrote."""
    (measured,) = of(StyleMeasured, list(train(project, Control())))
    record = run_record.read(project.run(""))
    assert record.style == measured
    assert [saved.step for saved in record.adapters] == [4]
    assert list(record.steps) == [1, 2, 3, 4]


def _adapter_tensors(run: Run) -> dict[str, torch.Tensor]:
    from core.adapters import files as adapter_files

    path = run.newest_adapter()
    assert path is not None
    return adapter_files.read(path)[0]


def test_the_same_run_twice_gives_the_same_file(project: Project, tmp_path: Path) -> None:
    change(project, "adapter.dropout=0.3", "dataset.caption_dropout=0.3")
    again = copy_of(project, tmp_path / "again")
    list(train(project, Control()))
    list(train(again, Control()))
    assert adapter_bytes(project.run("")) == adapter_bytes(again.run(""))
    change(again, "training.seed=1")
    list(train(again, Control()))
    assert adapter_bytes(project.run("")) != adapter_bytes(again.run(""))


@pytest.mark.parametrize("options", [(), ("adapter.dropout=0.3", "adapter.text_encoder=false")])
def test_stopped_and_resumed_is_bit_for_bit_the_whole_run(
    project: Project, tmp_path: Path, options: tuple[str, ...]
) -> None:
    change(project, "training.steps=6", *options)
    again = copy_of(project, tmp_path / "again")
    list(train(project, Control()))
    control = Control()
    stopped = []
    for event in train(again, control):
        stopped.append(event)
        if isinstance(event, StepDone) and event.step == 2:
            control.stop.set()
    assert stopped[-1] == Finished(stopped=True)
    resumed = list(train(again, Control(), ""))
    first = of(RunStarted, resumed)[0].first_step
    assert first in (3, 4)  # the wish comes after the step's event, so one more may be done
    assert not of(Warned, resumed)
    assert adapter_bytes(again.run("")) == adapter_bytes(project.run(""))
    losses = [json.loads(line) for line in read_log_lines(again.run(""))]
    shown = [e["step"] for e in losses if e["type"] == "step_done"]
    assert shown == [1, 2, 3, 4, 5, 6]


def test_killed_between_checkpoints_it_goes_on_from_the_last(
    project: Project, tmp_path: Path
) -> None:
    change(project, "training.steps=6", "training.checkpoint_every=2")
    again = copy_of(project, tmp_path / "again")
    list(train(project, Control()))
    run = train(again, Control())
    for event in run:
        if isinstance(event, StepDone) and event.step == 5:
            break
    run.close()
    resumed = list(train(again, Control(), ""))
    assert of(RunStarted, resumed)[0].first_step == 5
    assert adapter_bytes(again.run("")) == adapter_bytes(project.run(""))


def test_a_half_written_checkpoint_is_not_used(project: Project) -> None:
    change(project, "training.checkpoint_every=2")
    list(train(project, Control()))
    run = project.run("")
    newest = run.newest_checkpoint()
    assert newest == run.checkpoint(4)
    adapter = adapter_bytes(run)
    (newest / "state.json").unlink()
    run.newest_adapter().unlink()
    assert run.newest_checkpoint() == run.checkpoint(2)
    resumed = list(train(project, Control(), ""))
    assert [e.step for e in of(StepDone, resumed)] == [3, 4]
    assert run.newest_checkpoint() == newest
    assert adapter_bytes(run) == adapter


@pytest.mark.parametrize("name", ["adapter.safetensors", "optimizer.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_named_and_can_be_moved_away(project: Project, name: str) -> None:
    change(project, "training.checkpoint_every=1")
    control = Control()
    for event in train(project, control):
        if isinstance(event, CheckpointSaved) and event.step == 2:
            control.stop.set()
    run = project.run("")
    newest = run.newest_checkpoint()
    assert newest == run.checkpoint(2)
    (newest / name).write_bytes(b"no such thing")
    with pytest.raises(RunError, match=newest.name) as caught:
        list(train(project, Control(), ""))
    assert "Move that folder away" in caught.value.hint
    newest.rename(newest.with_name(newest.name + "-broken"))
    assert list(train(project, Control(), ""))[-1] == Finished(stopped=False)


def test_a_run_whose_checkpoints_are_gone_is_not_begun_over_its_adapter(project: Project) -> None:
    change(project, "training.checkpoint_every=2")
    list(train(project, Control()))
    run = project.run("")
    adapter = adapter_bytes(run)
    shutil.rmtree(run.checkpoints)
    with pytest.raises(RunError, match="complete"):
        list(train(project, Control(), ""))
    shutil.rmtree(run.previews)
    (project.images / "p00.txt").write_text("other words")
    with pytest.raises(RunError, match="checkpoints of the run 001-Small are gone"):
        list(train(project, Control(), ""))
    assert adapter_bytes(run) == adapter


def test_a_checkpoint_of_a_newer_version_is_not_touched(project: Project) -> None:
    change(project, "training.checkpoint_every=2")
    control = Control()
    for event in train(project, control):
        if isinstance(event, CheckpointSaved):
            control.stop.set()
    state = project.run("").newest_checkpoint() / "state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "version": 99}))
    with pytest.raises(NewerVersionError, match="newer version"):
        list(train(project, Control(), ""))


def test_only_the_newest_checkpoints_stay(project: Project) -> None:
    change(project, "training.checkpoint_every=1")
    events = list(train(project, Control()))
    assert len(of(CheckpointSaved, events)) == 4
    assert [p.name for p in sorted(project.run("").checkpoints.iterdir())] == [
        "step000003",
        "step000004",
    ]


def test_a_complete_run_says_so(project: Project) -> None:
    list(train(project, Control()))
    with pytest.raises(RunError, match="complete"):
        list(train(project, Control(), ""))


def test_changed_pictures_are_told_on_resume(project: Project) -> None:
    control = Control()
    for event in train(project, control):
        if isinstance(event, StepDone):
            control.stop.set()
    (project.images / "p00.txt").write_text("another caption")
    events = list(train(project, Control(), ""))
    assert any("changed since" in e.message for e in of(Warned, events))


def test_wishes_are_granted_once(project: Project) -> None:
    control = Control()
    events = []
    for event in train(project, control):
        events.append(event)
        if isinstance(event, StepDone) and event.step == 1:
            control.preview.set()
    assert sorted({e.step for e in of(PreviewReady, events)}) in ([0, 1, 4], [0, 2, 4])
    assert len(of(CheckpointSaved, events)) == 2


def test_latents_are_encoded_once_and_a_damaged_cache_heals(project: Project, monkeypatch) -> None:
    from core.data import pixels

    made = []
    real = pixels.fitted
    monkeypatch.setattr(pixels, "fitted", lambda *a: made.append(a) or real(*a))
    monkeypatch.setattr(train_module, "measured_style", lambda *_: None)
    list(train(project, Control()))
    first = _adapter_tensors(project.run(""))
    assert len(made) == 6
    list(train(project, Control()))
    assert len(made) == 6
    for path in project.cache.rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:40])
    list(train(project, Control()))
    assert len(made) == 12
    again = _adapter_tensors(project.run(""))
    assert all(torch.equal(again[name], tensor) for name, tensor in first.items())


def test_pictures_of_many_shapes_train_in_their_buckets(tmp_path: Path, tiny_base: Path) -> None:
    project = create(tmp_path / "project", small_config(str(tiny_base), steps=6))
    for number, size in enumerate([(64, 64), (120, 60), (60, 120), (64, 70)]):
        fill(project.images / str(number), 2, size)
    events = list(train(project, Control()))
    assert of(RunStarted, events)[0].pictures == 8
    assert len(of(StepDone, events)) == 6


def test_bad_files_are_named_and_left_out(project: Project) -> None:
    bad = project.images / "words.jpg"
    bad.write_text("not a picture")
    events = list(train(project, Control()))
    assert of(RunStarted, events)[0].pictures == 6
    (warning,) = of(Warned, events)
    assert "words.jpg" in warning.message
    assert bad.read_text() == "not a picture"


def test_a_truncated_picture_does_not_spoil_the_end(project: Project) -> None:
    whole = draw_picture(project.images / "cut.jpg", 1, (400, 400)).read_bytes()
    (project.images / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    events = list(train(project, Control()))
    assert "cut.jpg" in of(Warned, events)[0].message
    assert of(StyleMeasured, events)
    assert events[-1] == Finished(stopped=False)


def test_stopped_before_the_first_step_nothing_is_begun(project: Project) -> None:
    control = Control()
    events = []
    for event in train(project, control):
        events.append(event)
        if isinstance(event, Progress) and event.phase == "Encoding the pictures":
            control.stop.set()
    assert events[-1] == Finished(stopped=True)
    assert len([e for e in of(Progress, events) if e.phase == "Encoding the pictures"]) == 1
    assert project.runs() == []


def test_stopped_among_its_pictures_it_reads_no_more(project: Project) -> None:
    control = Control()
    events = []
    for event in train(project, control):
        events.append(event)
        control.stop.set()
    assert [e.phase for e in of(Progress, events)] == ["Reading the pictures"]
    assert events[-1] == Finished(stopped=True)


def test_stopped_while_drawing_it_is_saved_and_goes_on(project: Project, tmp_path: Path) -> None:
    change(project, "preview.every=2", "training.checkpoint_every=0")
    again = copy_of(project, tmp_path / "again")
    list(train(project, Control()))
    control = Control()
    for event in train(again, control):
        drawing = isinstance(event, CheckpointSaved) and event.step == 2
        if drawing:
            control.stop.set()
    assert again.run("").newest_checkpoint() == again.run("").checkpoint(2)
    resumed = list(train(again, Control(), ""))
    assert of(RunStarted, resumed)[0].first_step == 3
    assert adapter_bytes(again.run("")) == adapter_bytes(project.run(""))


def test_stopped_among_its_previews_it_draws_them_on_resume(project: Project) -> None:
    """Those in the middle and those at the end."""
    prompts = [f"ball {number}" for number in range(6)]  # four are drawn together
    change(project, "preview.every=2", f"preview.prompts={json.dumps(prompts)}")
    for step in (2, 4):
        control = Control()
        for event in train(project, control, None if step == 2 else ""):
            if isinstance(event, PreviewReady) and event.step == step:
                control.stop.set()
        assert event == Finished(stopped=True)
        run = project.run("")
        assert run.preview_file(step, 0).exists()
        assert not run.preview_file(step, 5).exists()
    assert run.newest_adapter() == run.adapter_file("Small", 4)
    assert list(train(project, Control(), ""))[-1] == Finished(stopped=False)
    for step in (0, 2, 4):
        assert all(run.preview_file(step, index).exists() for index in range(6))
    with pytest.raises(RunError, match="complete"):
        list(train(project, Control(), ""))


def test_killed_before_its_adapter_it_goes_on(project: Project) -> None:
    events = train(project, Control())
    for event in events:
        if isinstance(event, CheckpointSaved) and event.step == 4:
            break
    events.close()
    run = project.run("")
    assert not run.complete(files.load(run.config_file))
    resumed = list(train(project, Control(), ""))
    assert not of(StepDone, resumed)
    assert [e.step for e in of(PreviewReady, resumed)] == [4]
    assert of(AdapterSaved, resumed)
    assert resumed[-1] == Finished(stopped=False)
    assert run.complete(files.load(run.config_file))


def test_a_resumed_runs_rates_are_its_configs(project: Project) -> None:
    """A checkpoint carries the optimizer's state, not its settings."""
    change(project, "training.steps=6", "training.checkpoint_every=2", "training.schedule=constant")
    control = Control()
    for event in train(project, control):
        if isinstance(event, CheckpointSaved):
            control.stop.set()
    run = project.run("")
    files.save(
        files.with_changes(files.load(run.config_file), ["training.learning_rate=0.25"]),
        run.config_file,
    )
    assert {e.lr for e in of(StepDone, list(train(project, Control(), "")))} == {0.25}


def test_full_memory_is_told_in_words(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(steps_module.path, "noised", full)
    with pytest.raises(MemoryFullError, match="not enough memory") as caught:
        list(train(project, Control()))
    assert "batch size" in caught.value.hint


def test_a_batch_too_large_for_the_memory_is_taken_in_parts(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is learnt is the same, up to the order in which numbers are added."""
    change(project, "training.batch_size=6")
    again = copy_of(project, tmp_path / "again")
    list(train(project, Control()))
    real = steps_module.path.noised

    def full_above_two(x0: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        if len(x0) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(x0, *others)

    monkeypatch.setattr(steps_module.path, "noised", full_above_two)
    events = list(train(again, Control()))
    said = [e.message for e in of(Warned, events) if "memory is too small" in e.message]
    assert ["3 of its pictures" in said[0], "2 of its pictures" in said[1]] == [True, True]
    assert len(said) == 2
    whole, split = (_adapter_tensors(p.run("")) for p in (project, again))
    for name, tensor in whole.items():
        torch.testing.assert_close(split[name], tensor, atol=2e-3, rtol=0)
    losses = [[e.loss for e in of(StepDone, _events(p.run("")))] for p in (project, again)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def _events(run: Run) -> list[Event]:
    return [wire.event_from(line) for line in read_log_lines(run)]


def test_a_long_caption_is_read_whole_and_told(project: Project) -> None:
    """What comes after the first 75 tokens changes what is learnt."""
    (project.images / "p00.txt").write_text("ball " * 60)
    (project.images / "p01.txt").write_text("ball " * 90)
    messages = [e.message for e in of(Warned, list(train(project, Control())))]
    assert len([m for m in messages if "2 of 6 captions are longer than 75 tokens" in m]) == 1
    first = adapter_bytes(project.run(""))
    (project.images / "p01.txt").write_text("ball " * 89 + "cube ")
    list(train(project, Control()))
    assert adapter_bytes(project.run("")) != first


def test_no_picture_makes_no_run(tmp_path: Path, tiny_base: Path) -> None:
    project = create(tmp_path / "project", small_config(str(tiny_base)))
    with pytest.raises(DatasetError, match="no picture"):
        list(train(project, Control()))
    assert project.runs() == []


@pytest.mark.parametrize("part", ["unet", "model_index.json"])
def test_a_base_without_a_part_is_named(
    project: Project, tmp_path: Path, tiny_base: Path, part: str
) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_base, base)
    target = base / part
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    project.save(replace(project.config(), base=str(base)))
    with pytest.raises(BaseModelError, match=part) as caught:
        list(train(project, Control()))
    assert str(base) in str(caught.value)


def test_another_kind_of_base_is_named(project: Project, tmp_path: Path, tiny_base: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_base, base)
    (base / "model_index.json").write_text('{"_class_name": "OtherPipeline"}')
    project.save(replace(project.config(), base=str(base)))
    with pytest.raises(BaseModelError, match="OtherPipeline"):
        list(train(project, Control()))


def test_a_folder_that_cannot_be_written_is_named(project: Project) -> None:
    (project.root / "runs").write_text("in the way")
    with pytest.raises(StorageError, match="runs"):
        list(train(project, Control()))


def test_nothing_is_learnt_from_a_loss_that_is_not_a_number(project: Project, monkeypatch) -> None:
    monkeypatch.setattr(steps_module.path, "target", lambda x0, *_: x0 * float("nan"))
    events = train(project, Control())
    with pytest.raises(DivergedError, match="Step 1"):
        list(events)
    assert project.run("").newest_adapter() is None


def test_the_persons_files_are_as_before(project: Project) -> None:
    before = {p: p.read_bytes() for p in project.images.rglob("*")}
    list(train(project, Control()))
    assert {p: p.read_bytes() for p in project.images.rglob("*")} == before


def test_text_is_looked_up_while_the_text_encoder_is_frozen(project: Project) -> None:
    change(project, "adapter.text_encoder=false")
    list(train(project, Control()))
    tensors = _adapter_tensors(project.run(""))
    assert all(key.startswith("lora_unet_") for key in tensors)
    assert len(list(project.cache.rglob("*.safetensors"))) > 6


def test_gradient_reaches_every_adapter_matrix(project: Project) -> None:
    """After two steps no `up` matrix is still zero: nothing is left out of the graph."""
    list(train(project, Control()))
    ups = {k: t for k, t in _adapter_tensors(project.run("")).items() if "lora_up" in k}
    assert ups
    assert all(t.abs().max() > 0 for t in ups.values())
    assert len(list(itertools.filterfalse(lambda k: k.startswith("lora_unet"), ups))) == 8


def test_pictures_that_are_gone_before_they_are_encoded(project: Project, monkeypatch) -> None:
    """As when a drive is pulled out; a run on nothing is not begun."""
    from core.training import pictures

    def gone(*_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(pictures, "file_hash", gone)
    with pytest.raises(DatasetError, match="None of the 6 pictures"):
        list(train(project, Control()))
    assert project.runs() == []


def test_a_base_that_predicts_something_else_is_refused(tmp_path: Path, tiny_base: Path) -> None:
    base = predicting("sample", tiny_base, tmp_path / "base")
    with pytest.raises(BaseModelError, match="'sample'"):
        registry.load(open_base(base), whole_cpu())


def predicting(what: str, base: Path, folder: Path) -> Path:
    """A copy of `base` whose scheduler says that it predicts `what`."""
    shutil.copytree(base, folder)
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "prediction_type": what}))
    return folder


def test_a_base_too_large_for_memory_is_not_called_damaged(tiny_base: Path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ...")

    monkeypatch.setattr(UNet2DConditionModel, "from_pretrained", full)
    with pytest.raises(MemoryFullError, match="not enough memory"):
        registry.load(open_base(tiny_base), whole_cpu())


def test_the_time_left_counts_steps_previews_and_saves() -> None:
    config = small_config("demo", steps=10)  # one prompt, of two passes each way; batches of two
    config = replace(config, preview=replace(config.preview, every=4))
    ticking = clock.Clock(config, untrained=1)
    ticking.step_took(3.0)
    guess = 2 * 2 / (3 * 2) * 3.0
    assert ticking.left(1) == pytest.approx(9 * 3 + (3 + 1) * guess)
    ticking.pictures_took(100.0, 1, 0)
    ticking.save_took(1000.0)
    assert ticking.left(4) == 6 * 3 + 3 * 100 + 1000  # at 4, 8 and 10; a save at the end
    ticking.pictures_took(100.0, 1, 4)
    assert ticking.left(4) == 6 * 3 + 2 * 100 + 1000
    ticking.step_took(3.0)
    assert ticking.left(5) == 5 * 3 + 2 * 100 + 1000
    assert ticking.left(10) == 100 + 1000


def test_the_first_step_does_not_wait_for_the_untrained_pictures(project: Project) -> None:
    """They come one after each step, and are of the base alone: as if nothing had been learnt."""
    prompts = json.dumps(["a red ball", "a blue ball", "a fox"])
    change(project, f"preview.prompts={prompts}", "training.learning_rate=0.05")
    events = list(train(project, Control()))
    told = [(type(e).__name__, e.step, getattr(e, "index", -1)) for e in events
            if isinstance(e, StepDone | PreviewReady)]  # fmt: skip
    assert told[:6] == [
        ("StepDone", 1, -1), ("PreviewReady", 0, 0),
        ("StepDone", 2, -1), ("PreviewReady", 0, 1),
        ("StepDone", 3, -1), ("PreviewReady", 0, 2),
    ]  # fmt: skip
    change(project, "training.steps=1", "training.learning_rate=1e-9")
    list(train(project, Control()))
    for index in range(3):
        one, other = (project.run(n).preview_file(0, index).read_bytes() for n in ("1", "2"))
        assert one == other
        assert one != project.run("1").preview_file(4, index).read_bytes()


def test_stop_is_seen_within_one_pass_of_a_preview(project: Project, monkeypatch) -> None:
    change(project, "preview.inference_steps=50")
    control, passes, stepped = Control(), [], []
    real = UNet2DConditionModel.forward

    def forward(net, *args, **kwargs):
        if stepped and not torch.is_grad_enabled():
            passes.append(1)
            control.stop.set()
        return real(net, *args, **kwargs)

    monkeypatch.setattr(UNet2DConditionModel, "forward", forward)
    events = []
    for event in train(project, control):
        events.append(event)
        stepped += of(StepDone, [event])
    assert len(passes) == 1
    assert events[-1] == Finished(stopped=True)
    assert len(of(CheckpointSaved, events)) == 1
    assert not of(PreviewReady, events)
