"""Every option stands in the window: named, searched, set by itself, refused in words, undone."""

from typing import get_args

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QSpinBox
from pytestqt.qtbot import QtBot

from app.models.run_settings import values_of
from app.views.every_setting import EverySetting, Row
from app.views.main_window import MainWindow
from app.widgets.text import NumberSpin
from core.config import presets
from core.config.options import Optimizer
from core.config.words import ELSEWHERE, GROUPS, bounds
from core.project.layout import Project
from tests.gui.conftest import train_page

SHOWN = {path: words for group in GROUPS.values() for path, words in group.items()}


@pytest.fixture
def every(faked: MainWindow) -> EverySetting:
    faked.show_page("Train")
    faked.studio.actions["train.every"].trigger()
    made = train_page(faked).form.every
    assert made is not None
    return made


def row(every: EverySetting, path: str) -> Row:
    return next(row for row in every.rows if row.path == path)


def other_value(path: str, now: object) -> object:
    """Another one within bounds, which goes with the rest."""
    of = bounds()[path]
    match of.kind:
        case "yes_no":
            return not now
        case "choice":
            special = {"training.optimizer": "lion", "adapter.kind": "dora"}
            return special.get(path, next(v for v in of.values if v != now))
        case "whole" | "number":
            special = {"training.warmup_steps": 2, "adapter.rank_dropout": 0.25}
            for tried in (3, 7, 96, 0.25, 0.5, 1.5):
                if of.least <= tried <= of.most and tried != now:
                    kept = int(tried) if of.kind == "whole" else float(tried)
                    return special.get(path, kept)
            raise AssertionError(path)
        case "wholes":
            return (256, 512)
        case _:
            return "ab"


def put(widget, value: object, words) -> None:
    """As a person would."""
    match widget:
        case QCheckBox():
            widget.click()
        case QComboBox():
            widget.setCurrentText(words.choices[value])
        case QSpinBox() | NumberSpin():
            widget.setValue(value)
        case QLineEdit():
            text = ", ".join(map(str, value)) if isinstance(value, tuple) else value
            widget.clear()
            widget.insert(text)
            widget.textEdited.emit(text)
            widget.editingFinished.emit()


NEEDS = {  # what another option has to be for one to be free
    "adapter.init": {},
    "adapter.rank_dropout": {"adapter.kind": "loha"},
    "adapter.module_dropout": {"adapter.kind": "loha"},
    "noise.first": {"noise.last": 1.0},
}


def test_every_option_is_there_and_named() -> None:
    assert not SHOWN.keys() & ELSEWHERE
    assert SHOWN.keys() | ELSEWHERE == bounds().keys()
    for path, words in SHOWN.items():
        assert words.title, path
        assert words.sentence or path == "training.optimizer"
        of = bounds()[path]
        assert set(words.choices) == set(of.values), path
    titles = [(group, words.title) for group, rows in GROUPS.items() for words in rows.values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("path", SHOWN)
def test_it_sets_its_option_and_is_undone(
    faked: MainWindow, every: EverySetting, project: Project, path: str
) -> None:
    faked.studio.settings.change(NEEDS.get(path, {}))
    before = values_of(project.config())
    value = other_value(path, before[path])
    shown = row(every, path)
    put(shown.field, value, shown.words)
    after = values_of(project.config())
    assert after[path] == value
    assert shown.field.accessibleName().endswith(shown.words.title)
    also = {p for p in after if after[p] != before[p]} - {path}
    assert not also or path in ("training.optimizer", "adapter.kind")
    faked.undo.trigger()
    assert values_of(project.config()) == before


def test_what_differs_can_be_put_back(
    faked: MainWindow, every: EverySetting, project: Project
) -> None:
    faked.studio.settings.replace(
        presets.apply(presets.PRESETS[0], project.config(), faked.studio.settings.facts())
    )
    one = row(every, "noise.offset")
    assert one.reset.isHidden()
    put(one.field, 0.25, one.words)
    assert not one.reset.isHidden()
    assert "Back to 0" in one.reset.toolTip()
    one.reset.click()
    assert project.config().noise.offset == 0
    assert one.reset.isHidden()
    rate = row(every, "training.learning_rate")  # the base's own, not the option's default
    usual = project.config().training.learning_rate
    put(rate.field, 0.5, rate.words)
    rate.reset.click()
    assert project.config().training.learning_rate == usual


def test_a_search_finds_titles_sentences_and_choices(every: EverySetting) -> None:
    def found(text: str) -> set[str]:
        every.search.setText(text)
        return {row.path for row in every.rows if not row.field.isHidden()}

    assert found("") == SHOWN.keys()
    assert "training.optimizer" in found("prodigy")
    assert found("LOGIT mean") == {"noise.logit_mean"}
    assert {"dataset.masks", "dataset.unmasked"} <= found("mask")
    assert not found("nothing is called so")
    assert not every._none.isHidden()
    assert all(head.isHidden() for head, _ in every._heads.values())


@pytest.mark.parametrize("name", get_args(Optimizer))
def test_any_optimizer_can_be_chosen_at_once(
    faked: MainWindow, every: EverySetting, project: Project, name: str
) -> None:
    """What does not go with it follows; nothing is refused."""
    faked.studio.settings.change(
        {"training.average": 0.9, "training.text_encoder_learning_rate": 1e-4}
    )
    one = row(every, "training.optimizer")
    if name == "adamw":
        put(one.field, "lion", one.words)
    put(one.field, name, one.words)
    assert project.config().training.optimizer == name
    assert not faked.messages.text
    assert one.sentence.text()


def test_what_does_not_go_together_is_refused_in_words(
    faked: MainWindow, every: EverySetting, project: Project
) -> None:
    before = project.config()
    first = row(every, "training.min_snr_gamma")
    put(first.field, 5.0, first.words)
    second = row(every, "training.debiased")
    put(second.field, True, second.words)
    assert not project.config().training.debiased
    assert not second.field.isChecked()
    assert "two weights for one thing" in faked.messages.text
    faked.undo.trigger()
    assert project.config() == before


def test_the_palette_leads_there(faked: MainWindow, qtbot: QtBot) -> None:
    faked.activateWindow()
    faked.show_page("Train")
    faked.studio.actions["train.every"].trigger()
    every = train_page(faked).form.every
    qtbot.waitUntil(every.search.hasFocus)
    qtbot.keyClicks(every.search, "pyramid")
    assert [r.path for r in every.rows if not r.field.isHidden()] == ["noise.pyramid"]
    qtbot.keyClick(every.search, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
