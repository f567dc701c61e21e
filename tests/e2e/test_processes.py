"""Several processes that take each step together: real ones, over real sockets."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.adapters import files as adapter_files
from core.config import files
from core.errors import ConfigError, ProcessLostError
from core.project.layout import Project
from core.protocol import wire
from core.protocol.commands import TrainJob
from core.protocol.events import (
    CheckpointSaved,
    Event,
    Finished,
    PreviewReady,
    RunStarted,
    StepDone,
    Warned,
)
from core.training import children, team
from core.training.control import Control
from core.training.team import Places
from core.training.train import train
from tests.conftest import fill
from tests.e2e.test_worker import Pipe

ROOT = Path(__file__).parents[2]
# Sums of the same float32 numbers in another order. Measured: losses 2e-7, norms 1e-6.
BOUND = 1e-5
SLOW = 300  # seconds: processes start slowly on a busy machine


def change(project: Project, *wanted: str) -> None:
    project.save(files.with_changes(project.config(), list(wanted)))


def of(kind, events: list[Event]) -> list:
    return [e for e in events if isinstance(e, kind)]


def together(
    project: Project, on: dict | None = None, events: list[Event] | None = None
) -> list[Event]:
    """A run of two processes; `on` is what to do to the other one at a step."""
    control = Control()
    events = [] if events is None else events
    with team.team(project, Places(2), control) as others:
        for event in train(project, control, None, others):
            events.append(event)
            if isinstance(event, StepDone) and event.step in (on or {}):
                on[event.step](others._children[0].process)
    return events


def assert_same_curve(ours: list[Event], theirs: list[Event]) -> None:
    ours, theirs = of(StepDone, ours), of(StepDone, theirs)
    assert [e.step for e in ours] == [e.step for e in theirs]
    assert [e.loss for e in ours] == pytest.approx([e.loss for e in theirs], rel=BOUND)
    assert [e.grad_norm for e in ours] == pytest.approx([e.grad_norm for e in theirs], rel=BOUND)
    assert [e.lr for e in ours] == [e.lr for e in theirs]


@pytest.fixture
def exact(project: Project) -> Project:
    """A run in float32, of batches that two processes share unevenly, and of two shapes."""
    fill(project.images / "wide", 2, (128, 64))
    change(project, "training.precision=float32", "training.batch_size=3", "training.steps=6")
    change(project, "training.average=0.9", "dataset.caption_dropout=0.3")
    return project


@pytest.fixture
def alone(exact: Project, tmp_path: Path) -> list[Event]:
    """What one process makes of it."""
    return list(train(Project(shutil.copytree(exact.root, tmp_path / "alone")), Control()))


def test_two_processes_give_the_curve_of_one_with_the_same_batch(
    exact: Project, alone: list[Event], tmp_path: Path
) -> None:
    both = together(exact)
    assert_same_curve(both, alone)
    assert of(RunStarted, both)[0].device == "CPU, float32, 2 processes"
    assert "shared unevenly" in " ".join(e.message for e in of(Warned, both))
    ours, theirs = exact.run(""), Project(tmp_path / "alone").run("")
    named = [
        sorted(str(p.relative_to(run.root)) for p in run.root.rglob("*")) for run in (ours, theirs)
    ]
    assert named[0] == named[1]  # nobody else wrote anything
    for one in ("adapter", "average"):
        mine, other = (
            adapter_files.read(run.newest_checkpoint() / f"{one}.safetensors")[0]
            for run in (ours, theirs)
        )
        for name, value in mine.items():  # Adam divides small gradients by their own size
            assert (value - other[name]).abs().max() < 2e-4, name
    assert len(of(PreviewReady, both)) == len(of(PreviewReady, alone))


def test_a_process_that_is_killed_ends_the_run_with_a_checkpoint(
    exact: Project, alone: list[Event]
) -> None:
    """It can be resumed by one process, which goes on as the whole run would have."""
    events: list[Event] = []
    began = []

    def kill(other: subprocess.Popen[bytes]) -> None:
        other.kill()
        began.append(time.monotonic())

    with pytest.raises(ProcessLostError, match="Process 2 of 2 is lost.*by signal 9") as told:
        together(exact, {2: kill}, events)
    assert time.monotonic() - began[0] < 30
    assert "can be resumed, with any number of processes" in told.value.hint
    assert [e.step for e in of(CheckpointSaved, events)] == [2]
    resumed = list(train(exact, Control(), ""))
    assert of(RunStarted, resumed)[0].first_step == 3
    assert any("CPU, float32, 2 processes" in e.message for e in of(Warned, resumed))
    assert_same_curve(of(StepDone, events) + of(StepDone, resumed), alone)
    assert exact.run("").complete(files.load(exact.run("").config_file))


def test_a_process_that_hangs_is_found_out(exact: Project, monkeypatch) -> None:
    monkeypatch.setattr(team, "SILENT_SECONDS", 12.0)  # of which a sign comes every 5
    monkeypatch.setattr(children, "PATIENCE_SECONDS", 0.5)
    with pytest.raises(ProcessLostError, match="Process 2 of 2 .* no sign of life for 12 s"):
        together(exact, {1: lambda child: child.send_signal(signal.SIGSTOP)})
    assert exact.run("").newest_checkpoint() == exact.run("").checkpoint(1)


def test_what_fails_in_one_process_is_met_by_all(
    exact: Project, tmp_path: Path, monkeypatch
) -> None:
    """A memory that is too small halves the parts; a loss that is no number lets all go back."""
    change(
        exact, "training.batch_size=6", "training.checkpoint_every=1", 'dataset.folders=["images"]'
    )
    shutil.rmtree(exact.images / "wide")
    change(exact, "training.on_divergence=go_back", "training.schedule=constant")
    faulty = [sys.executable, "-m", "tests.faulty_worker", str(tmp_path / "was-nan")]
    monkeypatch.setattr(children, "worker_command", lambda: faulty)
    events = together(exact)
    notes = [e.message for e in of(Warned, events)]
    assert sum("memory is too small" in note for note in notes) == 2  # of 3 pictures 2, then 1
    assert any("Step 4" in note and "the loss is nan" in note for note in notes)
    assert [e.step for e in of(StepDone, events)] == [1, 2, 3, 4, 5, 6]
    rates = [e.lr for e in of(StepDone, events)]
    assert rates[3:] == [rates[0] / 2] * 3
    assert events[-1] == Finished()


def test_the_engine_of_the_window_starts_them_too(exact: Project) -> None:
    change(exact, "training.steps=2")
    pipe = Pipe()
    pipe.send(TrainJob(project=str(exact.root), processes=2))
    events = list(pipe.events())
    assert pipe.finish() == 0
    pipe.close()
    assert of(RunStarted, events)[0].device == "CPU, float32, 2 processes"
    assert len(of(StepDone, events)) == 2
    assert events[-1] == Finished()


def test_a_batch_too_small_to_share_is_refused_before_anything_loads(project: Project) -> None:
    change(project, "training.batch_size=1")
    with pytest.raises(ConfigError, match="A step of 1 picture cannot be shared by 2") as told:
        together(project)
    assert "multiple of 2" in told.value.hint
    assert not project.runs()


def test_a_port_that_is_taken_is_named(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command(project, "--machines", "127.0.0.1,other", "--port", str(port))
        assert done.wait(SLOW) == 2
        words = done.stderr.read().decode()
        assert f"port {port}" in words
        assert "--port" in words
        close(done)


def command(project: Project, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "stylewright.py", "train", str(project.root), "--json", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def close(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()


def read(process: subprocess.Popen[bytes]) -> Iterator[Event]:
    for line in process.stdout:
        yield wire.event_from(line)


def beside(process: subprocess.Popen[bytes]) -> list[int]:
    """The workers of a process."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
    )
    return [int(pid) for pid in listed.stdout.split()]


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def gone(pids: list[int], seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.1)
    return not any(map(alive, pids))


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_they_end_together(exact: Project, alone: list[Event], number: int) -> None:
    """Ctrl+C saves first; killed, the run goes on from its last checkpoint."""
    change(exact, "training.checkpoint_every=2")
    process = command(exact, "--processes", "2")
    events: list[Event] = []
    for event in read(process):
        events.append(event)
        if isinstance(event, StepDone) and event.step == 3:
            others = beside(process)
            assert len(others) == 1
            os.kill(process.pid, number)
    code = process.wait(SLOW)
    assert gone(others)
    close(process)
    if number == signal.SIGINT:
        assert code == 0
        assert events[-1] == Finished(stopped=True)
    saved = of(CheckpointSaved, events)[-1].step
    assert saved >= (3 if number == signal.SIGINT else 2)
    resumed = list(train(exact, Control(), ""))
    assert of(RunStarted, resumed)[0].first_step == saved + 1
    before = [e for e in of(StepDone, events) if e.step <= saved]
    assert_same_curve(before + of(StepDone, resumed), alone)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_two_machines_share_a_run_and_either_can_stop_it(exact: Project) -> None:
    """The same command on each; both are this one here."""
    change(exact, "training.steps=400")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    where = ("--machines", "127.0.0.1,localhost", "--port", str(port))
    first, second = command(exact, *where), command(exact, *where, "--machine-rank", "1")
    events: list[Event] = []
    for event in read(first):
        events.append(event)
        if isinstance(event, StepDone) and event.step == 2:
            second.send_signal(signal.SIGINT)
    assert first.wait(SLOW) == 0, first.stderr.read()
    assert second.wait(SLOW) == 0, second.stderr.read()
    assert events[-1] == Finished(stopped=True)
    last = of(StepDone, events)[-1].step
    assert 2 <= last < 400
    assert exact.run("").newest_checkpoint() == exact.run("").checkpoint(last)
    told = [json.loads(line) for line in second.stdout]
    assert any(e.get("phase") == "Sharing steps" for e in told)
    close(first)
    close(second)


def test_one_process_knows_nothing_of_it() -> None:
    code = (
        "import sys, core.worker.jobs, core.training.train, core.training.verify, core.cli\n"
        "ours = [n for n in ('team', 'member', 'link', 'children') "
        "if 'core.training.' + n in sys.modules]\n"
        "assert not ours, ours"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
