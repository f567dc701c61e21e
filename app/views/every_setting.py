"""Every option of a run, made from the options themselves: in groups, and searched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.models.run_settings import Values, values_of
from app.models.studio import Studio
from app.views import fields
from app.views.adapter_choice import with_kind
from app.views.fields import Field
from app.views.rate_panel import RatePanel
from app.views.times_panel import TimesPanel
from app.widgets import labels
from app.widgets.text import NumberSpin, RateSpin
from core.config import presets
from core.config.optimizers import OPTIMIZERS
from core.config.words import GROUPS, Bounds, Words, bounds

if TYPE_CHECKING:
    from core.config.options import Optimizer

MOST_WHOLE = 2**31 - 1  # that Qt's fields take
MOST_NUMBER = 1e9
FIELD_PX = 208
NAME_PX = 176
BELOW: Mapping[str, Callable[[Studio], QWidget]] = {  # what an option's row shows below it
    "training.learning_rate": RatePanel,
    "noise.last": TimesPanel,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One option: what is shown of it."""

    path: str
    words: Words
    name: QLabel
    field: QWidget
    sentence: QLabel
    reset: QPushButton
    below: QWidget | None  # what it needs more room for

    def set_visible(self, *, shown: bool) -> None:
        for widget in (self.name, self.field, self.sentence, self.below):
            if widget is not None:
                widget.setVisible(shown)
        if not shown:
            self.reset.hide()

    def found_by(self, group: str, wanted: list[str]) -> bool:
        """Whether all of these words are in what it is called or told."""
        choices = " ".join(self.words.choices.values())
        told = f"{group} {self.words.title} {self.words.sentence} {choices} {self.path}".casefold()
        return all(word in told for word in wanted)


class EverySetting(QFrame):
    """The options in groups, with a field to search them."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._studio, self._settings = studio, studio.settings
        self.fields: list[Field] = []
        self.rows: list[Row] = []
        self._heads: dict[str, tuple[QLabel, list[Row]]] = {}
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search settings: dropout, noise, mask")
        self.search.setAccessibleName("Search settings")
        self.search.setClearButtonEnabled(True)
        self.search.setAcceptDrops(False)
        self.search.textChanged.connect(self._on_searched)
        self._none = labels.secondary("No setting is called that.")
        self._none.hide()
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(2, 1)
        grid.setColumnMinimumWidth(0, NAME_PX)
        for group, options in GROUPS.items():
            self._add_group(grid, group, options)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(self.search)
        layout.addWidget(self._none)
        layout.addLayout(grid)
        self._settings.changed.connect(self._on_changed)
        self._on_changed()

    def _add_group(self, grid: QGridLayout, group: str, options: Mapping[str, Words]) -> None:
        head = labels.title(group)
        head.setContentsMargins(0, 12 if self._heads else 0, 0, 0)
        grid.addWidget(head, grid.rowCount(), 0, 1, 4)
        rows = [self._add_row(grid, group, path, words) for path, words in options.items()]
        self._heads[group] = (head, rows)
        self.rows += rows

    def _add_row(self, grid: QGridLayout, group: str, path: str, words: Words) -> Row:
        widget, field = self._field(path, words, bounds()[path])
        widget.setFixedWidth(FIELD_PX)
        widget.setAccessibleName(f"{group}: {words.title}")
        self.fields.append(field)
        name = QLabel(words.title)
        name.setBuddy(widget)
        sentence = labels.secondary(words.sentence)
        reset = QPushButton("Reset")
        reset.setObjectName("fold")
        reset.clicked.connect(lambda: self._reset(path))
        below = BELOW[path](self._studio) if path in BELOW else None
        row = Row(path, words, name, widget, sentence, reset, below)
        place = grid.rowCount()
        for column, shown in enumerate((name, widget, sentence, reset)):
            grid.addWidget(shown, place, column)
        if below is not None:
            grid.addWidget(below, place + 1, 1, 1, 3)
        return row

    def _field(self, path: str, words: Words, of: Bounds) -> tuple[QWidget, Field]:
        settings = self._settings
        match of.kind:
            case "yes_no":
                widget = QCheckBox()
                return widget, fields.check(settings, path, widget)
            case "choice":
                widget = QComboBox()
                choices = list(words.choices)
                widget.addItems(list(words.choices.values()))
                return widget, fields.pick(settings, path, widget, choices, self._with(path))
            case "whole":
                most = int(min(of.most, MOST_WHOLE))
                widget = QSpinBox(minimum=int(max(of.least, -MOST_WHOLE)), maximum=most)
                return _inset(widget), fields.spin(settings, path, widget)
            case "number":
                spin = RateSpin if words.rate else NumberSpin
                least, most = max(of.least, -MOST_NUMBER), min(of.most, MOST_NUMBER)
                widget = spin(minimum=least, maximum=most)
                return _inset(widget), fields.spin(settings, path, widget)
            case "wholes":
                widget = QLineEdit()
                return widget, fields.numbers(settings, path, widget)
            case _:
                widget = QLineEdit()
                widget.setAcceptDrops(False)
                return widget, fields.line(settings, path, widget)

    def _with(self, path: str) -> Callable[[str], Values]:
        """What else a choice sets, so that the two go together."""
        if path == "adapter.kind":
            return with_kind
        if path == "training.optimizer":
            return self._with_optimizer
        return lambda _: {}

    def _with_optimizer(self, name: str) -> Values:
        config = self._settings.config
        if config is None:
            return {}
        optimizer = cast("Optimizer", name)
        made = values_of(presets.on_optimizer(config, optimizer, self._settings.facts()))
        before = values_of(config)
        return {path: value for path, value in made.items() if before[path] != value}

    def _reset(self, path: str) -> None:
        config = self._settings.config
        if config is not None:
            usual = values_of(presets.usual(config, self._settings.facts()))
            self._settings.set(path, usual[path])

    @Slot()
    def _on_changed(self) -> None:
        config = self._settings.config
        if config is None:
            return
        usual = values_of(presets.usual(config, self._settings.facts()))
        now = values_of(config)
        for row in self.rows:
            differs = now[row.path] != usual[row.path]
            row.reset.setVisible(differs and not row.name.isHidden())
            value = _in_words(usual[row.path], row.words)
            row.reset.setToolTip(f"Back to {value}, the usual one here")
            row.reset.setAccessibleName(f"Reset {row.words.title} to {value}")
            if row.path == "training.optimizer":
                row.sentence.setText(OPTIMIZERS[config.training.optimizer].sentence)

    @Slot()
    def _on_searched(self) -> None:
        wanted = self.search.text().casefold().split()
        for group, (head, rows) in self._heads.items():
            found = [row.found_by(group, wanted) for row in rows]
            head.setVisible(any(found))
            for row, shown in zip(rows, found, strict=True):
                row.set_visible(shown=shown)
        self._none.setVisible(all(row.name.isHidden() for row in self.rows))
        self._on_changed()


def _inset(widget: QSpinBox | NumberSpin) -> QSpinBox | NumberSpin:
    widget.lineEdit().setTextMargins(8, 0, 8, 0)
    return widget


def _in_words(value: object, words: Words) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return words.choices.get(str(value), str(value)) or "nothing"
