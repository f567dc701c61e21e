"""How much memory a run needs, asked from the window."""

import pytest
from pytestqt.qtbot import QtBot

from app.views.main_window import MainWindow
from core.project.layout import Project
from core.protocol.commands import MemoryJob
from core.protocol.events import Failed, Finished, MemoryForeseen, Proposed
from tests.gui.conftest import button, open_project, train_page
from tests.gui.fake_worker import FakeWorker

GB = 2**30
FITS = MemoryForeseen(device="A GPU", needed=3 * GB, total=8 * GB, free=8 * GB)
TIGHT = MemoryForeseen(
    device="A GPU",
    needed=11 * GB,
    total=8 * GB,
    free=7 * GB,
    proposed=[
        Proposed(option="training.recompute", value="true", why="..."),
        Proposed(option="", value="1", why="..."),
        Proposed(option="training.base_precision", value="nf4", why="..."),
    ],
    then=6 * GB,
)


@pytest.fixture
def asked(faked: MainWindow, workers: list[FakeWorker]) -> FakeWorker:
    faked.show_page("Train")
    faked.studio.actions["train.memory"].trigger()
    return workers[-1]


def said(window: MainWindow) -> str:
    return train_page(window).memory.said.text()


def test_it_is_said_what_is_needed_and_what_there_is(
    faked: MainWindow, asked: FakeWorker, project: Project
) -> None:
    assert asked.job == MemoryJob(project=str(project.root))
    assert button(train_page(faked), "Stop counting").isVisible()
    asked.tell(FITS, Finished())
    asked.end()
    assert said(faked) == "About 3.0 GB. A GPU has 8.0 GB: it fits."
    assert not faked.studio.actions["train.fit"].isVisible()


def test_one_press_makes_it_fit_and_one_undoes_it(faked: MainWindow, asked: FakeWorker) -> None:
    asked.tell(TIGHT, Finished())
    asked.end()
    assert said(faked).startswith("About 11.0 GB. A GPU has 8.0 GB, 7.0 GB of it free. It fits")
    assert "compute blocks anew, 1 picture at a time, base model held in nf4" in said(faked)
    settings = faked.studio.settings
    before = settings.config
    button(train_page(faked), "Make it fit").click()
    assert settings.config.training.recompute
    assert settings.config.training.base_precision == "nf4"
    assert said(faked) == ""  # of the settings before
    settings.undo_stack.undo()
    assert settings.config == before


def test_a_base_that_is_too_large_is_said(faked: MainWindow, asked: FakeWorker) -> None:
    asked.tell(
        MemoryForeseen(
            device="A GPU",
            needed=30 * GB,
            total=4 * GB,
            free=4 * GB,
            proposed=TIGHT.proposed,
            then=9 * GB,
            fits=False,
        )
    )
    asked.end()
    assert "too little for this base" in said(faked)
    assert not faked.studio.actions["train.fit"].isVisible()


def test_other_settings_end_the_count(
    faked: MainWindow, asked: FakeWorker, workers: list[FakeWorker], qtbot: QtBot
) -> None:
    faked.studio.settings.set("dataset.resolution_px", 128)
    assert asked.killed
    assert said(faked) == ""
    faked.studio.actions["train.memory"].trigger()
    qtbot.waitUntil(lambda: workers[-1] is not asked)
    assert said(faked).startswith("Counting")
    workers[-1].tell(FITS)
    workers[-1].end()
    assert "3.0 GB" in said(faked)


def test_it_can_be_stopped(faked: MainWindow, asked: FakeWorker, qtbot: QtBot) -> None:
    button(train_page(faked), "Stop counting").click()
    assert asked.killed
    qtbot.waitUntil(lambda: not asked.running)
    assert said(faked) == ""
    assert button(train_page(faked), "How much memory?").isVisible()


def test_what_goes_wrong_is_said_there(faked: MainWindow, asked: FakeWorker) -> None:
    asked.end(Failed(code="base", message="The base model is gone."))
    assert said(faked) == "The base model is gone."


def test_the_real_worker_counts(window: MainWindow, project: Project, qtbot: QtBot) -> None:
    open_project(window, qtbot, project)
    window.show_page("Train")
    window.studio.actions["train.memory"].trigger()
    qtbot.waitUntil(lambda: not window.studio.foreseer.busy, timeout=120_000)
    found = window.studio.foreseer.found
    assert found is not None
    assert found.proposed == []
    assert 0.3 * GB < found.needed < 3 * GB
    assert said(window).endswith("it fits.")
