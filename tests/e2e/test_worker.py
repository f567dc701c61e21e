"""The real worker over its real pipe."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.config import files
from core.project.layout import Project
from core.protocol import wire
from core.protocol.commands import Command, Draw, ExportJob, SampleJob, Stop, TrainJob
from core.protocol.events import (
    AdapterSaved,
    Event,
    Failed,
    Finished,
    Hello,
    PictureDrawn,
    RunStarted,
    StepDone,
)

ROOT = Path(__file__).parents[2]


class Pipe:
    """The app's side of a worker."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "core.worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def send(self, command: Command) -> None:
        self.process.stdin.write(wire.to_line(command))
        self.process.stdin.flush()

    def events(self) -> Iterator[Event]:
        for line in self.process.stdout:
            yield wire.event_from(line)

    def until(self, kind: type) -> Event:
        return next(e for e in self.events() if isinstance(e, kind))

    def finish(self) -> int:
        self.process.stdin.close()
        return self.process.wait(60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            stream.close()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def endless(project: Project) -> TrainJob:
    changes = ["training.steps=100000", "training.checkpoint_every=3"]
    project.save(files.with_changes(project.config(), changes))
    return TrainJob(project=str(project.root))


def test_a_job_from_hello_to_finished(pipe: Pipe, project: Project) -> None:
    pipe.send(TrainJob(project=str(project.root)))
    events = list(pipe.events())
    assert isinstance(events[0], Hello)
    assert events[0].pid == pipe.process.pid
    assert events[-1] == Finished()
    assert pipe.finish() == 0


def test_stop_saves_and_ends(pipe: Pipe, project: Project) -> None:
    pipe.send(endless(project))
    pipe.until(StepDone)
    pipe.send(Stop())
    events = list(pipe.events())
    assert any(isinstance(e, AdapterSaved) for e in events)
    assert events[-1] == Finished(stopped=True)
    assert pipe.finish() == 0


def test_the_end_of_the_app_saves_and_ends(pipe: Pipe, project: Project) -> None:
    pipe.send(endless(project))
    pipe.until(StepDone)
    pipe.process.stdin.close()
    events = list(pipe.events())
    assert events[-1] == Finished(stopped=True)
    assert pipe.process.wait(60) == 0
    assert project.run("").newest_checkpoint() is not None


def test_sigkill_leaves_a_run_that_goes_on(project: Project, pipe: Pipe) -> None:
    pipe.send(endless(project))
    started = pipe.until(RunStarted)
    assert isinstance(started, RunStarted)
    next(e for e in pipe.events() if isinstance(e, StepDone) and e.step == 5)
    os.kill(pipe.process.pid, signal.SIGKILL)
    pipe.process.wait()
    again = Pipe()
    again.send(TrainJob(project=str(project.root), resume=started.run))
    resumed = again.until(RunStarted)
    assert isinstance(resumed, RunStarted)
    assert resumed.first_step > 3
    again.send(Stop())
    assert list(again.events())[-1] == Finished(stopped=True)
    assert again.finish() == 0
    again.close()


def test_a_user_error_is_told_with_exit_code_2(pipe: Pipe, tmp_path: Path) -> None:
    pipe.send(TrainJob(project=str(tmp_path)))
    failure = pipe.until(Failed)
    assert isinstance(failure, Failed)
    assert "project.toml" in failure.message
    assert failure.hint
    assert not failure.traceback
    assert pipe.finish() == 2


def test_a_bug_is_told_with_its_traceback_and_exit_code_1(pipe: Pipe) -> None:
    pipe.process.stdin.write(b'{"type": "novelty"}\n')
    pipe.process.stdin.flush()
    failure = pipe.until(Failed)
    assert isinstance(failure, Failed)
    assert failure.code == "bug"
    assert "Traceback" in failure.traceback
    assert pipe.finish() == 1


def test_prints_of_a_library_do_not_break_the_wire(project: Project) -> None:
    """Also those that come from C."""
    code = (
        "import os, sys, threading;"
        "from core.worker import pipe;"
        "p = pipe.Pipe(sys.stdin.buffer, pipe.claim_stdout());"
        "print('loose words'); os.write(1, b'from C\\n');"
        "from core.protocol.events import Finished; p.send(Finished())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert wire.event_from(done.stdout) == Finished()
    assert b"from C" in done.stderr
    assert b"loose words" in done.stderr


def test_a_sample_worker_draws_what_it_is_told(
    pipe: Pipe, project: Project, tmp_path: Path
) -> None:
    base = project.config().base
    pipe.send(SampleJob(base=base))
    for seed in (1, 2):
        out = tmp_path / f"{seed}.png"
        size = {"width_px": 64, "height_px": 64, "inference_steps": 2, "guidance": 3.0}
        pipe.send(Draw(prompt="a ball", seed=seed, out=str(out), **size))
        drawn = pipe.until(PictureDrawn)
        assert isinstance(drawn, PictureDrawn)
        assert drawn.seed == seed
        assert out.exists()
    assert (tmp_path / "1.png").read_bytes() != (tmp_path / "2.png").read_bytes()
    assert pipe.finish() == 0


def test_a_sample_worker_draws_with_an_adapter_as_strongly_as_told(
    pipe: Pipe, project: Project, tmp_path: Path
) -> None:
    from core.training.control import Control
    from core.training.train import train

    project.save(files.with_changes(project.config(), ["training.learning_rate=0.05"]))
    list(train(project, Control()))
    adapter = str(project.run("").newest_adapter())
    pipe.send(SampleJob(base=project.config().base))
    drawn = []
    for weight in (0.0, 0.5, 1.0):
        out = tmp_path / f"{weight}.png"
        worn = {adapter: weight}
        size = {"width_px": 64, "height_px": 64, "inference_steps": 2}
        pipe.send(Draw(prompt="a ball", out=str(out), adapters=worn, **size))
        pipe.until(PictureDrawn)
        drawn.append(out.read_bytes())
    assert len(set(drawn)) == 3
    assert pipe.finish() == 0


def test_an_export_job_writes_the_file(pipe: Pipe, project: Project, tmp_path: Path) -> None:
    from core.training.control import Control
    from core.training.train import train

    list(train(project, Control()))
    out = tmp_path / "out.safetensors"
    pipe.send(ExportJob(source=str(project.run("").root), format="diffusers", out=str(out)))
    assert pipe.until(Finished)
    assert out.exists()


def test_words_it_does_not_know_leave_it_able_to_hear_stop(pipe: Pipe, project: Project) -> None:
    pipe.send(endless(project))
    pipe.until(StepDone)
    pipe.process.stdin.write(b'{"type": "novelty"}\nno JSON at all\n')
    pipe.send(Stop())
    assert list(pipe.events())[-1] == Finished(stopped=True)
    assert pipe.finish() == 0
