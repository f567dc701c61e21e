"""A learning rate is looked for from the window: shown, used by one press, undone by one."""

import pytest
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from app.views.main_window import MainWindow
from app.views.rate_panel import RatePanel
from core.project.layout import Project
from core.protocol.commands import RateJob
from core.protocol.events import Failed, Finished, Progress, RateFound, RateTried
from tests.gui.conftest import open_project, train_page
from tests.gui.fake_worker import FakeWorker

TRIED = [RateTried(rate=10.0**n, loss=0.2 - 0.01 * n) for n in range(-6, -1)]
FOUND = RateFound(
    rate=2e-4,
    text_encoder_rate=7e-5,
    least=1e-4,
    most=4e-4,
    words="It fell fastest at 0.0002.",
    smoothed=[one.loss + 0.001 for one in TRIED],
)


@pytest.fixture
def panel(faked: MainWindow) -> RatePanel:
    faked.show_page("Train")
    form = train_page(faked).form
    form._fold.setChecked(True)
    return form.finding


@pytest.fixture
def asked(faked: MainWindow, panel: RatePanel, workers: list[FakeWorker]) -> FakeWorker:
    pressed(panel, "Find a rate")
    return workers[-1]


def pressed(panel: RatePanel, words: str) -> None:
    next(b for b in panel.findChildren(QAbstractButton) if b.text() == words).click()


def test_it_is_looked_for_and_drawn(
    faked: MainWindow, panel: RatePanel, asked: FakeWorker, project: Project
) -> None:
    assert asked.job == RateJob(project=str(project.root))
    assert not panel.chart.isVisible()
    asked.tell(Progress(phase="Trying rates", done=1, total=100, seconds_left=90), *TRIED[:3])
    assert panel.said.text().startswith("Trying rates, about")
    assert panel.chart.isVisible()
    assert panel.chart.curve.x == [one.rate for one in TRIED[:3]]
    asked.tell(*TRIED[3:], FOUND, Finished())
    asked.end()
    assert panel.chart.curve.y == FOUND.smoothed
    assert panel.chart.curve.points == [one.loss for one in TRIED]
    assert panel.chart.curve.at == 2e-4
    assert panel.chart.curve.meant == (1e-4, 4e-4)
    assert "From 0.0001 to 0.0004" in panel.said.text()
    assert not faked.studio.jobs.pending


def test_one_press_uses_it_and_one_undoes_it(
    faked: MainWindow, panel: RatePanel, asked: FakeWorker, project: Project
) -> None:
    settings = faked.studio.settings
    before = settings.config
    asked.tell(*TRIED, FOUND, Finished())
    asked.end()
    assert project.config() == before  # looking changes nothing
    pressed(panel, "Use 0.0002")
    training = project.config().training
    assert (training.learning_rate, training.text_encoder_learning_rate) == (2e-4, 7e-5)
    assert panel.chart.isVisible()  # why it is so stays there
    assert not faked.studio.actions["train.use_rate"].isVisible()
    settings.undo_stack.undo()
    assert settings.config == before


def test_a_sweep_that_says_nothing_offers_nothing(
    faked: MainWindow, panel: RatePanel, asked: FakeWorker
) -> None:
    asked.tell(
        *TRIED, RateFound(rate=0, text_encoder_rate=0, least=0, most=0, words="No.", smoothed=[])
    )
    asked.end()
    assert panel.said.text() == "No."
    assert panel.chart.isVisible()
    assert not faked.studio.actions["train.use_rate"].isVisible()


def test_it_is_given_up(
    faked: MainWindow, panel: RatePanel, asked: FakeWorker, qtbot: QtBot
) -> None:
    asked.tell(*TRIED)
    pressed(panel, "Stop looking")
    assert asked.killed
    assert not panel.chart.isVisible()
    qtbot.waitUntil(lambda: not asked.running)
    assert not panel.said.text()


def test_other_settings_make_it_worthless(
    faked: MainWindow, panel: RatePanel, asked: FakeWorker
) -> None:
    asked.tell(*TRIED, FOUND)
    asked.end()
    faked.studio.settings.set("training.batch_size", 7)
    assert faked.studio.rate_finder.found is None
    assert not panel.chart.isVisible()


def test_it_waits_for_a_run_and_leaves_the_queue(
    faked: MainWindow, panel: RatePanel, workers: list[FakeWorker], project: Project
) -> None:
    faked.studio.actions["train"].trigger()
    faked.studio.actions["train.form"].trigger()
    pressed(panel, "Find a rate")
    assert panel.said.text() == "Waits for the device."
    assert len(workers) == 1
    pressed(panel, "Stop looking")
    workers[0].end()
    assert len(workers) == 1


@pytest.mark.parametrize("name", ["prodigy", "schedule_free"])
def test_there_may_be_nothing_to_find(faked: MainWindow, panel: RatePanel, name: str) -> None:
    change = {"training.optimizer": name, "training.schedule": "constant"}
    rate = {"training.learning_rate": 1.0, "training.text_encoder_learning_rate": 1.0}
    faked.studio.settings.change(change | rate)
    assert panel.said.text().startswith("There is nothing to find")
    assert not faked.studio.actions["train.rate"].isEnabled()


def test_what_goes_wrong_is_said(panel: RatePanel, asked: FakeWorker) -> None:
    asked.end(Failed(code="base", message="The base model is gone."))
    assert panel.said.text() == "The base model is gone."


def test_every_setting_has_it_below_the_rate(faked: MainWindow, panel: RatePanel) -> None:
    faked.studio.actions["train.every"].trigger()
    every = train_page(faked).form.every
    row = next(row for row in every.rows if row.path == "training.learning_rate")
    assert isinstance(row.below, RatePanel)
    every.search.setText("dropout")
    assert not row.below.isVisible()
    every.search.clear()
    assert row.below.isVisible()


def test_the_real_worker_looks(window: MainWindow, project: Project, qtbot: QtBot) -> None:
    open_project(window, qtbot, project)
    window.show_page("Train")
    form = train_page(window).form
    form._fold.setChecked(True)
    window.studio.actions["train.rate"].trigger()
    finder = window.studio.rate_finder
    qtbot.waitUntil(lambda: len(finder.tried) > 2, timeout=120_000)
    assert form.finding.chart.isVisible()
    window.studio.actions["train.rate"].trigger()
    qtbot.waitUntil(lambda: not finder.busy)
    assert project.runs() == []
