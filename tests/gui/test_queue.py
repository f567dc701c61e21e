"""Runs that wait, as the window shows and trains them; the workers are fake."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QProgressBar
from pytestqt.qtbot import QtBot

from app.views.main_window import MainWindow
from app.views.queue_panel import QueuePanel
from core.project import run_queue
from core.project.layout import Project, create
from core.protocol.commands import Stop, TrainJob
from core.protocol.events import Failed, Finished, StepDone
from tests.conftest import fill, small_config
from tests.gui.conftest import button, open_project, train_page
from tests.gui.fake_worker import FakeWorker
from tests.gui.made_runs import preview, started, tell


@pytest.fixture
def trains(faked: MainWindow, workers: list[FakeWorker], project: Project) -> MainWindow:
    """With a run begun by hand, and the form shown for the next."""
    faked.show_page("Train")
    button(train_page(faked), "Train").click()
    workers[0].tell(started(project.new_run(project.config())), done(1))
    button(train_page(faked), "New run").click()
    return faked


def done(step: int) -> StepDone:
    return StepDone(step=step, loss=0.5, lr=0.1, grad_norm=1, seconds=1, seconds_left=60)


def end(worker: FakeWorker, *, stopped: bool = False) -> None:
    worker.tell(Finished(stopped=stopped))
    worker.end()


def panel(window: MainWindow) -> QueuePanel:
    return train_page(window).findChild(QueuePanel)


def rows(window: MainWindow) -> list[str]:
    found = panel(window).rows
    items = [found.topLevelItem(number) for number in range(found.topLevelItemCount())]
    return [f"{item.text(0)}: {item.text(1)}" for item in items]


def waits(window: MainWindow) -> list[str]:
    return [entry.run.root.name for entry in window.studio.waiting.entries]


def test_a_run_is_prepared_while_another_trains_and_begins_after_it(
    trains: MainWindow, workers: list[FakeWorker], project: Project, qtbot: QtBot
) -> None:
    assert not panel(trains).isVisible()
    trains.studio.settings.set("training.steps", 77)
    button(train_page(trains), "Add to queue").click()
    trains.studio.settings.set("training.steps", 88)
    (name,) = waits(trains)
    assert project.run(name).root.name == "002-Small"
    assert panel(trains).isVisible()
    assert "77 steps" in rows(trains)[0]
    assert len(workers) == 1
    end(workers[0])
    qtbot.waitUntil(lambda: len(workers) == 2)
    assert workers[1].job == TrainJob(project=str(project.root), resume=name)
    assert train_page(trains).form.isVisible(), "what the person is doing is left alone"
    workers[1].tell(started(project.run(name)))
    assert rows(trains)[0].endswith("Trains now")
    end(workers[1])
    qtbot.waitUntil(lambda: not waits(trains))
    assert not panel(trains).isVisible()
    assert run_queue.read(run_queue.place()) == ()


def test_a_run_that_fails_does_not_keep_the_others(
    trains: MainWindow, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    for _ in range(2):
        trains.studio.actions["queue.add"].trigger()
    first, second = waits(trains)
    workers[0].end(Failed(code="x", message="The disk is full."))
    qtbot.waitUntil(lambda: len(workers) == 2)
    workers[1].end(Failed(code="x", message="There is no picture."))
    qtbot.waitUntil(lambda: len(workers) == 3)
    assert workers[2].job.resume == second
    assert rows(trains)[0].endswith("Failed: There is no picture.")
    end(workers[2])
    qtbot.waitUntil(lambda: waits(trains) == [first])
    panel(trains).choose(0)
    button(train_page(trains), "Try again").click()
    button(train_page(trains), "Start the queue").click()
    qtbot.waitUntil(lambda: len(workers) == 4)
    assert workers[3].job.resume == first


def test_stop_holds_the_others_and_the_queue_goes_on_from_there(
    trains: MainWindow, workers: list[FakeWorker], project: Project, qtbot: QtBot
) -> None:
    for _ in range(2):
        trains.studio.actions["queue.add"].trigger()
    first, second = waits(trains)
    end(workers[0])
    qtbot.waitUntil(lambda: len(workers) == 2)
    workers[1].tell(started(project.run(first)))
    trains.studio.actions["stop"].trigger()
    assert workers[1].heard == [Stop()]
    end(workers[1], stopped=True)
    qtbot.wait(50)
    assert len(workers) == 2
    assert waits(trains) == [first, second]
    button(train_page(trains), "Start the queue").click()
    assert workers[2].job.resume == first


def test_a_held_queue_begins_nothing(
    trains: MainWindow, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    trains.studio.actions["queue.add"].trigger()
    button(train_page(trains), "Hold the queue").click()
    end(workers[0])
    qtbot.wait(50)
    assert len(workers) == 1
    assert len(waits(trains)) == 1


def test_what_was_not_started_does_not_begin_after_a_run_by_hand(
    faked: MainWindow, workers: list[FakeWorker], project: Project, qtbot: QtBot
) -> None:
    faked.show_page("Train")
    faked.studio.actions["queue.add"].trigger()
    button(train_page(faked), "Train").click()
    workers[0].tell(started(project.new_run(project.config())))
    end(workers[0])
    qtbot.wait(50)
    assert len(workers) == 1


def test_order_is_changed_and_what_is_taken_out_leaves_nothing(
    faked: MainWindow, workers: list[FakeWorker], project: Project
) -> None:
    faked.show_page("Train")
    for _ in range(3):
        faked.studio.actions["queue.add"].trigger()
    a, b, c = waits(faked)
    assert not workers, "nothing begins before it is told to"
    panel(faked).choose(2)
    button(train_page(faked), "Up").click()
    assert waits(faked) == [a, c, b]
    assert panel(faked).row == 1, "it stays chosen"
    button(train_page(faked), "Take out").click()
    assert waits(faked) == [a, b]
    assert [run.root.name for run in project.runs()] == [a, b]


def test_the_queue_outlasts_the_window_and_waits_to_be_started(
    faked: MainWindow, qtbot: QtBot, workers: list[FakeWorker], project: Project
) -> None:
    faked.studio.actions["queue.add"].trigger()
    names = waits(faked)
    faked.close()
    again = MainWindow(FakeWorker)
    qtbot.addWidget(again)
    again.show()
    again.show_page("Train")
    assert waits(again) == names
    assert not workers
    button(train_page(again), "Start the queue").click()
    assert workers[0].job.resume == names[0]
    workers[0].end()
    again.close()


def test_another_projects_run_trains_behind_the_open_one(
    trains: MainWindow, workers: list[FakeWorker], project: Project, qtbot: QtBot, tmp_path: Path
) -> None:
    other = create(tmp_path / "other", small_config("demo"))
    fill(other.images, 3)
    trains.studio.actions["queue.add"].trigger()
    (name,) = waits(trains)
    end(workers[0])
    qtbot.waitUntil(lambda: len(workers) == 2)
    open_project(trains, qtbot, other, pictures=3)
    run = project.run(name)
    tell(run, started(run), done(1))  # as the worker does, before it says so
    workers[1].tell(started(run), done(1), preview(run, 1, 0, "red"))
    assert not trains.studio.runs.names(), "they are not this project's"
    assert trains.strip.isVisible()
    assert train_page(trains).form.isVisible()
    words = trains.strip.findChild(QProgressBar).accessibleDescription()
    assert words.startswith(f"{project.root.name}: step 1")
    qtbot.mouseClick(trains.strip, Qt.MouseButton.LeftButton)
    assert trains.studio.workspace.project == project
    qtbot.waitUntil(lambda: name in trains.studio.runs.names())
    workers[1].tell(done(2))
    assert trains.studio.runs.shown.name == name
    assert list(trains.studio.runs.shown.steps) == [1, 2]
    assert not trains.strip.isVisible()


def test_closing_does_not_begin_the_next(
    trains: MainWindow, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    trains.studio.actions["queue.add"].trigger()
    trains.close()
    assert workers[0].heard == [Stop()]
    workers[0].end(Failed(code="x", message="The disk is full."))
    qtbot.wait(50)
    assert len(workers) == 1


def test_when_each_is_ready_is_told(
    trains: MainWindow, workers: list[FakeWorker], project: Project, qtbot: QtBot
) -> None:
    waiting = trains.studio.waiting
    for seconds in (60.0, None):
        waiting.add(project, project.config(), seconds)
    workers[0].tell(done(2))
    first, second = rows(trains)
    assert ": Ready " in first
    assert second.endswith("Waits")


def test_a_damaged_queue_is_told_and_kept(faked: MainWindow, project: Project) -> None:
    said: list[str] = []
    faked.studio.waiting.failed.connect(said.append)
    run_queue.place().parent.mkdir(parents=True, exist_ok=True)
    run_queue.place().write_text("[")
    faked.studio.actions["queue.add"].trigger()
    assert any("queue.json" in words for words in said)
    assert run_queue.place().read_text() == "["
    assert not project.runs()
