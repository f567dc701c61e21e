"""Beside the options of times stands how often each is drawn; it follows them."""

import pytest

from app.views.main_window import MainWindow
from app.views.times_panel import SPANS, TimesPanel
from core.diffusion.times import Times, how_often
from tests.gui.conftest import train_page


@pytest.fixture
def panel(faked: MainWindow) -> TimesPanel:
    faked.show_page("Train")
    faked.studio.actions["train.every"].trigger()
    every = train_page(faked).form.every
    row = next(row for row in every.rows if row.path == "noise.last")
    assert isinstance(row.below, TimesPanel)
    every.search.setText("noise")
    assert row.below.chart.isVisible()
    return row.below


def test_it_shows_what_the_base_does(panel: TimesPanel) -> None:
    assert panel.chart.curve.y == pytest.approx([1.0] * SPANS)
    assert panel.chart.curve.filled
    assert panel.chart._plot is not None


def test_it_follows_the_options_and_their_undo(faked: MainWindow, panel: TimesPanel) -> None:
    settings = faked.studio.settings
    before = panel.chart.curve
    settings.change({"noise.times": "logit_normal", "noise.logit_mean": 1.0, "noise.shift": 2.0})
    wanted = Times(logit_spread=1.0, logit_mean=1.0, shift=2.0)
    assert panel.chart.curve.y == how_often(wanted, 1, SPANS)
    settings.change({"noise.first": 0.5})
    assert panel.chart.curve.y[: SPANS // 2] == [0] * (SPANS // 2)
    settings.undo_stack.undo()
    settings.undo_stack.undo()
    assert panel.chart.curve == before


def test_other_options_leave_it_alone(faked: MainWindow, panel: TimesPanel) -> None:
    plot = panel.chart._plot
    faked.studio.settings.set("training.batch_size", 7)
    assert panel.chart._plot is plot
