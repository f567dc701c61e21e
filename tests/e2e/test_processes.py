"""Several processes that take each step together: real ones, over real sockets.

They take seconds to start, so few runs show much each.
"""

import ast
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import core
from core.adapters import files as adapter_files
from core.cli import projects
from core.config import files
from core.errors import ConfigError, DivergedError, ProcessLostError, RunError
from core.project.layout import Project, Run, create
from core.protocol import wire
from core.protocol.commands import TrainJob
from core.protocol.events import (
    CheckpointSaved,
    Event,
    Finished,
    PreviewReady,
    RunStarted,
    StepDone,
    Verified,
    Warned,
)
from core.training import children, loop, team
from core.training.control import Control
from core.training.orders import STOP
from core.training.team import Places, Team
from core.training.train import train
from core.training.verify import verify
from tests.conftest import fill, small_config
from tests.e2e.test_worker import Pipe

ROOT = Path(__file__).parents[2]
# Sums of the same float32 numbers in another order. Measured: losses 2e-7, norms 1e-6.
BOUND = 1e-5
SLOW = 300  # seconds: processes start slowly on a busy machine
TWO = "CPU, float32, 2 processes"
DIVERGES = 5  # the step, of a run of 7


def change(project: Project, *wanted: str) -> None:
    project.save(files.with_changes(project.config(), list(wanted)))


def of(kind, events: list[Event]) -> list:
    return [e for e in events if isinstance(e, kind)]


def notes(events: list[Event]) -> list[str]:
    return [e.message for e in of(Warned, events)]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Project:
    """A run in float32, of batches that two processes share unevenly, and of two shapes."""
    project = create(tmp_path_factory.mktemp("all") / "project", small_config(str(tiny_base)))
    fill(project.images, 6)
    fill(project.images / "wide", 2, (128, 64))
    change(project, "training.precision=float32", "training.batch_size=3", "training.steps=7")
    change(project, "training.average=0.9", "dataset.caption_dropout=0.3")
    change(project, "training.checkpoint_every=2", "training.checkpoint_minutes=0")
    change(project, "training.on_divergence=go_back", "training.schedule=constant")
    return project


@pytest.fixture(scope="module")
def alone(started: Project) -> tuple[Run, list[Event]]:
    """What one process makes of it."""
    events = list(train(started, Control()))
    return started.run(""), events


@pytest.fixture
def exact(started: Project, alone: object, tmp_path: Path) -> Project:
    """The same project, all read and encoded, before its run."""
    ignored = shutil.ignore_patterns("runs")
    return Project(shutil.copytree(started.root, tmp_path / "project", ignore=ignored))


def assert_same_curve(ours: list[Event], theirs: list[Event]) -> None:
    ours, theirs = of(StepDone, ours), of(StepDone, theirs)
    assert [e.step for e in ours] == [e.step for e in theirs]
    assert [e.loss for e in ours] == pytest.approx([e.loss for e in theirs], rel=BOUND)
    assert [e.grad_norm for e in ours] == pytest.approx([e.grad_norm for e in theirs], rel=BOUND)
    assert [e.lr for e in ours] == [e.lr for e in theirs]


def assert_same_adapter(ours: Run, theirs: Run) -> None:
    for one in ("adapter", "average"):
        mine, other = (
            adapter_files.read(run.newest_checkpoint() / f"{one}.safetensors")[0]
            for run in (ours, theirs)
        )
        for name, value in mine.items():  # Adam divides small gradients by their own size
            assert (value - other[name]).abs().max() < 2e-4, name


def names_in(run: Run) -> list[str]:
    return sorted(str(path.relative_to(run.root)) for path in run.root.rglob("*"))


def test_two_processes_give_the_curve_of_one_with_the_same_batch(
    exact: Project, alone: tuple[Run, list[Event]]
) -> None:
    """Started by the window's engine."""
    pipe = Pipe()
    pipe.send(TrainJob(project=str(exact.root), processes=2))
    both = list(pipe.events())
    assert pipe.finish() == 0
    pipe.close()
    assert_same_curve(both, alone[1])
    assert_same_adapter(exact.run(""), alone[0])
    assert of(RunStarted, both)[0].device == TWO
    assert "shared unevenly" in " ".join(notes(both))
    assert names_in(exact.run("")) == names_in(alone[0])  # nobody else wrote anything
    assert len(of(PreviewReady, both)) == len(of(PreviewReady, alone[1]))
    assert both[-1] == Finished()
    with team.team(exact, Places(2), Control()) as others:
        (found,) = of(Verified, list(verify(exact, exact.run(""), Control(), others)))
    assert (found.first_step, found.last_step, found.different) == (7, 7, [])


def together(
    project: Project,
    events: list[Event],
    resume: str | None = None,
    on: tuple[int, Callable[[Team], object]] = (0, lambda _: None),
    places: Places = Places(2),  # noqa: B008 - a frozen value
) -> None:
    """A run of several processes of which this is the first; `on` is what to do at a step."""
    control, (at, do) = Control(), on
    with team.team(project, places, control) as others:
        for event in train(project, control, resume, others):
            events.append(event)
            if isinstance(event, StepDone) and event.step == at:
                do(others)


def test_what_happens_to_one_process_is_met_by_all(
    exact: Project, tmp_path: Path, monkeypatch
) -> None:
    """Its memory is too small, its loss no number; it is killed, another one hangs.

    In the end there is the run of one process to which only the second has happened.
    """
    alone = diverging_alone(Project(shutil.copytree(exact.root, tmp_path / "alone")), monkeypatch)
    faulty = [sys.executable, "-m", "tests.faulty_worker", str(tmp_path / "was-nan"), f"{DIVERGES}"]
    monkeypatch.setattr(children, "worker_command", lambda: faulty)
    events: list[Event] = []
    with pytest.raises(ProcessLostError, match="Process 2 of 2 is lost.*by signal 9") as told:
        together(exact, events, on=(3, lambda others: others._children[0].process.kill()))
    assert "can be resumed, with any number of processes" in told.value.hint
    assert of(CheckpointSaved, events)[-1].step == 3  # which was not due
    said = notes(events)
    (once,) = [note for note in said if "too small for the whole batch" in note]
    assert "1 of its" in once  # of a share of 2

    monkeypatch.setattr(team, "SILENT_SECONDS", 12.0)  # of which a sign comes every 5
    monkeypatch.setattr(children, "PATIENCE_SECONDS", 0.5)
    resumed: list[Event] = []
    stop = (6, lambda others: others._children[0].process.send_signal(signal.SIGSTOP))
    with pytest.raises(ProcessLostError, match="Process 2 of 2 .* no sign of life for 12 s"):
        together(exact, resumed, "", stop)
    assert of(RunStarted, resumed)[0].first_step == 4
    said = notes(resumed)
    assert sum("layers are computed anew on the way back" in note for note in said) == 1
    assert sum(f"Step {DIVERGES}" in note and "the loss is nan" in note for note in said) == 1
    assert exact.run("").newest_checkpoint() == exact.run("").checkpoint(6)

    last = list(train(exact, Control(), ""))
    assert of(RunStarted, last)[0].first_step == 7
    assert any(TWO in note for note in notes(last))
    assert_same_curve(events + resumed + last, alone)


def diverging_alone(project: Project, monkeypatch) -> list[Event]:
    """A run of one process that goes back once."""
    real, told = loop.train_step, []

    def train_step(*given, step: int, **more):
        if step == DIVERGES and not told:
            told.append(step)
            raise DivergedError("The loss is nan.", hint="")
        return real(*given, step=step, **more)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "train_step", train_step)
        events = list(train(project, Control()))
    rates = [e.lr for e in of(StepDone, events)]
    assert rates[DIVERGES - 1 :] == [rates[0] / 2] * 3
    return events


def test_a_batch_too_small_to_share_is_refused_before_anything_loads(project: Project) -> None:
    change(project, "training.batch_size=1")
    places = Places(1, ("a", "b"), port=free_port())
    with (
        team.team(project, places, Control()) as others,
        pytest.raises(ConfigError, match="A step of 1 picture cannot be shared by 2") as told,
    ):
        list(train(project, Control(), None, others))
    assert "multiple of 2" in told.value.hint
    assert not project.runs()


def test_a_port_that_is_taken_is_named(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        places = projects.places_of(1, "127.0.0.1, other", 0, port)
        with (
            pytest.raises(RunError, match=f"port {port}") as told,
            team.team(project, places, Control()),
        ):
            pass
    assert "--port" in told.value.hint


def test_a_machine_that_is_not_named_is_refused() -> None:
    with pytest.raises(ConfigError, match="no machine of rank 2: 2 are named"):
        projects.places_of(1, "a,b", 2, 29500)
    assert projects.places_of(1, "a", 0, 29500) is None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


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
def test_a_run_goes_from_machine_to_machine(
    exact: Project, alone: tuple[Run, list[Event]], tmp_path: Path
) -> None:
    """Two machines, of which the other is stopped; two processes, of which the first is killed; one.

    Ctrl+C saves first, on any machine; killed, the run goes on from its last checkpoint.
    """
    port, events = free_port(), list[Event]()
    names = "127.0.0.1,localhost"  # both are this one here
    second = command(exact, "--machines", names, "--port", str(port), "--machine-rank", "1")

    def stop_there(others: Team) -> None:
        second.send_signal(signal.SIGINT)
        assert others._link.wait([STOP], lambda: second.poll() is not None)

    places = projects.places_of(1, names, 0, port)
    together(exact, events, None, (2, stop_there), places)
    assert second.wait(SLOW) == 0, second.stderr.read()
    assert any(json.loads(line).get("phase") == "Sharing steps" for line in second.stdout)
    close(second)
    assert events[-1] == Finished(stopped=True)
    assert of(CheckpointSaved, events)[-1].step == of(StepDone, events)[-1].step == 3

    first = command(exact, "--processes", "2", "--resume", "newest")
    for event in read(first):
        events.append(event)
        if isinstance(event, StepDone) and event.step == 4:
            others = beside(first)
        if isinstance(event, CheckpointSaved) and event.step == 4:
            first.kill()
    first.wait(SLOW)
    assert len(others) == 1
    assert gone(others)
    close(first)
    saved = of(CheckpointSaved, events)[-1].step
    events = [e for e in events if not isinstance(e, StepDone) or e.step <= saved]

    resumed = list(train(exact, Control(), ""))
    assert [e.first_step for e in of(RunStarted, [*events, *resumed])] == [1, 4, saved + 1]
    assert_same_curve(events + resumed, alone[1])
    assert_same_adapter(exact.run(""), alone[0])


def imported(module: str, known: dict[str, Path]) -> set[str]:
    """Which of the known modules it loads when it is loaded."""
    tree = ast.parse(known[module].read_text(encoding="utf-8"))
    found = set()
    for node in tree.body:  # not what stands in functions, or under TYPE_CHECKING
        if isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found & known.keys()


def test_one_process_loads_nothing_of_it() -> None:
    root = Path(core.__file__).parent
    known = {
        ".".join(("core", *path.relative_to(root).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): path
        for path in root.rglob("*.py")
    }
    seen: set[str] = set()
    waiting = ["core.worker.jobs", "core.training.train", "core.training.verify", "core.cli"]
    while waiting:
        if (module := waiting.pop()) not in seen:
            seen.add(module)
            waiting += imported(module, known)
    assert {"core.training.loop", "core.cli.projects"} <= seen
    ours = {f"core.training.{name}" for name in ("team", "member", "link", "orders", "children")}
    assert ours <= known.keys()
    assert not ours & seen
