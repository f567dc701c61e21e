"""One owner of workers and of the device: a queue; what draws makes room."""

from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from app.process.jobs import Jobs
from app.process.maker import Maker
from app.process.sampler import Sampler
from app.process.session import Session, State
from core.protocol.commands import Draw, ExportJob, PreviewNow, SampleJob, Stop, TrainJob
from core.protocol.events import (
    CheckpointSaved,
    Failed,
    FileMade,
    Finished,
    PictureDrawn,
    PreviewReady,
    Progress,
    RunStarted,
    StepDone,
)
from tests.gui.fake_worker import FakeWorker

WISH = Draw(prompt="a fox", out="o.png")
FIRST, SECOND = SampleJob(base="a"), SampleJob(base="b")


@pytest.fixture
def owner(qtbot: QtBot) -> QObject:
    return QObject()


@pytest.fixture
def jobs(owner: QObject, workers: list[FakeWorker]) -> Jobs:
    return Jobs(owner, make_worker=FakeWorker)


def running(workers: list[FakeWorker]) -> list[FakeWorker]:
    return [worker for worker in workers if worker.running]


def test_another_adapter_waits_until_the_first_engine_is_gone(
    jobs: Jobs, owner: QObject, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    sampler = Sampler(jobs, owner)
    failures = []
    sampler.failed.connect(failures.append)
    sampler.draw(FIRST, WISH)
    assert workers[0].heard == [WISH]
    sampler.draw(SECOND, WISH)
    assert len(running(workers)) == 1
    qtbot.waitUntil(lambda: len(workers) == 2)
    assert not workers[0].running
    assert (workers[1].job, workers[1].heard) == (SECOND, [WISH])
    assert not failures  # it was ended on purpose


def test_the_same_models_are_kept_between_pictures(
    jobs: Jobs, owner: QObject, workers: list[FakeWorker]
) -> None:
    sampler = Sampler(jobs, owner)
    drawn = []
    sampler.drawn.connect(drawn.append)
    picture = PictureDrawn(path="o.png", prompt="a fox", seed=1, weight=1.0)
    sampler.draw(FIRST, WISH)
    workers[0].tell(picture)
    sampler.draw(FIRST, Draw(prompt="a whale", out="p.png"))
    assert len(workers) == 1
    assert [word.prompt for word in workers[0].heard] == ["a fox", "a whale"]
    assert drawn == [picture]


def test_ending_ends_all(jobs: Jobs, owner: QObject, workers: list[FakeWorker]) -> None:
    sampler = Sampler(jobs, owner)
    sampler.draw(FIRST, WISH)
    sampler.draw(SECOND, WISH)
    jobs.end()
    assert not running(workers)
    assert len(workers) == 1  # what waited never began


def test_a_run_takes_the_place_of_what_draws(
    jobs: Jobs, owner: QObject, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    sampler, session = Sampler(jobs, owner), Session(jobs, owner)
    sampler.draw(FIRST, WISH)
    session.train(Path("p"))
    assert session.phase == "Waiting for the engine"
    assert workers[0].killed
    qtbot.waitUntil(lambda: len(workers) == 2)
    assert running(workers) == workers[1:]
    assert isinstance(workers[1].job, TrainJob)


def test_an_export_lets_the_picture_in_hand_be_drawn(
    jobs: Jobs, owner: QObject, workers: list[FakeWorker]
) -> None:
    sampler, maker = Sampler(jobs, owner), Maker(jobs, owner)
    sampler.draw(FIRST, WISH)
    maker.make(ExportJob(source="a", format="diffusers", out="b"))
    assert (workers[0].closed, workers[0].killed) == (True, False)
    assert maker.waiting
    workers[0].end()
    assert workers[1].job == ExportJob(source="a", format="diffusers", out="b")


def test_an_export_waits_for_a_run_and_is_told(
    jobs: Jobs, owner: QObject, workers: list[FakeWorker]
) -> None:
    session, maker = Session(jobs, owner), Maker(jobs, owner)
    saved, failed = [], []
    maker.made.connect(lambda event: saved.append(event.path))
    maker.failed.connect(failed.append)
    session.train(Path("p"))
    maker.make(ExportJob(source="a", format="kohya", out="b"))
    assert len(workers) == 1
    assert jobs.pending
    workers[0].end()
    workers[1].tell(FileMade(path="b", words="1 layer."))
    workers[1].end()
    assert (saved, failed, maker.busy, jobs.pending) == (["b"], [], False, False)
    maker.make(ExportJob(source="a", format="kohya", out="c"))
    workers[2].end(Failed(code="x", message="No."))
    assert [failure.message for failure in failed] == ["No."]


def test_a_run_that_waits_can_be_stopped(
    jobs: Jobs, owner: QObject, workers: list[FakeWorker]
) -> None:
    maker, session = Maker(jobs, owner), Session(jobs, owner)
    maker.make(ExportJob(source="a", format="kohya", out="b"))
    session.train(Path("p"))
    session.stop()
    assert session.state is State.IDLE
    workers[0].end()
    assert len(workers) == 1


def started(steps: int = 300) -> RunStarted:
    return RunStarted(
        run="001-x", steps=steps, first_step=1, trainable=1, total=2, pictures=3, device="CPU"
    )


def step(number: int = 5) -> StepDone:
    return StepDone(step=number, loss=0.5, lr=0.1, grad_norm=1, seconds=1, seconds_left=60)


@pytest.fixture
def session(jobs: Jobs, owner: QObject, workers: list[FakeWorker]) -> Session:
    made = Session(jobs, owner)
    made.train(Path("p"))
    workers[0].tell(started(), step())
    return made


def test_previews_are_asked_for_and_the_wish_is_seen(
    session: Session, workers: list[FakeWorker]
) -> None:
    session.preview_now()
    assert workers[0].heard == [PreviewNow()]
    assert session.previews_wished
    workers[0].tell(step(6))
    assert session.previews_wished
    workers[0].tell(PreviewReady(step=0, index=3, prompt="x", seed=1, path="x"))
    assert session.previews_wished  # that one is of the untrained base
    workers[0].tell(PreviewReady(step=6, index=0, prompt="x", seed=1, path="x"))
    assert not session.previews_wished


def test_stop_is_said_once_and_named_for_what_it_waits_for(
    session: Session, workers: list[FakeWorker]
) -> None:
    from app.process.session import status_line

    workers[0].tell(Progress(phase="Drawing previews", done=0, total=4))
    session.stop_or_end_now()
    session.stop_or_end_now()
    assert workers[0].heard == [Stop()]
    assert status_line(session) == "Stopping the drawing"
    workers[0].tell(PreviewReady(step=5, index=0, prompt="x", seed=1, path="x"), step(6))
    assert status_line(session) == "Stopping after this step"
    workers[0].tell(CheckpointSaved(step=6, path="x"))
    assert status_line(session) == "Saving"
    workers[0].tell(Finished(stopped=True))
    workers[0].end()
    assert session.state is State.IDLE


def test_after_ten_seconds_stop_means_now(session: Session, workers: list[FakeWorker]) -> None:
    failures = []
    session.failed.connect(lambda *what: failures.append(what))
    session.stop()
    assert not session.stoppable
    assert session._patience.isActive()
    session._patience.setInterval(0)
    session._patience.timeout.emit()
    session._patience.stop()  # as after its time
    assert session.slow_to_stop
    assert session.stoppable
    session.stop_or_end_now()
    assert workers[0].killed
    workers[0].end(Failed(code="killed", message="Killed."))
    assert not failures


def test_a_dead_engine_is_a_failure(session: Session, workers: list[FakeWorker]) -> None:
    failures = []
    session.failed.connect(lambda *what: failures.append(what))
    workers[0].end(Failed(code="killed", message="Killed."))
    assert [(f.message, resumable) for f, resumable in failures] == [("Killed.", True)]
    assert not session.busy


def test_odd_numbers_do_not_break_the_words(session: Session, workers: list[FakeWorker]) -> None:
    from app.process.session import status_line

    infinite = float("inf")
    workers[0].tell(
        started(0),
        StepDone(
            step=10**30,
            loss=infinite,
            lr=0,
            grad_norm=0,
            seconds=infinite,
            seconds_left=infinite,
        ),
        Progress(phase="Training", done=-5, total=-1),
        started(10),
        Progress(phase="Training", done=7, total=0),
    )
    assert status_line(session)
    assert session.share is None
