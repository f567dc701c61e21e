"""What went wrong is written down and shown; app/main.py wires it."""

import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from app import journal, main, theme
from app.views.main_window import MainWindow
from core.project.layout import Project
from tests.gui.conftest import button

ROOT = Path(__file__).parents[2]


@pytest.fixture
def log_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "stylewright"


def fail(words: str) -> None:
    error = ValueError(words)
    try:
        raise error
    except ValueError:
        journal.take(type(error), error, error.__traceback__)


def test_a_bug_is_shown_with_details_from_whatever_thread(
    window: MainWindow, qtbot: QtBot, capsys: pytest.CaptureFixture[str]
) -> None:
    thread = threading.Thread(target=fail, args=("odd <b>thing</b>",))
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: "odd <b>thing</b>" in window.messages.text)
    button(window.messages, "Copy details").click()
    copied = QApplication.clipboard().text()
    assert "Traceback" in copied
    assert "Python 3" in copied
    assert "ValueError" in capsys.readouterr().err


def test_a_bug_before_there_is_a_window_is_shown_by_it(
    qtbot: QtBot, capsys: pytest.CaptureFixture[str]
) -> None:
    fail("too early")
    window = MainWindow()
    qtbot.addWidget(window)
    qtbot.waitUntil(lambda: "too early" in window.messages.text)
    window.close()


def run_python(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_bugs_and_crashes_leave_a_trace(log_folder: Path) -> None:
    """The second start tells of the crash of the first, and only once."""
    start = "from app import journal; last = journal.start()\n"
    run_python(f"{start}import threading; 1 / 0", log_folder.parent)
    assert "ZeroDivisionError" in (log_folder / journal.LOG).read_text()
    thread = "threading.Thread(target=lambda: [][1]).start()"
    run_python(f"{start}import threading; {thread}", log_folder.parent)
    assert "IndexError" in (log_folder / journal.LOG).read_text()
    crash = run_python(f"{start}import os; os.abort()", log_folder.parent)
    assert crash.returncode != 0
    again = run_python(f"{start}print(last)", log_folder.parent)
    assert "Fatal Python error" in again.stdout
    assert run_python(f"{start}print(last)", log_folder.parent).stdout.strip() == ""


def test_the_journal_starts_before_qt_is_imported() -> None:
    code = "import sys, app.main; print('PySide6' in sys.modules)"
    assert run_python(code, Path("/nowhere")).stdout.strip() == "False"


def test_a_home_that_may_not_be_written_keeps_nothing_shut(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code = "from app import journal; print(repr(journal.start()))"
    assert run_python(code, tmp_path / "file").stdout.strip() == "''"


@pytest.fixture
def made(qtbot: QtBot, project: Project) -> Iterator[MainWindow]:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    font = app.font()
    window = main.make_window(app, [str(project.root)])
    qtbot.addWidget(window)
    yield window
    window.close()
    app.setFont(font)


def test_the_window_opens_the_named_project(made: MainWindow, project: Project) -> None:
    assert made.studio.workspace.project == project
    assert made.windowTitle() == "Small - Stylewright"


def test_the_theme_follows_the_system(made: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    for dark, colours in ((False, theme.LIGHT), (True, theme.DARK)):
        monkeypatch.setattr(theme, "system_is_dark", lambda _app, dark=dark: dark)
        app.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
        assert theme.current() is colours
        assert app.palette().window().color().name() == colours.window


def test_text_follows_the_systems_size(made: MainWindow, qtbot: QtBot) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    assert not re.search(r"font-size: [0-9.]+px", app.styleSheet())

    def sheet() -> str:
        return app.styleSheet()

    label = made.page("Dataset").widget.findChild(QLabel, "title")
    made.show()
    sizes = []
    for points in (9, 18):
        font = app.font()
        font.setPointSize(points)
        app.setFont(font)
        qtbot.waitUntil(lambda points=points: f"{round(points * theme.TITLE, 1)}pt" in sheet())
        label.ensurePolished()
        sizes.append(label.font().pointSizeF())
    assert sizes[1] == pytest.approx(2 * sizes[0], abs=0.2)


def test_what_qt_complains_of_is_written_down(caplog: pytest.LogCaptureFixture) -> None:
    from PySide6.QtCore import qInstallMessageHandler, qWarning

    before = qInstallMessageHandler(None)
    try:
        main.write_down_qt()
        with caplog.at_level(logging.WARNING, logger="qt"):
            qWarning("odd")
    finally:
        qInstallMessageHandler(before)
    assert "odd" in caplog.text


SHOWN_AND_CLOSED = """
import sys
import app.main
from PySide6.QtWidgets import QApplication

def run():
    from app.views.main_window import MainWindow
    (window,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow)]
    print(window.isVisible(), window.messages.text)
    window.close()
    return 7

QApplication.exec = staticmethod(run)
sys.exit(app.main.main([]))
"""


def test_main_shows_the_window_and_tells_of_a_crash(log_folder: Path) -> None:
    log_folder.mkdir(parents=True)
    (log_folder / journal.CRASHES).write_text("Fatal Python error: Aborted")
    done = run_python(SHOWN_AND_CLOSED, log_folder.parent)
    assert done.returncode == 7, done.stderr
    assert done.stdout.startswith("True Stylewright ended unexpectedly")
