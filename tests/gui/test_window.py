"""The whole window with the real worker behind it, offscreen."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QImage,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFileDialog,
    QLabel,
    QMessageBox,
    QSlider,
    QSplitter,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app import settings, theme
from app.figures import count_of, duration
from app.process.session import State
from app.views.main_window import NAMES, MainWindow
from app.widgets.collage import Collage
from app.widgets.empty import Empty
from app.widgets.question import confirmed
from core.config import files
from core.errors import RunError, StorageError
from core.project import lock
from core.project.layout import Project, create
from tests.conftest import fill, small_config
from tests.gui.conftest import (
    adapters_page,
    button,
    dataset_page,
    editor_of,
    preview_page,
    train_page,
)
from tests.gui.fake_worker import FakeWorker
from tests.gui.made_runs import made_run


@pytest.fixture
def real(tmp_path: Path, tiny_base: Path) -> Project:
    """A project that the real worker trains in a moment."""
    made = create(tmp_path / "real", small_config(str(tiny_base)))
    fill(made.images, 6)
    return made


PLACES = ((QSlider, "zoom"), (QSplitter, "preview_splitter"))  # that are brought back
LONG_MS = 120_000  # importing torch beside another test may take a while


def drag(window: QWidget, paths: list[Path]) -> bool:
    """Files come over the window; whether it would take them."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(p)) for p in paths])
    facts = (data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    event = QDragEnterEvent(QPoint(100, 100), Qt.DropAction.CopyAction, *facts)
    QApplication.sendEvent(window, event)
    return event.isAccepted()


def drop(window: QWidget, paths: list[Path]) -> None:
    drag(window, paths)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(p)) for p in paths])
    facts = (data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(window, QDropEvent(QPointF(100, 100), Qt.DropAction.CopyAction, *facts))


def long_run(project: Project) -> None:
    changes = ["training.steps=100000", "training.checkpoint_every=3"]
    project.save(files.with_changes(project.config(), changes))


def end(window: MainWindow, qtbot: QtBot) -> None:
    """A run that has shown what it should."""
    window.studio.session.end_now()
    qtbot.waitUntil(lambda: not window.studio.session.busy)


def test_the_first_start_offers_the_demo_ready_to_train(window: MainWindow, qtbot: QtBot) -> None:
    button(window, "Try the demo, about 5 min").click()
    qtbot.waitUntil(lambda: window.studio.dataset.rows.rowCount() == 40)
    root = settings.projects_folder() / "Demo style"
    assert (root / "project.toml").exists()
    window.show_page("Train")
    assert button(train_page(window), "Train").isEnabled()


def test_without_a_project_the_train_page_says_where_to_begin(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.show_page("Train")
    words = [label.text() for label in train_page(window).findChildren(QLabel) if label.isVisible()]
    assert "Add pictures on the Dataset page first." in words
    assert button(train_page(window), "Go to Dataset").isEnabled()
    window.activateWindow()
    qtbot.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert not window.studio.session.busy
    assert not window.messages.isVisible()


def test_empty_pages_show_a_picture_and_lead_on(window: MainWindow) -> None:
    for name, leads_to in (("Preview", "Train"), ("Adapters", "Train"), ("Train", "Dataset")):
        window.show_page(name)
        [empty] = [e for e in window.page(name).widget.findChildren(Empty) if e.isVisible()]
        picture = empty.layout().itemAt(1).widget()
        assert len({picture.grab().toImage().pixel(x, 40) for x in range(picture.width())}) > 1
        button(empty, f"Go to {leads_to}").click()
        assert window._page == leads_to


def test_pictures_are_chosen_as_files_or_as_a_folder(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "birds", 3)
    files = [str(tmp_path / "birds" / name) for name in ("p00.png", "p02.png")]
    chosen = lambda *_: (files, "")  # noqa: E731
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", chosen)
    button(window, "Drop or choose pictures").click()
    qtbot.waitUntil(lambda: window.studio.dataset.rows.rowCount() == 2)
    folder = lambda *_: str(tmp_path / "birds")  # noqa: E731
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", folder)
    button(window, "Add a folder").click()
    qtbot.waitUntil(lambda: window.studio.dataset.rows.rowCount() == 5)


def test_the_start_page_offers_what_was_open_lately(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    opened.studio.actions["project.close"].trigger()
    assert opened.windowTitle() == "Stylewright"
    assert opened.studio.settings.config is None
    welcome = dataset_page(opened).welcome
    assert welcome.isVisible()
    [(recent, card)] = welcome._recent
    assert recent.picture == project.images / "p00.png"
    picture = card.findChild(Collage)
    qtbot.waitUntil(lambda: bool(picture._images))
    card.click()
    assert opened.studio.workspace.project == project
    qtbot.waitUntil(lambda: opened.studio.dataset.rows.rowCount() == 6)
    assert not welcome.isVisible()


def test_dropping_makes_a_project(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    fill(tmp_path / "my birds", 3)
    drop(window, [tmp_path / "my birds"])
    qtbot.waitUntil(lambda: window.studio.dataset.rows.rowCount() == 3)
    assert (settings.projects_folder() / "my birds" / "images" / "p00.png").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_shows_on_every_page_that_files_would_be_taken(
    opened: MainWindow, project: Project, tmp_path: Path, name: str
) -> None:
    opened.show_page(name)
    drops = opened.dropping.drops
    assert drag(opened, [tmp_path / "notes.txt", project.images / "p00.png"])
    assert drops.isVisible()
    assert drops.geometry().contains(opened.page(name).widget.geometry().center())
    assert drops.words.text() == f"Let go to copy into {opened.studio.workspace.name}"
    QApplication.sendEvent(opened, QDragLeaveEvent())
    assert not drops.isVisible()
    assert not drag(opened, [tmp_path / "notes.txt"])
    assert not drops.isVisible()


def test_nothing_but_the_window_takes_files(opened: MainWindow) -> None:
    for name in NAMES:
        opened.page(name)
    assert [one for one in opened.findChildren(QWidget) if one.acceptDrops()] == []


def test_another_project_is_opened_also_during_a_run(
    faked: MainWindow, tmp_path: Path, workers: list[FakeWorker]
) -> None:
    other = create(tmp_path / "other", small_config("demo"))
    assert drag(faked, [other.root])
    assert faked.dropping.drops.words.text() == "Let go to open other"
    faked.studio.actions["train"].trigger()
    drop(faked, [other.root])
    assert faked.studio.workspace.project == other
    assert not workers[0].heard, "it goes on"
    assert not faked.studio.training_here


def test_digits_turn_pages_but_not_while_writing(opened: MainWindow, qtbot: QtBot) -> None:
    opened.activateWindow()
    editor = editor_of(opened)
    editor.setFocus()
    qtbot.keyClicks(editor, "2 cats, 3 dogs")
    assert editor.toPlainText().startswith("2 cats, 3 dogs")
    assert opened._page == "Dataset"
    dataset_page(opened).grid.setFocus()
    qtbot.keyClick(dataset_page(opened).grid, Qt.Key.Key_3)
    assert opened._page == "Preview"


def test_prompts_are_set_in_the_window(window: MainWindow, qtbot: QtBot, project: Project) -> None:
    window.studio.workspace.open(project.root)
    window.show_page("Train")
    train_page(window).form.prompts.setPlainText("a fox\n\n a whale ")
    qtbot.waitUntil(lambda: project.config().preview.prompts == ("a fox", "a whale"))
    assert train_page(window).form.prompts.toPlainText() == "a fox\n\n a whale "


def test_train_in_the_window_to_the_adapter(
    window: MainWindow, qtbot: QtBot, real: Project
) -> None:
    window.studio.workspace.open(real.root)
    window.show_page("Train")
    button(train_page(window), "Train").click()
    assert window.studio.session.state is State.STARTING
    with qtbot.waitSignal(window.studio.session.changed, timeout=LONG_MS):
        pass
    # the note goes after a while, and the worker may take longer than that to end
    qtbot.waitUntil(lambda: "Done" in window.messages.text, timeout=LONG_MS)
    qtbot.waitUntil(lambda: not window.studio.session.busy, timeout=LONG_MS)
    record = window.studio.runs.shown
    assert record is not None
    assert list(record.steps) == [1, 2, 3, 4]
    assert preview_page(window).table.columnCount() == 2
    window.show_page("Adapters")
    assert adapters_page(window).cards.rowCount() == 1
    assert window.studio.runs.resumable() is None


def test_a_killed_worker_leaves_the_window_and_a_resume_that_works(
    window: MainWindow, qtbot: QtBot, real: Project
) -> None:
    long_run(real)
    window.studio.workspace.open(real.root)
    window.running.train()
    qtbot.waitUntil(lambda: window.studio.session.step >= 4, timeout=LONG_MS)
    os.kill(window.studio.session.worker_pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: window.messages.isVisible(), timeout=LONG_MS)
    assert "ended from outside" in window.messages.text
    assert window.studio.session.state is State.IDLE
    button(window.messages, "Resume").click()
    qtbot.waitUntil(lambda: window.studio.session.state is State.RUNNING, timeout=LONG_MS)
    resumed = window.studio.session.step
    assert resumed >= 3
    # stopped before its first step it writes nothing: the adapter would be that of before
    qtbot.waitUntil(lambda: window.studio.session.step > resumed, timeout=LONG_MS)
    window.studio.session.stop()
    qtbot.waitUntil(lambda: not window.studio.session.busy, timeout=LONG_MS)
    assert len(window.studio.runs.adapters()) == 1


def test_closing_during_a_run_asks_and_saves(
    window: MainWindow, qtbot: QtBot, real: Project
) -> None:
    long_run(real)
    window.studio.workspace.open(real.root)
    window.running.train()
    qtbot.waitUntil(lambda: window.studio.session.step >= 1, timeout=LONG_MS)
    asked = []
    window.closing.ask_to_close = lambda: asked.append(1) is not None
    window.close()
    assert window.isVisible()
    assert window.studio.session.busy
    window.closing.ask_to_close = lambda: True
    pid = window.studio.session.worker_pid
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=LONG_MS)
    assert asked == [1]
    assert not Path(f"/proc/{pid}").exists()
    assert real.run("").newest_checkpoint() is not None


def test_what_cannot_be_trained_is_told_in_the_banner(
    window: MainWindow, qtbot: QtBot, real: Project
) -> None:
    real.save(files.with_changes(real.config(), ["base=/nowhere/model"]))
    window.studio.workspace.open(real.root)
    window.running.train()
    qtbot.waitUntil(lambda: window.messages.isVisible(), timeout=LONG_MS)
    assert "/nowhere/model" in window.messages.text
    assert not real.runs()  # nothing was begun, so there is nothing to resume
    assert window.studio.runs.resumable() is None


def test_a_newer_project_is_refused_and_unchanged(window: MainWindow, tmp_path: Path) -> None:
    file = tmp_path / "project.toml"
    file.write_text('schema = 99\nname = "x"\nbase = "demo"\n')
    window.studio.workspace.open(tmp_path)
    assert window.messages.isVisible()
    assert "newer version" in window.messages.text
    assert file.read_text() == 'schema = 99\nname = "x"\nbase = "demo"\n'


def test_the_last_project_and_page_come_back(
    window: MainWindow, qtbot: QtBot, project: Project
) -> None:
    window.studio.workspace.open(project.root)
    for name in ("Dataset", "Preview"):
        window.show_page(name)
    zoom, splitter = (window.findChild(*what) for what in PLACES)
    zoom.setValue(200)
    splitter.setSizes([500, 600])
    share = splitter.sizes()[0] / sum(splitter.sizes())
    window.close()
    again = MainWindow()
    qtbot.addWidget(again)
    again.show()
    again.studio.workspace.open_last()
    assert again.studio.workspace.project == project
    assert again._page == "Preview"
    again.page("Dataset")
    zoom, splitter = (again.findChild(*what) for what in PLACES)
    assert zoom.value() == 200
    # the screen may be smaller than the window was
    assert splitter.sizes()[0] / sum(splitter.sizes()) == pytest.approx(share, abs=0.01)
    again.close()


def test_a_project_that_cannot_be_reached_does_not_keep_the_window_shut(
    window: MainWindow, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network drive that is gone, where every look raises."""
    window.studio.workspace.open(project.root)
    real = Path.exists

    def exists(path: Path) -> bool:
        if path.is_relative_to(project.root):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "exists", exists)
    window.studio.workspace.open_last()
    assert window.studio.workspace.recent() == []


def test_what_was_just_written_is_saved_on_closing(
    window: MainWindow, project: Project, qtbot: QtBot
) -> None:
    window.studio.workspace.open(project.root)
    window.show_page("Train")
    form = train_page(window).form
    form.prompts.setPlainText("a fox")
    form.batch.lineEdit().setText("3")
    window.close()
    assert project.config().preview.prompts == ("a fox",)
    assert project.config().training.batch_size == 3


def test_what_was_just_written_is_the_old_projects(
    opened: MainWindow, project: Project, qtbot: QtBot
) -> None:
    qtbot.keyClicks(editor_of(opened), "New words. ")
    train_page(opened).form.prompts.setPlainText("a fox")
    opened.studio.workspace.open_new("Other")
    assert project.config().preview.prompts == ("a fox",)
    assert (project.images / "p00.txt").read_text().startswith("New words. ")
    assert opened.studio.workspace.project != project
    assert opened.studio.workspace.project.config().preview.prompts == ()


def test_what_another_program_writes_into_the_settings_stays(
    opened: MainWindow, project: Project
) -> None:
    project.save(files.with_changes(project.config(), ["training.seed=5"]))
    train_page(opened).form.steps.setValue(5)
    assert project.config().training.seed == 5
    assert project.config().training.steps == 1000
    project.save(files.with_changes(project.config(), ["dataset.trigger=ink"]))
    opened.studio.settings.refresh()  # as when the window is turned to again
    assert train_page(opened).form.trigger.text() == "ink"


def test_a_project_that_another_window_shows_is_told(
    window: MainWindow, project: Project, qtbot: QtBot
) -> None:
    with lock.working_on(project):
        window.studio.workspace.open(project.root)
    assert "open in another window, too (process" in window.messages.text
    window.studio.workspace.open(project.root)
    with pytest.raises(RunError, match="open in another window"), lock.working_on(project):
        pass
    window.close()
    with lock.working_on(project):
        pass


def test_no_run_starts_on_what_could_not_be_saved(
    opened: MainWindow, project: Project, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        raise StorageError(f"Could not write {path}: No space left on device.")

    with monkeypatch.context() as patched:
        patched.setattr("app.models.dataset.captions.write", full)
        qtbot.keyClicks(editor_of(opened), "New words. ")
        opened.running.train()
        assert not opened.studio.session.busy
        assert "p00" in opened.messages.text
    with monkeypatch.context() as patched:
        patched.setattr("core.config.files.write_beside", full)
        train_page(opened).form.steps.setValue(5)
        opened.running.train()
        assert not opened.studio.session.busy
        assert "project.toml" in opened.messages.text
    long_run(project)  # with room again, what was set in the window is written before the run
    opened.running.train()
    assert opened.studio.session.busy
    assert project.config().training.steps == 1000
    end(opened, qtbot)


def test_the_keys_that_train_work_on_their_page_and_end_no_run(
    opened: MainWindow, project: Project, qtbot: QtBot
) -> None:
    opened.activateWindow()
    editor = editor_of(opened)
    editor.setFocus()
    qtbot.keyClick(editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert not opened.studio.session.busy
    opened.show_page("Train")
    for _ in range(2):
        trigger = train_page(opened).form.trigger
        trigger.setFocus()
        qtbot.keyClick(opened, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        assert opened.studio.session.state is State.STARTING
    end(opened, qtbot)


def test_a_removal_can_be_undone_from_the_banner(opened: MainWindow, qtbot: QtBot) -> None:
    dataset_page(opened).grid.selectAll()
    dataset_page(opened).grid.removal_wished.emit()
    assert opened.studio.dataset.rows.rowCount() == 0
    assert "Removed 6 pictures" in opened.messages.text
    button(opened.messages, "Undo").click()
    qtbot.waitUntil(lambda: opened.studio.dataset.rows.rowCount() == 6)


def test_closing_while_pictures_are_copied_asks(
    opened: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    fill(tmp_path / "more", 40)
    answers = [False, True]
    opened.closing.ask_to_stop_copying = lambda: answers.pop(0)
    opened.studio.dataset.import_paths([tmp_path / "more"])
    assert not opened.close()
    qtbot.waitUntil(lambda: opened.studio.dataset.rows.rowCount() == 46)
    opened.studio.dataset.import_paths([tmp_path / "more"])
    assert opened.close()
    assert answers == []


@pytest.mark.parametrize("harmless", [True, False])
@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_a_question_is_answered_by_key_without_harm(
    window: MainWindow, qtbot: QtBot, key: Qt.Key, harmless: bool
) -> None:
    answering = QTimer(window, interval=20)

    def press() -> None:
        box = window.findChild(QMessageBox)
        if box is not None and box.isActiveWindow() and box.focusWidget() is not None:
            answering.stop()
            qtbot.keyClick(box, key)

    answering.timeout.connect(press)
    answering.start()
    said = confirmed(window, "Really?", "It is gone then.", yes="Yes", no="No", harmless=harmless)
    assert said == (harmless and key == Qt.Key.Key_Return)


def test_an_undo_shows_what_it_did(opened: MainWindow, qtbot: QtBot) -> None:
    grid = dataset_page(opened).grid
    qtbot.keyClicks(editor_of(opened), "New words. ")
    grid.setCurrentIndex(dataset_page(opened).shown.index(4))
    opened.undo.trigger()
    assert grid.currentIndex().row() == 0
    assert not editor_of(opened).toPlainText().startswith("New")


def test_a_saved_adapter_has_the_suffix_that_others_list(
    opened: MainWindow,
    qtbot: QtBot,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    made_run(project, "red")
    opened.studio.runs.open(project)
    wishes = []
    monkeypatch.setattr(opened.studio.maker, "make", wishes.append)
    qtbot.waitUntil(lambda: bool(opened.studio.runs.adapters()))
    opened.show_page("Adapters")
    page = adapters_page(opened)
    button(page, "Save for...").click()
    assert page.dialog is not None
    page.dialog._folder = tmp_path
    page.dialog.name.selectAll()
    qtbot.keyClicks(page.dialog.name, "mine")
    page.dialog.go.click()
    assert wishes[0].out == str(tmp_path / "mine.safetensors")


def test_a_setting_is_saved_and_a_preset_changes_several(
    window: MainWindow, project: Project
) -> None:
    window.studio.workspace.open(project.root)
    form = train_page(window).form
    form.steps.setValue(5)
    assert project.config().training.steps == 1000
    assert not any(b.isChecked() for b in form.presets.group.buttons())
    form.presets.group.button(3).click()
    assert [b.isChecked() for b in form.presets.group.buttons()] == [False, False, False, True]
    saved = project.config()
    assert (saved.training.steps, saved.adapter.rank, saved.adapter.alpha) == (200, 8, 8.0)
    assert saved.base == small_config(saved.base).base


@pytest.mark.parametrize("dark", [True, False])
def test_pages_paint_in_both_themes(
    opened: MainWindow, qtbot: QtBot, project: Project, dark: bool
) -> None:
    """With pictures and a run: what paints itself is on every page that it is on."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    theme.apply(app, dark=dark)
    made_run(project, "#ff0000")
    opened.studio.runs.open(project)
    colours = theme.DARK if dark else theme.LIGHT
    for name in NAMES:
        opened.show_page(name)

        def painted(wanted: tuple[str, ...]) -> bool:
            picture = opened.grab().toImage()
            places = range(0, picture.width(), 7), range(0, picture.height(), 7)
            there = {picture.pixelColor(x, y).name() for x in places[0] for y in places[1]}
            return there.issuperset(wanted)

        pictures = ((), ("#ff0000",))[name in ("Train", "Preview")]
        wanted = (colours.window, colours.panel, *pictures)
        qtbot.waitUntil(lambda wanted=wanted: painted(wanted))


def test_the_loss_chart_follows_the_theme(opened: MainWindow, qtbot: QtBot) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    opened.show_page("Train")
    train_page(opened).show_stage()
    chart = train_page(opened).stage.chart
    for colours in (theme.DARK, theme.LIGHT):
        theme.apply(app, dark=colours is theme.DARK)
        chart.show_losses(range(9), range(9), range(9))
        qtbot.waitUntil(
            lambda ground=colours.panel: (
                chart.grab().toImage().pixelColor(chart.width() - 3, 3).name() == ground
            )
        )


def luminance(colour: str) -> float:
    """WCAG 2's relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colours", [theme.DARK, theme.LIGHT])
def test_text_has_enough_contrast(colours: theme.Theme) -> None:
    pairs = [
        (ink, ground)
        for ink in (colours.text, colours.secondary, colours.good, colours.warn, colours.bad)
        for ground in (colours.window, colours.panel, colours.raised)
    ]
    for ink, ground in [*pairs, (colours.on_accent, colours.accent)]:
        light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


def test_every_control_has_an_accessible_name(opened: MainWindow, project: Project) -> None:
    made_run(project, "red")
    opened.studio.runs.open(project)
    window = opened
    for name in NAMES:
        window.show_page(name)
        for widget in window.findChildren(QWidget):
            takes_focus = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
            inner = widget.objectName().startswith("qt_") or type(widget).__name__ in (
                "QScrollArea",
                "TrainPage",
                "QListView",
                "QComboBoxPrivateContainer",
            )
            if takes_focus and widget.isVisible() and not inner:
                text = widget.text() if isinstance(widget, QAbstractButton) else ""
                assert text or widget.accessibleName(), widget


def test_the_app_process_never_imports_torch(tmp_path: Path) -> None:
    """Asked of a running window with a project open, after its timers and threads have worked."""
    code = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from app.views.main_window import MainWindow, NAMES
app = QApplication([])
window = MainWindow()
window.show()
window.studio.workspace.open_demo()
for name in NAMES:
    window.show_page(name)
QTimer.singleShot(1500, app.quit)
app.exec()
heavy = {"torch", "diffusers", "transformers", "peft", "safetensors", "accelerate"}
found = sorted(heavy & set(sys.modules))
window.close()
assert not found, found
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=120)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (40, "40 s"), (660, "11 min"), (7500, "2 h 5 min")]
)
def test_times_are_said_as_a_person_does(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 pictures"), (1, "1 picture"), (1200, "1,200 pictures")]
)
def test_one_is_no_plural(count: int, words: str) -> None:
    assert count_of(count, "picture") == words


def test_pictures_are_pasted_and_dropped_without_a_file(
    faked: MainWindow, project: Project, qtbot: QtBot
) -> None:
    """As a browser hands them over: pixels alone."""
    image = QImage(80, 70, QImage.Format.Format_ARGB32)
    image.fill(QColor(200, 30, 30, 128))
    for _ in range(2):
        QGuiApplication.clipboard().setImage(image)
        faked.studio.actions["dataset.paste"].trigger()
    made = [project.images / "pasted.png", project.images / "pasted-2.png"]
    qtbot.waitUntil(lambda: faked.studio.dataset.rows.rowCount() == 8)
    assert [QImage(str(path)) for path in made] == [image] * 2
    faked.undo.trigger()
    qtbot.waitUntil(lambda: not made[1].exists() and not faked.studio.dataset.busy)
    data = QMimeData()
    data.setImageData(image)
    facts = (data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(50, 50), Qt.DropAction.CopyAction, *facts)
    QApplication.sendEvent(faked, enter)
    assert enter.isAccepted()
    assert faked.dropping.drops.words.text() == "Let go to copy into Small"
    let_go = QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, *facts)
    QApplication.sendEvent(faked, let_go)
    qtbot.waitUntil(made[1].exists)


def test_an_empty_clipboard_is_said(faked: MainWindow) -> None:
    QGuiApplication.clipboard().setText("words")
    faked.studio.actions["dataset.paste"].trigger()
    assert faked.messages.text == "There is no picture in the clipboard."


def test_ctrl_v_in_a_caption_pastes_words(opened: MainWindow, qtbot: QtBot) -> None:
    QGuiApplication.clipboard().setText("pasted words")
    opened.show_page("Dataset")
    editor = editor_of(opened)
    editor.setFocus()
    editor.selectAll()
    qtbot.keyClick(editor, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert editor.toPlainText() == "pasted words"
    assert opened.messages.text == ""
