"""The whole window with the real worker behind it, offscreen."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFileDialog,
    QLabel,
    QLineEdit,
    QMessageBox,
    QSlider,
    QSplitter,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app import settings, theme
from app.process.session import State, duration
from app.views.main_window import PAGES, MainWindow
from app.widgets.question import confirmed
from core.config import files
from core.errors import StorageError
from core.project.layout import Project
from core.protocol.commands import Draw, SampleJob
from tests.conftest import fill, small_config
from tests.gui.conftest import editor_of
from tests.gui.made_runs import made_run

PLACES = ((QSlider, "zoom"), (QSplitter, "preview_splitter"))  # that are brought back
LONG_MS = 120_000  # importing torch beside another test may take a while


def drop(page: QWidget, paths: list[Path]) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(p)) for p in paths])
    event = QDropEvent(
        QPointF(100, 100),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    page.dropEvent(event)


def button(window: QWidget, text: str) -> QAbstractButton:
    return next(
        b
        for b in window.findChildren(QAbstractButton)
        if b.text() == text and b.isVisibleTo(window)
    )


def long_run(project: Project) -> None:
    changes = ["training.steps=100000", "training.checkpoint_every=3"]
    project.save(files.with_changes(project.config(), changes))


def end(window: MainWindow, qtbot: QtBot) -> None:
    """A run that has shown what it should."""
    window.session.end_now()
    qtbot.waitUntil(lambda: not window.session.busy)


def test_the_first_start_offers_the_demo_ready_to_train(window: MainWindow, qtbot: QtBot) -> None:
    button(window, "Try it with the demo style").click()
    qtbot.waitUntil(lambda: window.dataset.rowCount() == 40)
    root = settings.projects_folder() / "Demo style"
    assert (root / "project.toml").exists()
    window.show_page(1)
    assert button(window.train_page, "Train").isEnabled()


def test_without_a_project_the_train_page_says_where_to_begin(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.show_page(1)
    words = [label.text() for label in window.train_page.findChildren(QLabel) if label.isVisible()]
    assert words == ["Add pictures on the Dataset page first."]
    window.activateWindow()
    qtbot.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert not window.session.busy
    assert not window.banner.isVisible()


def test_dropping_makes_a_project(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    fill(tmp_path / "my birds", 3)
    drop(window.dataset_page, [tmp_path / "my birds"])
    qtbot.waitUntil(lambda: window.dataset.rowCount() == 3)
    assert (settings.projects_folder() / "my birds" / "images" / "p00.png").exists()


def test_digits_turn_pages_but_not_while_writing(opened: MainWindow, qtbot: QtBot) -> None:
    opened.activateWindow()
    editor = editor_of(opened)
    editor.setFocus()
    qtbot.keyClicks(editor, "2 cats, 3 dogs")
    assert editor.toPlainText().startswith("2 cats, 3 dogs")
    assert opened._pages.currentIndex() == 0
    opened.dataset_page._grid.setFocus()
    qtbot.keyClick(opened.dataset_page._grid, Qt.Key.Key_3)
    assert opened._pages.currentIndex() == 2


def test_prompts_are_set_in_the_window(window: MainWindow, qtbot: QtBot, project: Project) -> None:
    window.workspace.open(project.root)
    window.show_page(1)
    window.train_page.form._prompts.setPlainText("a fox\n\n a whale ")
    qtbot.waitUntil(lambda: project.config().preview.prompts == ("a fox", "a whale"))
    assert window.train_page.form._prompts.toPlainText() == "a fox\n\n a whale "


def test_train_in_the_window_to_the_adapter(
    window: MainWindow, qtbot: QtBot, project: Project
) -> None:
    window.workspace.open(project.root)
    window.show_page(1)
    button(window.train_page, "Train").click()
    assert window.session.state is State.STARTING
    with qtbot.waitSignal(window.session.changed, timeout=LONG_MS):
        pass
    qtbot.waitUntil(lambda: not window.session.busy, timeout=LONG_MS)
    assert "Done" in window.banner.text
    record = window.runs.shown
    assert record is not None
    assert record.steps == [1, 2, 3, 4]
    assert window.preview_page.table.columnCount() == 2
    window.show_page(3)
    assert window.adapters_page.cards.rowCount() == 1
    assert window.runs.resumable() == ""


def test_a_killed_worker_leaves_the_window_and_a_resume_that_works(
    window: MainWindow, qtbot: QtBot, project: Project
) -> None:
    long_run(project)
    window.workspace.open(project.root)
    window.train()
    qtbot.waitUntil(lambda: window.session.step >= 4, timeout=LONG_MS)
    os.kill(window.session.worker_pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: window.banner.isVisible(), timeout=LONG_MS)
    assert "ended from outside" in window.banner.text
    assert window.session.state is State.IDLE
    button(window.banner, "Resume").click()
    qtbot.waitUntil(lambda: window.session.state is State.RUNNING, timeout=LONG_MS)
    assert window.session.step >= 3
    window.session.stop()
    qtbot.waitUntil(lambda: not window.session.busy, timeout=LONG_MS)
    assert len(window.runs.adapters()) == 1


def test_closing_during_a_run_asks_and_saves(
    window: MainWindow, qtbot: QtBot, project: Project
) -> None:
    long_run(project)
    window.workspace.open(project.root)
    window.train()
    qtbot.waitUntil(lambda: window.session.step >= 1, timeout=LONG_MS)
    asked = []
    window.ask_to_close = lambda: asked.append(1) is not None
    window.close()
    assert window.isVisible()
    assert window.session.busy
    window.ask_to_close = lambda: True
    pid = window.session.worker_pid
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=LONG_MS)
    assert asked == [1]
    assert not Path(f"/proc/{pid}").exists()
    assert project.run("").newest_checkpoint() is not None


def test_what_cannot_be_trained_is_told_in_the_banner(
    window: MainWindow, qtbot: QtBot, project: Project
) -> None:
    project.save(files.with_changes(project.config(), ["base=/nowhere/model"]))
    window.workspace.open(project.root)
    window.train()
    qtbot.waitUntil(lambda: window.banner.isVisible(), timeout=LONG_MS)
    assert "/nowhere/model" in window.banner.text
    assert not project.runs()  # nothing was begun, so there is nothing to resume
    assert window.runs.resumable() == ""


def test_a_newer_project_is_refused_and_unchanged(window: MainWindow, tmp_path: Path) -> None:
    file = tmp_path / "project.toml"
    file.write_text('schema = 99\nname = "x"\nbase = "demo"\n')
    window.workspace.open(tmp_path)
    assert window.banner.isVisible()
    assert "newer version" in window.banner.text
    assert file.read_text() == 'schema = 99\nname = "x"\nbase = "demo"\n'


def test_the_last_project_and_page_come_back(
    window: MainWindow, qtbot: QtBot, project: Project
) -> None:
    window.workspace.open(project.root)
    window.show_page(2)
    zoom, splitter = (window.findChild(*what) for what in PLACES)
    zoom.setValue(200)
    splitter.setSizes([500, 600])
    share = splitter.sizes()[0] / sum(splitter.sizes())
    window.close()
    again = MainWindow()
    qtbot.addWidget(again)
    again.show()
    again.workspace.open_last()
    assert again.workspace.project == project
    assert again._pages.currentIndex() == 2
    zoom, splitter = (again.findChild(*what) for what in PLACES)
    assert zoom.value() == 200
    # the screen may be smaller than the window was
    assert splitter.sizes()[0] / sum(splitter.sizes()) == pytest.approx(share, abs=0.01)
    again.close()


def test_a_project_that_cannot_be_reached_does_not_keep_the_window_shut(
    window: MainWindow, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network drive that is gone, where every look raises."""
    window.workspace.open(project.root)
    real = Path.exists

    def exists(path: Path) -> bool:
        if path.is_relative_to(project.root):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "exists", exists)
    window.workspace.open_last()
    assert window.workspace.recent() == []


def test_what_was_just_written_is_saved_on_closing(
    window: MainWindow, project: Project, qtbot: QtBot
) -> None:
    window.workspace.open(project.root)
    window.show_page(1)
    form = window.train_page.form
    form._prompts.setPlainText("a fox")
    form._batch.lineEdit().setText("3")
    window.close()
    assert project.config().preview.prompts == ("a fox",)
    assert project.config().training.batch_size == 3


def test_what_was_just_written_is_the_old_projects(
    opened: MainWindow, project: Project, qtbot: QtBot
) -> None:
    qtbot.keyClicks(editor_of(opened), "New words. ")
    opened.train_page.form._prompts.setPlainText("a fox")
    opened.workspace.open_new("Other")
    assert project.config().preview.prompts == ("a fox",)
    assert (project.images / "p00.txt").read_text().startswith("New words. ")
    assert opened.workspace.project != project
    assert opened.workspace.project.config().preview.prompts == ()


def test_what_another_program_writes_into_the_settings_stays(
    opened: MainWindow, project: Project
) -> None:
    project.save(files.with_changes(project.config(), ["training.seed=5"]))
    opened.train_page.form._steps.setValue(5)
    assert project.config().training.seed == 5
    assert project.config().training.steps == 1000
    project.save(files.with_changes(project.config(), ["dataset.trigger=ink"]))
    opened.workspace.refresh()  # as when the window is turned to again
    assert opened.train_page.form._trigger.text() == "ink"


def test_no_run_starts_on_what_could_not_be_saved(
    opened: MainWindow, project: Project, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object) -> None:
        raise StorageError(f"Could not write {path}: No space left on device.")

    with monkeypatch.context() as patched:
        patched.setattr("app.models.dataset.captions.write", full)
        qtbot.keyClicks(editor_of(opened), "New words. ")
        opened.train()
        assert not opened.session.busy
        assert "p00" in opened.banner.text
    with monkeypatch.context() as patched:
        patched.setattr("core.config.files.write_beside", full)
        opened.train_page.form._steps.setValue(5)
        opened.train()
        assert not opened.session.busy
        assert "project.toml" in opened.banner.text
    long_run(project)  # with room again, what was set in the window is written before the run
    opened.train()
    assert opened.session.busy
    assert project.config().training.steps == 1000
    end(opened, qtbot)


def test_the_keys_that_train_work_on_their_page_and_end_no_run(
    opened: MainWindow, project: Project, qtbot: QtBot
) -> None:
    opened.activateWindow()
    editor = editor_of(opened)
    editor.setFocus()
    qtbot.keyClick(editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert not opened.session.busy
    opened.show_page(1)
    for _ in range(2):
        trigger = opened.train_page.form._trigger
        trigger.setFocus()
        qtbot.keyClick(opened, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        assert opened.session.state is State.STARTING
    end(opened, qtbot)


def test_the_engine_that_draws_makes_room_for_a_run(
    opened: MainWindow, project: Project, qtbot: QtBot, tmp_path: Path
) -> None:
    job = SampleJob(base=project.config().base, inference_steps=1000)
    opened.sampler.draw(job, Draw(prompt="a ball", out=str(tmp_path / "a.png")))
    worker = opened.sampler._worker
    assert worker is not None
    opened.train()
    assert not worker.running
    end(opened, qtbot)


def test_a_removal_can_be_undone_from_the_banner(opened: MainWindow, qtbot: QtBot) -> None:
    opened.dataset_page._grid.selectAll()
    opened.dataset_page._grid.removal_wished.emit()
    assert opened.dataset.rowCount() == 0
    assert "Removed 6 pictures" in opened.banner.text
    button(opened.banner, "Undo").click()
    qtbot.waitUntil(lambda: opened.dataset.rowCount() == 6)


def test_closing_while_pictures_are_copied_asks(
    opened: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    fill(tmp_path / "more", 40)
    answers = [False, True]
    opened.ask_to_stop_copying = lambda: answers.pop(0)
    opened.dataset.import_paths([tmp_path / "more"])
    assert not opened.close()
    qtbot.waitUntil(lambda: opened.dataset.rowCount() == 46)
    opened.dataset.import_paths([tmp_path / "more"])
    assert opened.close()
    assert answers == []


@pytest.mark.parametrize("harmless", [True, False])
@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_a_question_is_answered_by_key_without_harm(
    window: MainWindow, qtbot: QtBot, key: Qt.Key, harmless: bool
) -> None:
    def press() -> None:
        qtbot.keyClick(window.findChild(QMessageBox), key)

    QTimer.singleShot(200, press)
    said = confirmed(window, "Really?", "It is gone then.", yes="Yes", no="No", harmless=harmless)
    assert said == (harmless and key == Qt.Key.Key_Return)


def test_an_undo_shows_what_it_did(opened: MainWindow, qtbot: QtBot) -> None:
    grid = opened.dataset_page._grid
    qtbot.keyClicks(editor_of(opened), "New words. ")
    grid.setCurrentIndex(opened.dataset.index(4))
    opened.dataset_page.undo()
    assert grid.currentIndex().row() == 0
    assert not editor_of(opened).toPlainText().startswith("New")


def test_a_saved_adapter_has_the_suffix_that_others_list(
    opened: MainWindow, project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made_run(project, "red")
    opened.runs.open(project)
    wishes = []

    def typed(dialog: QFileDialog) -> int:
        dialog.findChild(QLineEdit).setText(str(tmp_path / "mine"))
        return 1

    monkeypatch.setattr(QFileDialog, "exec", typed)
    opened.adapters_page.export_wished.disconnect()
    opened.adapters_page.export_wished.connect(lambda *wish: wishes.append(wish))
    opened.show_page(3)
    button(opened.adapters_page, "Save for diffusers").click()
    assert wishes[0][1:] == ("diffusers", tmp_path / "mine.safetensors")


def test_a_setting_is_saved_and_a_preset_changes_several(
    window: MainWindow, project: Project
) -> None:
    window.workspace.open(project.root)
    form = window.train_page.form
    form._steps.setValue(5)
    assert project.config().training.steps == 1000
    assert not any(b.isChecked() for b in form._presets.buttons())
    form._presets.button(3).click()
    assert [b.isChecked() for b in form._presets.buttons()] == [False, False, False, True]
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
    opened.runs.open(project)
    colours = theme.DARK if dark else theme.LIGHT
    for number in range(len(PAGES)):
        opened.show_page(number)

        def painted(wanted: tuple[str, ...]) -> bool:
            picture = opened.grab().toImage()
            places = range(0, picture.width(), 7), range(0, picture.height(), 7)
            there = {picture.pixelColor(x, y).name() for x in places[0] for y in places[1]}
            return there.issuperset(wanted)

        pictures = ((), ("#ff0000",))[number in (1, 2)]
        wanted = (colours.window, colours.panel, *pictures)
        qtbot.waitUntil(lambda wanted=wanted: painted(wanted))


def test_the_loss_chart_follows_the_theme(opened: MainWindow, qtbot: QtBot) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    opened.show_page(1)
    chart = opened.train_page.chart
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
    opened.runs.open(project)
    window = opened
    for number in range(len(PAGES)):
        window.show_page(number)
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
from app.views.main_window import MainWindow, PAGES
app = QApplication([])
window = MainWindow()
window.show()
window.workspace.open_demo()
for number in range(len(PAGES)):
    window.show_page(number)
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
