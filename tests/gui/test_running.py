"""A run as the window shows it, told by a fake worker."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QProgressBar
from pytestqt.qtbot import QtBot

from app.views.main_window import NAMES, MainWindow
from core.project.layout import Project, Run
from core.protocol.commands import PreviewNow, Stop, TrainJob
from core.protocol.events import (
    AdapterSaved,
    Failed,
    Finished,
    PreviewReady,
    Progress,
    StepDone,
    Warned,
)
from tests.gui.conftest import (
    adapters_page,
    button,
    preview_page,
    train_page,
)
from tests.gui.fake_worker import FakeWorker
from tests.gui.made_runs import adapter, preview, started, tell


@pytest.fixture
def run(faked: MainWindow, project: Project, workers: list[FakeWorker]) -> Run:
    """Begun from the Train page."""
    faked.show_page("Train")
    made = project.new_run(project.config())
    button(train_page(faked), "Train").click()
    workers[0].tell(started(made))
    return made


def done(step: int, loss: float = 0.5) -> StepDone:
    return StepDone(step=step, loss=loss, lr=0.1, grad_norm=1, seconds=1, seconds_left=60)


def test_train_starts_the_projects_next_run(
    faked: MainWindow, run: Run, project: Project, workers: list[FakeWorker]
) -> None:
    assert workers[0].job == TrainJob(project=str(project.root))
    assert not train_page(faked).form.isEnabled()


def test_stop_on_the_train_page_stops(
    faked: MainWindow, run: Run, workers: list[FakeWorker]
) -> None:
    button(train_page(faked), "Stop").click()
    assert workers[0].heard == [Stop()]
    assert not faked.studio.actions["stop"].isEnabled()


def test_the_strip_shows_the_run_on_other_pages_and_stops_it(
    faked: MainWindow, run: Run, workers: list[FakeWorker]
) -> None:
    assert not faked.strip.isVisible()
    faked.show_page("Dataset")
    assert faked.strip.isVisible()
    workers[0].tell(done(3), done(4))
    words = faked.strip.findChild(QProgressBar).accessibleDescription()
    assert words == "step 4 of 300, 1 min left, loss 0.500"
    button(faked.strip, "Stop").click()
    assert workers[0].heard == [Stop()]
    workers[0].tell(Finished(stopped=True))
    workers[0].end()
    assert not faked.strip.isVisible()
    assert "Stopped and saved at step 4" in faked.messages.text


def test_words_and_bar_follow_the_run(
    faked: MainWindow, run: Run, workers: list[FakeWorker]
) -> None:
    bar = train_page(faked).findChild(QProgressBar)
    for number, share in ((30, 100), (150, 500)):
        workers[0].tell(done(number))
        assert bar.value() == share
        assert f"step {number} of 300" in bar.accessibleDescription()
    workers[0].tell(Progress(phase="Drawing previews", done=1, total=4))
    words = "step 150 of 300, drawing previews, 1 min left"
    assert (bar.value(), bar.accessibleDescription()) == (250, words)
    assert bar.accessibleName()


def test_preview_now_is_sent_and_answers(
    faked: MainWindow, run: Run, workers: list[FakeWorker]
) -> None:
    workers[0].tell(done(3))
    pressed = button(train_page(faked), "Preview now")
    pressed.click()
    assert workers[0].heard == [PreviewNow()]
    assert not pressed.isEnabled()
    bar = train_page(faked).findChild(QProgressBar)
    assert "previews come next" in bar.accessibleDescription()
    workers[0].tell(PreviewReady(step=0, index=0, prompt="x", seed=1, path="x"))
    assert not pressed.isEnabled()  # the untrained base's were still to come
    workers[0].tell(PreviewReady(step=3, index=0, prompt="x", seed=1, path="x"))
    assert pressed.isEnabled()


def test_end_now_is_offered_after_ten_seconds(
    faked: MainWindow, run: Run, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    session = faked.studio.session
    session._patience.setInterval(1)
    with qtbot.waitSignal(session._patience.timeout):
        button(train_page(faked), "Stop").click()
    button(train_page(faked), "End now").click()
    assert workers[0].killed


@pytest.mark.parametrize("name", NAMES)
def test_space_after_a_page_change_stops_nothing(
    faked: MainWindow, run: Run, workers: list[FakeWorker], qtbot: QtBot, name: str
) -> None:
    faked.activateWindow()
    for other in NAMES:
        faked.page(other)
    workers[0].tell(done(3))
    faked.show_page("Train")
    button(train_page(faked), "Stop").setFocus()  # it is where the person was
    faked.show_page(name)
    qtbot.keyClick(faked.focusWidget() or faked, Qt.Key.Key_Space)
    assert workers[0].heard == []


@pytest.mark.parametrize("where", ["button", "prompts"])
def test_space_after_a_start_stops_nothing(
    faked: MainWindow, workers: list[FakeWorker], qtbot: QtBot, where: str
) -> None:
    faked.activateWindow()
    faked.show_page("Train")
    page = train_page(faked)
    widget = page.train if where == "button" else page.form.prompts
    widget.setFocus()
    qtbot.waitUntil(widget.hasFocus)
    page.train.click()
    assert faked.focusWidget() is page  # not whatever comes next and can be pressed
    qtbot.keyClick(faked.focusWidget() or faked, Qt.Key.Key_Space)
    assert workers[0].heard == []
    assert faked.studio.session.busy


def test_the_loss_is_drawn_and_thinned(
    faked: MainWindow, run: Run, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    chart = train_page(faked).chart
    workers[0].tell(*(done(n, 1 / n) for n in range(1, 5)))
    qtbot.waitUntil(lambda: chart._raw is not None and chart._raw.getData()[0] is not None)
    qtbot.waitUntil(lambda: len(chart._raw.getData()[0]) == 4)
    assert list(chart._raw.getData()[1]) == [1, 1 / 2, 1 / 3, 1 / 4]
    assert list(chart._smooth.getData()[0]) == [1, 2, 3, 4]


def test_the_newest_previews_stand_beside_the_loss_and_lead_to_all(
    faked: MainWindow, run: Run, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    workers[0].tell(*(preview(run, 0, index, "#00ff00") for index in range(3)))
    newest = train_page(faked).newest
    assert newest.isVisible()
    qtbot.waitUntil(lambda: not any(image.isNull() for image in newest._images))
    assert [image.pixelColor(2, 2).name() for image in newest._images] == ["#00ff00"] * 3
    assert newest.focusPolicy() & Qt.FocusPolicy.TabFocus
    newest.setFocus()
    qtbot.keyClick(newest, Qt.Key.Key_Space)
    assert faked._page == "Preview"


def test_a_crash_offers_to_resume(
    faked: MainWindow, run: Run, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    workers[0].tell(done(3))
    failure = Failed(code="killed", message="It died.", traceback="Traceback: all of it")
    workers[0].end(failure)
    assert "It died." in faked.messages.text
    button(faked.messages, "Copy details").click()
    from PySide6.QtWidgets import QApplication

    assert "all of it" in QApplication.clipboard().text()
    assert button(train_page(faked), "Resume").isVisible()
    button(faked.messages, "Resume").click()
    assert workers[1].job == TrainJob(project=str(run.root.parents[1]), resume=run.root.name)


def test_resume_is_on_the_train_page(
    faked: MainWindow, run: Run, workers: list[FakeWorker]
) -> None:
    workers[0].end()
    button(train_page(faked), "Resume").click()
    assert workers[1].job.resume == run.root.name


def test_a_note_does_not_hide_a_failure(
    faked: MainWindow, run: Run, workers: list[FakeWorker]
) -> None:
    faked.studio.news.failure("The disk is full.")
    workers[0].tell(Warned(message="Two captions are long."), Finished())
    assert faked.messages.text.splitlines() == ["The disk is full.", "Done. The adapter is ready."]


def test_the_project_menu_rests_during_a_run(
    faked: MainWindow, run: Run, workers: list[FakeWorker]
) -> None:
    assert not faked._project_menu.isEnabled()
    assert not faked.studio.actions["project.new"].isEnabled()
    assert not faked._project_menu.recent()
    workers[0].end()
    assert faked._project_menu.isEnabled()


def test_an_export_is_what_was_chosen(
    faked: MainWindow,
    project: Project,
    workers: list[FakeWorker],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from PySide6.QtWidgets import QFileDialog

    made = project.new_run(project.config())
    tell(made, adapter(made, 7))
    faked.studio.runs.open(project)
    qtbot.waitUntil(lambda: not faked.studio.runs.reading)
    monkeypatch.setattr(QFileDialog, "exec", lambda _dialog: 1)
    faked.show_page("Adapters")
    button(adapters_page(faked), "Save for diffusers").click()
    assert workers[0].job.format == "diffusers"
    assert workers[0].job.source == str(adapter(made, 7).path)
    assert not button(adapters_page(faked), "Save for diffusers").isEnabled()
    workers[0].end()
    assert button(adapters_page(faked), "Save for diffusers").isEnabled()


def test_a_failed_export_is_told_in_the_place_of_saving(
    faked: MainWindow, workers: list[FakeWorker]
) -> None:
    faked.studio.exporter.export(Path("a"), "kohya", Path("b"))
    assert faked.messages.text == "Saving the adapter..."
    workers[0].end(Failed(code="storage", message="The disk is full."))
    assert faked.messages.text == "The disk is full."
    faked.studio.exporter.export(Path("a"), "kohya", Path("b"))
    workers[1].tell(AdapterSaved(step=0, path="b", readers="ComfyUI: 16 of 72"))
    workers[1].end()
    assert faked.messages.text.splitlines() == [
        "The disk is full.",
        "Saved b",
        "Layers that others load: ComfyUI: 16 of 72",
    ]


def test_a_run_that_fails_while_the_window_closes_is_read(
    faked: MainWindow, run: Run, workers: list[FakeWorker]
) -> None:
    assert not faked.close()
    assert "closes then" in faked.messages.text
    assert workers[0].heard == [Stop()]
    workers[0].end(Failed(code="storage", message="The disk is full."))
    assert faked.messages.text == "The disk is full."
    assert faked.isVisible()


def test_closing_during_an_export_waits_for_it(
    faked: MainWindow, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    faked.studio.exporter.export(Path("a"), "kohya", Path("b"))
    assert not faked.close()
    assert "closes then" in faked.messages.text
    workers[0].end()
    qtbot.waitUntil(lambda: not faked.isVisible())


def test_a_page_that_was_never_seen_shows_the_run_when_it_is(
    faked: MainWindow, run: Run, workers: list[FakeWorker]
) -> None:
    assert "Preview" not in faked._built
    workers[0].tell(*(preview(run, 0, index, "#00ff00") for index in range(3)))
    faked.show_page("Preview")
    assert preview_page(faked).table.rowCount() == 3
