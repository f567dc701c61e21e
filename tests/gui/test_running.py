"""A run as the window shows it, told by a fake worker."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QProgressBar, QPushButton
from pytestqt.qtbot import QtBot

from app.views.main_window import NAMES, MainWindow
from app.widgets.comparison import Comparison
from core.project.layout import Project, Run
from core.protocol.commands import ExportJob, PreviewNow, Stop, TrainJob
from core.protocol.events import (
    Failed,
    FileMade,
    Finished,
    PreviewReady,
    Progress,
    Reader,
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
from tests.gui.made_runs import adapter, made_run, preview, started, tell

EXPORT = ExportJob(source="a", format="kohya", out="b")


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
    page = train_page(faked)
    assert page.stage.isVisible()
    assert not page.form.isVisible()
    faked.studio.actions["setting.training.steps"].trigger()
    assert page.form.isVisible(), "the next run can be prepared meanwhile"
    assert not page.train.isVisible(), "one at a time: it can only wait"
    assert page.wait.isVisible()
    button(page, "Show the run").click()
    assert page.stage.isVisible()


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
    words = "step 150 of 300, drawing preview 2 of 4, 1 min left"
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


def test_space_after_resume_stops_nothing(
    faked: MainWindow, run: Run, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    workers[0].tell(done(3), Finished(stopped=True))
    workers[0].end()
    faked.activateWindow()
    page = train_page(faked)
    resume = button(page, "Start this run again")
    resume.setFocus()
    qtbot.waitUntil(resume.hasFocus)
    qtbot.keyClick(resume, Qt.Key.Key_Space)
    assert faked.studio.session.busy
    workers[1].tell(started(run))
    qtbot.keyClick(faked.focusWidget() or faked, Qt.Key.Key_Space)
    assert workers[1].heard == []
    assert faked.focusWidget() is page


def test_the_loss_is_drawn_and_thinned(
    faked: MainWindow, run: Run, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    chart = train_page(faked).stage.chart
    workers[0].tell(*(done(n, 1 / n) for n in range(1, 5)))
    qtbot.waitUntil(lambda: chart._raw is not None and chart._raw.getData()[0] is not None)
    qtbot.waitUntil(lambda: len(chart._raw.getData()[0]) == 4)
    assert list(chart._raw.getData()[1]) == [1, 1 / 2, 1 / 3, 1 / 4]
    assert list(chart._smooth.getData()[0]) == [1, 2, 3, 4]


def colours(pictures: Comparison) -> list[str]:
    images = [one.image for one in pictures.drawn]
    return ["" if image.isNull() else image.pixelColor(2, 2).name() for image in images]


def test_the_newest_previews_take_the_stage_and_lead_to_all(
    faked: MainWindow, run: Run, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    pictures = train_page(faked).stage.pictures
    workers[0].tell(*(preview(run, 0, index, "#00ff00") for index in range(3)))
    assert pictures.isVisible()
    qtbot.waitUntil(lambda: colours(pictures) == ["#00ff00"] * 3)
    assert pictures.target.words == "Yours: p00.png"
    assert [one.words for one in pictures.drawn] == ["a fox", "a whale", "a tree"]
    assert pictures.focusPolicy() & Qt.FocusPolicy.TabFocus
    pictures.setFocus()
    qtbot.keyClick(pictures, Qt.Key.Key_Down)
    assert pictures.now.words == "a whale"
    small = pictures.places().small[2].center()
    qtbot.mouseClick(pictures, Qt.MouseButton.LeftButton, pos=small)
    assert pictures.now.words == "a tree"
    assert faked._page == "Train"
    qtbot.keyClick(pictures, Qt.Key.Key_Space)
    assert faked._page == "Preview"


def test_the_scrubber_goes_through_the_steps_and_follows_at_the_end(
    faked: MainWindow, run: Run, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    stage = train_page(faked).stage
    for step, colour in ((0, "#ffffff"), (100, "#ff0000")):
        workers[0].tell(*(preview(run, step, index, colour) for index in range(2)))
    qtbot.waitUntil(lambda: colours(stage.pictures) == ["#ff0000"] * 2)
    stage.scrubber.setValue(0)
    qtbot.waitUntil(lambda: colours(stage.pictures) == ["#ffffff"] * 2)
    workers[0].tell(preview(run, 200, 0, "#0000ff"))
    assert stage.scrubber.value() == 0  # the person looks at it
    stage.scrubber.setValue(2)
    qtbot.waitUntil(lambda: colours(stage.pictures) == ["#0000ff", "#ff0000"])
    workers[0].tell(preview(run, 300, 0, "#00ff00"))
    assert stage.scrubber.value() == 3


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
    resume = button(train_page(faked), "Start this run again")  # nothing was saved
    assert resume.isVisible()
    assert resume.objectName() == "primary"
    button(faked.messages, "Resume").click()
    assert workers[1].job == TrainJob(project=str(run.root.parents[1]), resume=run.root.name)


def test_resume_is_on_the_train_page(
    faked: MainWindow, run: Run, workers: list[FakeWorker]
) -> None:
    checkpoint = run.checkpoint(120)
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.json").write_text("{}")
    workers[0].tell(done(123))
    workers[0].end()
    page = train_page(faked)
    words = [label.text() for label in page.stage.findChildren(QLabel) if label.isVisible()]
    assert "Stopped at step 123 of 4. All up to step 120 is saved." in words
    button(page, "Resume from step 120").click()
    assert workers[1].job.resume == run.root.name


def test_any_unfinished_run_can_be_resumed(
    faked: MainWindow, project: Project, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    older, newer = made_run(project, "red"), made_run(project, "blue")
    faked.show_page("Train")
    faked.studio.runs.open(project)
    qtbot.waitUntil(lambda: faked.studio.runs.shown is not None)
    stage = train_page(faked).stage
    assert stage.isVisible()  # a project is opened on its last run
    assert stage.run.currentText() == newer.root.name
    qtbot.keyClick(stage.run, Qt.Key.Key_Up)
    stage.run.textActivated.emit(older.root.name)
    button(stage, "Start this run again").click()
    assert workers[0].job.resume == older.root.name


def test_a_run_that_never_began_leaves_the_form(
    faked: MainWindow, workers: list[FakeWorker]
) -> None:
    faked.show_page("Train")
    page = train_page(faked)
    button(page, "Train").click()
    assert page.stage.isVisible()
    workers[0].end(Failed(code="base", message="There is no base model."))
    assert page.form.isVisible()


def test_a_finished_run_leads_on(
    faked: MainWindow, run: Run, project: Project, workers: list[FakeWorker]
) -> None:
    steps = project.config().training.steps
    prompts = range(len(project.config().preview.prompts))
    workers[0].tell(done(steps), *(preview(run, steps, index, "red") for index in prompts))
    workers[0].tell(adapter(run, steps), Finished())
    workers[0].end()
    page = train_page(faked)
    shown = [b for b in page.findChildren(QPushButton) if b.isVisible()]
    next_up = [b.text() for b in shown if b.objectName() == "primary"]
    assert next_up == ["Compare before and after"]
    button(page, "New run").click()
    assert button(page, "Train").isVisible()
    button(page, "Show the run").click()
    button(page, "Compare before and after").click()
    assert faked._page == "Preview"


def test_a_note_does_not_hide_a_failure(
    faked: MainWindow, run: Run, workers: list[FakeWorker]
) -> None:
    faked.studio.news.failure("The disk is full.")
    workers[0].tell(Warned(message="Two captions are long."), Finished())
    assert faked.messages.text.splitlines() == ["The disk is full.", "Done. The adapter is ready."]


def test_an_export_is_what_was_chosen(
    faked: MainWindow,
    project: Project,
    workers: list[FakeWorker],
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    made = project.new_run(project.config())
    tell(made, adapter(made, 7))
    faked.studio.runs.open(project)
    qtbot.waitUntil(lambda: not faked.studio.runs.reading)
    faked.show_page("Adapters")
    page = adapters_page(faked)
    button(page, "Save for...").click()
    dialog = page.dialog
    assert dialog is not None
    dialog.form.group.button(1).click()
    dialog._folder = tmp_path
    dialog.go.click()
    worker = next(one for one in workers if isinstance(one.job, ExportJob))
    assert worker.job.format == "diffusers"
    assert worker.job.source == str(adapter(made, 7).path)
    assert worker.job.out == str(tmp_path / f"{Path(worker.job.source).stem}-diffusers.safetensors")
    assert not dialog.go.isVisibleTo(dialog)
    worker.end()
    assert dialog.go.isEnabled()


def test_a_failed_export_is_told_in_the_place_of_saving(
    faked: MainWindow, workers: list[FakeWorker]
) -> None:
    faked.studio.maker.make(EXPORT)
    assert faked.messages.text == "Writing b..."
    workers[0].end(Failed(code="storage", message="The disk is full."))
    assert faked.messages.text == "The disk is full."
    faked.studio.maker.make(EXPORT)
    proof = Reader(program="ComfyUI", words="16 of 72", whole=False)
    workers[1].tell(FileMade(path="b", words="72 layers of rank 4.", readers=[proof]))
    workers[1].end()
    assert faked.messages.text.splitlines() == [
        "The disk is full.",
        "Saved b: 72 layers of rank 4.",
        "No other program is known to load all of it. ComfyUI: 16 of 72.",
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
    faked.studio.maker.make(EXPORT)
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
