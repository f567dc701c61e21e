"""A learning rate is found by a short run: alike each time, nothing changed, sane on a real base."""

import hashlib
import json
import statistics
from pathlib import Path

import pytest
from msgspec.structs import replace

from core.cli import main
from core.config import files
from core.data import batches
from core.errors import RunError
from core.project.demo import create_demo, demo_config
from core.project.layout import Project
from core.protocol.commands import RateJob, Stop
from core.protocol.events import Failed, Finished, RateFound, RateTried
from core.training import heldout, loop, rate_finder, sweep
from core.training.control import Control
from tests.e2e.test_loss import prepared_for
from tests.e2e.test_worker import Pipe, pipe  # noqa: F401 - a fixture

TRIAL_STEPS = 50


def change(project: Project, *wanted: str) -> None:
    project.save(files.with_changes(project.config(), list(wanted)))


def contents(project: Project) -> dict[str, str]:
    """All of a project but its cache, which is anyone's to remove."""
    return {
        str(path.relative_to(project.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in project.root.rglob("*")
        if path.is_file() and project.cache not in path.parents
    }


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "STEPS", 24)


def found_of(project: Project, *changes: str) -> tuple[list[RateTried], RateFound]:
    config = files.with_changes(project.config(), list(changes))
    events = list(rate_finder.find(project, config, Control()))
    assert events[-1] == Finished()
    tried = [e for e in events if isinstance(e, RateTried)]
    return tried, next(e for e in events if isinstance(e, RateFound))


@pytest.mark.usefixtures("quick")
def test_the_same_project_gives_the_same_answer_and_stays(project: Project) -> None:
    """Whatever rate it has now, and whatever course that would take."""
    before = contents(project)
    first = found_of(project)
    assert first == found_of(project)
    assert contents(project) == before
    others = "training.warmup_steps=1", "training.schedule=linear", "training.average=0.9"
    rates = "training.learning_rate=2e-3", "training.text_encoder_learning_rate=1e-4"
    assert first[0] == found_of(project, *others, *rates)[0]
    assert [one.rate for one in first[0]] == pytest.approx(
        [sweep.rate_of(step, 1e-4) for step in range(4, 25, 4)][: len(first[0])]
    )
    assert len(first[1].smoothed) == len(first[0])


@pytest.mark.usefixtures("quick")
def test_the_losses_are_those_of_the_same_noise_at_rising_rates(project: Project) -> None:
    """By hand: the run's own steps, each at its rate."""
    own = "training.steps=24"  # by hand no part stands still before
    change(project, "training.precision=float32", "dataset.held_out=0.4", own)
    tried, _ = found_of(project)
    prepared = prepared_for(project)
    plan = batches.plan(prepared.items, prepared.batch_size, prepared.config.training.seed, 1)
    losses = []
    for step, samples in zip(range(1, 25), plan, strict=False):
        for group in prepared.trainable.optimizer.param_groups:
            share = group["peak"] / prepared.config.training.learning_rate
            group["lr"] = sweep.rate_of(step, 1e-4) * share
        draw = batches.draw(
            prepared.items, samples, prepared.config, step=step, batch_size=prepared.batch_size
        )
        loop.one_step(prepared, draw, step, prepared.batch_size)
        if step % 4 == 0:
            losses.append(
                statistics.fmean(heldout.losses(prepared, prepared.batch_size, rate_finder.TIMES))
            )
    assert [one.loss for one in tried] == pytest.approx(losses, rel=1e-5)


@pytest.mark.usefixtures("quick")
def test_what_diverges_ends_the_sweep(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers without end, or a loss far above the untrained one, are no points of it."""
    monkeypatch.setattr(sweep, "REACH", 1e30)
    tried, found = found_of(project)
    assert 0 < len(tried) < 6
    assert len(found.smoothed) == len(tried)
    monkeypatch.setattr(sweep, "TOO_HIGH", 0.5)
    tried, found = found_of(project)
    assert (tried, found.rate) == ([], 0)
    assert "almost at once" in found.words


@pytest.mark.parametrize(
    ("name", "words"), [("prodigy", "finds its rate by itself"), ("schedule_free", "averages its")]
)
def test_there_may_be_nothing_to_find(project: Project, name: str, words: str) -> None:
    """Said before anything is loaded."""
    change(project, "training.text_encoder_learning_rate=0", "training.schedule=constant")
    change(project, f"training.optimizer={name}", "base=nowhere")
    with pytest.raises(RunError, match=words):
        next(rate_finder.find(project, project.config(), Control()))


def test_a_denoiser_that_learns_nothing_has_no_rate(project: Project) -> None:
    change(project, "training.learning_rate=0")
    with pytest.raises(RunError, match="only text encoders learn"):
        next(rate_finder.find(project, project.config(), Control()))


def fake(rate: float):
    def find(_project: Project, _config, _control: Control):
        yield RateTried(rate=1e-4, loss=0.1)
        yield RateFound(
            rate=rate,
            text_encoder_rate=rate / 4,
            least=rate,
            most=rate,
            words="So.",
            smoothed=[0.1],
        )
        yield Finished()

    return find


def test_the_command_changes_nothing_unless_told_to(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_finder, "find", fake(3e-4))
    before = contents(project)
    assert main(["rate", str(project.root)]) == 0
    assert "training.learning_rate = 0.0003" in capsys.readouterr().out
    assert contents(project) == before
    assert main(["rate", str(project.root), "--write", "--set", "training.batch_size=3"]) == 0
    training = project.config().training
    assert (training.learning_rate, training.batch_size) == (3e-4, 3)
    assert training.text_encoder_learning_rate == 3e-4 / 4
    capsys.readouterr()
    assert main(["rate", str(project.root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["rate"] == 1e-4


def test_the_command_says_that_nothing_was_found(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_finder, "find", fake(0))
    before = contents(project)
    assert main(["rate", str(project.root), "--write"]) == 2
    assert "So." in capsys.readouterr().err
    assert contents(project) == before


def test_the_worker_tells_and_stops(pipe: Pipe, project: Project) -> None:  # noqa: F811
    before = contents(project)
    pipe.send(RateJob(project=str(project.root)))
    pipe.until(RateTried)
    pipe.send(Stop())
    rest = list(pipe.events())
    assert rest[-1] == Finished(stopped=True)
    assert not any(isinstance(event, RateFound) for event in rest)
    assert pipe.finish() == 0
    assert contents(project) == before


def test_the_worker_says_why_there_is_nothing(pipe: Pipe, project: Project) -> None:  # noqa: F811
    change(project, "training.learning_rate=1", "training.text_encoder_learning_rate=0")
    change(project, "training.optimizer=prodigy")
    pipe.send(RateJob(project=str(project.root)))
    failed = pipe.until(Failed)
    assert "nothing to find" in failed.message
    assert failed.traceback == ""


def test_the_proposal_beats_a_tenth_and_ten_times_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the demo base: runs that are alike but for the rate, judged by pictures held out."""
    monkeypatch.setattr(sweep, "STEPS", 60)
    config = demo_config(TRIAL_STEPS, prompts=1)
    config = files.with_changes(
        config, ["dataset.resolution_px=64", "dataset.held_out=0.2", "training.batch_size=4"]
    )
    project = create_demo(tmp_path / "demo", config)
    found = found_of(project)[1]
    assert found.least <= found.rate <= found.most

    def judged(factor: float) -> float:
        proposed = replace(found, rate=found.rate * factor)
        project.save(rate_finder.accepted(config, proposed))
        prepared = prepared_for(project)
        plan = batches.plan(prepared.items, prepared.batch_size, config.training.seed, 1)
        for step, samples in zip(range(1, TRIAL_STEPS + 1), plan, strict=False):
            list(loop.taken(prepared, samples, step))
        return statistics.fmean(heldout.losses(prepared, prepared.batch_size))

    tenth, once, tenfold = map(judged, (0.1, 1, 10))
    assert once < tenth
    assert once < tenfold
