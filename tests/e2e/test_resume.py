"""A run that was killed, moved, or is held by another program."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

from core.config import files
from core.errors import BaseModelError, RunError
from core.project import lock
from core.project.layout import Project, Run
from core.protocol import wire
from core.protocol.events import (
    CheckpointSaved,
    Failed,
    Finished,
    PreviewReady,
    StepDone,
    Warned,
)
from core.training import clock, loop
from core.training.control import Control
from core.training.train import read_log_lines, train
from tests.e2e.test_loss import prepared_for

ROOT = Path(__file__).parents[2]


def change(project: Project, *changes: str) -> None:
    project.save(files.with_changes(project.config(), changes))


def half_done(project: Project, *changes: str) -> Run:
    """A run that was stopped in its middle."""
    change(project, "training.steps=6", "training.checkpoint_every=2", *changes)
    control = Control()
    for event in train(project, control):
        if isinstance(event, CheckpointSaved) and event.step == 2:
            control.stop.set()
    return project.run("")


def everything(run: Run) -> dict[str, bytes]:
    """All that a run wrote, its log without times."""
    found = {
        str(p.relative_to(run.root)): p.read_bytes()
        for p in sorted(run.root.rglob("*"))
        if p.is_file() and p.name not in ("log.jsonl", ".lock", "state.json")
    }
    events = []
    for line in read_log_lines(run):
        event = {k: v for k, v in json.loads(line).items() if not k.startswith("seconds")}
        if event["type"] in ("step_done", "preview_ready", "style_measured"):
            event["path"] = Path(event.get("path", "")).name
            events.append(json.dumps(event, sort_keys=True))
    return {**found, "log": "\n".join(sorted(events)).encode()}


@pytest.mark.parametrize("seed", range(2))
def test_killed_anywhere_and_resumed_everything_is_as_in_one_go(
    project: Project, tmp_path: Path, seed: int
) -> None:
    """By SIGKILL, several times, at moments that come as they come."""
    prompts = json.dumps(["a red ball", "a blue ball"])
    change(
        project, "training.steps=7", "training.checkpoint_every=2", "preview.every=3",
        f"preview.prompts={prompts}", "training.text_encoder_learning_rate=1e-3",
    )  # fmt: skip
    again = Project(shutil.copytree(project.root, tmp_path / "again" / project.root.name))
    list(train(project, Control()))
    rng = random.Random(seed)
    for attempt in range(12):
        resume = ["--resume", "newest"] if again.runs() else []
        command = [sys.executable, "stylewright.py", "train", str(again.root), "--json", *resume]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        ) as process:
            wait_for = rng.randrange(1, 6) if attempt < 5 else 10**6
            for line in process.stdout:
                event = wire.event_from(line)
                wait_for -= isinstance(event, StepDone | PreviewReady | CheckpointSaved)
                if wait_for <= 0:
                    process.kill()
                    break
            errors = process.stderr.read()
        assert b"Traceback" not in errors
        if process.returncode == 0:
            break
    assert process.returncode == 0
    one, other = everything(project.run("")), everything(again.run(""))
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def test_a_checkpoint_comes_early_and_then_every_few_minutes(project: Project) -> None:
    now = [0.0]
    config = project.config()
    ticking = clock.Clock(config, lambda: now[0])
    due = []
    for minute in range(13):
        now[0] = 60.0 * minute
        if ticking.save_due():
            due.append(minute)
            ticking.save_took(0.1)
    assert due == [1, 6, 11]
    off = replace(config, training=replace(config.training, checkpoint_minutes=0.0))
    assert not clock.Clock(off, lambda: now[0] + 1e9).save_due()


def test_a_checkpoint_by_time_gives_way_to_the_next(project: Project, monkeypatch) -> None:
    """It saves an evening; the ones that were asked for are kept."""
    change(
        project, "training.checkpoint_every=2", "training.steps=5", "training.keep_checkpoints=2"
    )
    monkeypatch.setattr(clock.Clock, "save_due", lambda _: True)
    there = [
        sorted(int(p.name[4:]) for p in project.run("").checkpoints.iterdir())
        for event in train(project, Control())
        if isinstance(event, CheckpointSaved)
    ]
    assert there == [[1], [2], [2, 3], [2, 4], [4, 5]]


def test_only_one_program_trains_a_run(project: Project) -> None:
    run = half_done(project)
    with lock.training(run):
        words = rf"is being trained already \(process {os.getpid()}"
        with pytest.raises(RunError, match=words) as caught:
            list(train(project, Control(), ""))
        assert caught.value.hint
    assert list(train(project, Control(), ""))[-1] == Finished()
    assert not (run.root / ".owner.json").exists()


def test_a_killed_program_holds_nothing(project: Project) -> None:
    run = half_done(project)
    code = (
        "import sys, time; from pathlib import Path\n"
        "from core.project import lock; from core.project.layout import Run\n"
        "with lock.training(Run(Path(sys.argv[1]))):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run.root)], stdout=subprocess.PIPE, cwd=ROOT
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match=f"process {other.pid}"):
            list(train(project, Control(), ""))
        other.kill()
    assert list(train(project, Control(), ""))[-1] == Finished()


def test_what_a_kill_left_half_written_is_swept(project: Project) -> None:
    run = half_done(project)
    litter = [run.root / ".writing-abc.part", run.previews / ".writing-x.part"]
    for path in litter:
        path.write_bytes(b"half")
    (run.checkpoints / ".step000004.part").mkdir()
    list(train(project, Control(), ""))
    assert not list(run.root.rglob("*.part"))


def test_a_base_that_has_changed_is_told(project: Project, tmp_path: Path, tiny_base: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_base, base)
    half_done(project, f"base={base}")
    from safetensors.torch import load_file, save_file

    weights = base / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["conv_in.bias"] += 1
    save_file(tensors, weights, {"format": "pt"})
    said = [e.message for e in train(project, Control(), "") if isinstance(e, Warned)]
    assert [m for m in said if "base model has changed" in m and "unet" in m]


def test_a_base_that_has_moved_can_be_found_again(project: Project, tmp_path, tiny_base) -> None:
    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    run = half_done(project, f"base={base}")
    base.rename(tmp_path / "elsewhere")
    with pytest.raises(BaseModelError, match="no base model") as caught:
        list(train(project, Control(), ""))
    assert str(run.config_file) in caught.value.hint
    config = files.with_changes(files.load(run.config_file), [f"base={tmp_path / 'elsewhere'}"])
    files.save(config, run.config_file)
    events = list(train(project, Control(), ""))
    assert not [e for e in events if isinstance(e, Warned)]
    assert events[-1] == Finished()


def test_another_precision_is_told(project: Project) -> None:
    run = half_done(project, "training.precision=float32")
    config = files.with_changes(files.load(run.config_file), ["training.precision=bfloat16"])
    files.save(config, run.config_file)
    said = [e.message for e in train(project, Control(), "") if isinstance(e, Warned)]
    assert [m for m in said if "began on CPU, float32 and goes on on CPU, bfloat16" in m]


@pytest.mark.parametrize("setting", ["adapter.rank=8", "adapter.text_encoder=false"])
def test_a_setting_that_cannot_change_is_named(project: Project, setting: str) -> None:
    run = half_done(project)
    files.save(files.with_changes(files.load(run.config_file), [setting]), run.config_file)
    name, _, value = setting.partition("=")
    with pytest.raises(RunError, match=re.escape(name)) as caught:
        list(train(project, Control(), ""))
    assert "Put" in caught.value.hint


def test_how_a_run_failed_stands_in_its_log(project: Project, monkeypatch) -> None:
    monkeypatch.setattr("core.training.step.path.target", lambda x0, *_: x0 * float("nan"))
    with pytest.raises(Exception, match="Step 1"):
        list(train(project, Control()))
    last = wire.event_from(read_log_lines(project.run(""))[-1])
    assert isinstance(last, Failed)
    assert last.code == "diverged"


def test_runs_are_found_by_number_and_a_copy_is_not_the_newest(project: Project) -> None:
    run = half_done(project)
    shutil.copytree(run.root, run.root.with_name("backup of 001"))
    second = project.new_run(project.config())
    assert project.run("") == second
    assert project.run("2") == second
    assert project.run("001") == run
    with pytest.raises(RunError, match="no run '7'") as caught:
        project.run("7")
    assert second.root.name in caught.value.hint


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_shutdown_saves_as_ctrl_c_does(project: Project, number: int) -> None:
    change(project, "training.steps=100000")
    command = [sys.executable, "stylewright.py", "train", str(project.root), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        for line in process.stdout:
            if b'"step_done"' in line:
                process.send_signal(number)
                break
        last = process.stdout.read().splitlines()[-1]
    assert process.returncode == 0
    assert wire.event_from(last) == Finished(stopped=True)
    assert project.run("").newest_checkpoint() is not None


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_reader_that_is_gone_does_not_end_the_run(project: Project, words: list[str]) -> None:
    """As in `train P | head -1`."""
    command = [sys.executable, "stylewright.py", "train", str(project.root), *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert b"Traceback" not in errors
    assert project.run("").complete(files.load(project.run("").config_file))


def test_a_console_without_a_names_letters_is_no_end(project: Project) -> None:
    (project.images / "ネコ.png").write_text("no picture")
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "stylewright.py", "check", str(project.root)],
        capture_output=True, cwd=ROOT, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"??.png: It is not a picture." in done.stdout


def test_nothing_is_trained_at_rate_zero(project: Project) -> None:
    change(project, "training.learning_rate=0", "training.text_encoder_learning_rate=0")
    with pytest.raises(RunError, match="every learning rate is 0"):
        list(train(project, Control()))
    change(project, "training.learning_rate=1e-3")
    list(train(project, Control()))
    from core.adapters import files as adapter_files

    keys = adapter_files.read(project.run("").newest_adapter())[0]
    assert all(key.startswith("lora_unet_") for key in keys)


def test_a_batch_that_cannot_be_filled_is_told(project: Project) -> None:
    change(project, "training.batch_size=64")
    events = list(train(project, Control()))
    assert [e for e in events if isinstance(e, Warned) and "batches are of 6 at most" in e.message]
    from core.adapters import files as adapter_files

    assert (
        adapter_files.read(project.run("").newest_adapter())[1]["ss_batch_size_per_device"] == "6"
    )


def test_frozen_nets_stay_in_evaluation_while_training(project: Project, monkeypatch) -> None:
    """A T5's dropout must not wake up; the adapter's own does."""
    change(project, "adapter.dropout=0.3")
    modes = []
    real = loop.train_step

    def watched(losses_of, draw, trainable, **where):
        result = real(losses_of, draw, trainable, **where)
        for net in nets:
            modes.extend((type(m).__name__, name, m.training) for name, m in net.named_modules())
        return result

    nets: list[torch.nn.Module] = []
    inject = loop.injection.train_mode

    def seen(found, *, on: bool) -> None:
        nets[:] = found.values()
        inject(found, on=on)

    monkeypatch.setattr(loop, "train_step", watched)
    monkeypatch.setattr(loop.injection, "train_mode", seen)
    list(train(project, Control()))
    awake = {name for _, name, training in modes if training}
    assert awake
    assert all(
        "lora_" in name
        or name.endswith(
            ("to_q", "to_k", "to_v", "to_out.0", "q_proj", "k_proj", "v_proj", "out_proj")
        )
        for name in awake
    )
    assert not any(name.endswith("base_layer") for name in awake)


def test_each_steps_dropout_is_its_own_and_the_same_again(project: Project, tmp_path: Path) -> None:
    change(project, "adapter.dropout=0.5", "training.steps=2")
    again = Project(shutil.copytree(project.root, tmp_path / "again"))
    left_out: list[list[torch.Tensor]] = []
    for one in (project, again):
        prepared = prepared_for(one)
        masks: list[torch.Tensor] = []
        layer = next(m for m in prepared.nets["unet"].modules() if isinstance(m, torch.nn.Dropout))
        layer.register_forward_hook(
            lambda _, x, y, masks=masks: masks.append((y == 0) & (x[0] != 0))
        )
        run = one.new_run(prepared.config)
        list(loop.steps(run, prepared, Control(), 1, clock.Clock(prepared.config)))
        left_out.append(masks[:2])
    first, second = left_out[0]
    assert 0.3 < first.float().mean() < 0.7
    assert not torch.equal(first, second)
    assert all(torch.equal(a, b) for a, b in zip(*left_out, strict=True))
