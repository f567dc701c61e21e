"""Fields that are written in."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QKeyEvent, QKeySequence, QValidator
from PySide6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QLineEdit, QPlainTextEdit, QWidget
from typing_extensions import override

Field = QPlainTextEdit | QLineEdit | QAbstractSpinBox
STEP = 1.25  # of a rate, up or down
RATE_DECIMALS = 12


def pass_undo(field: Field) -> None:
    """What the field itself cannot take back is taken back by the page."""
    field.installEventFilter(_UndoPasser(field))


class _UndoPasser(QObject):
    """A field claims Ctrl+Z even where there is nothing to undo in it."""

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            undo = event.matches(QKeySequence.StandardKey.Undo) and not _can(watched, "undo")
            redo = event.matches(QKeySequence.StandardKey.Redo) and not _can(watched, "redo")
            if undo or redo:
                event.ignore()
                return True
        return super().eventFilter(watched, event)


def _can(field: QObject, what: str) -> bool:
    if isinstance(field, QAbstractSpinBox):
        field = field.lineEdit()
    if isinstance(field, QPlainTextEdit):
        document = field.document()
        return document.isUndoAvailable() if what == "undo" else document.isRedoAvailable()
    if isinstance(field, QLineEdit):
        return field.isUndoAvailable() if what == "undo" else field.isRedoAvailable()
    return False


class NumberSpin(QDoubleSpinBox):
    """A number as people write it, 0.05 or 1e-4, which no number of decimals fits."""

    def __init__(
        self, parent: QWidget | None = None, *, minimum: float = 0.0, maximum: float = 10.0
    ) -> None:
        super().__init__(parent, decimals=RATE_DECIMALS, minimum=minimum, maximum=maximum)
        self.setSingleStep(0.05 if maximum <= 1 else 1.0)

    @override
    def textFromValue(self, val: float) -> str:
        return f"{val:.6g}"

    @override
    def valueFromText(self, text: str) -> float:
        return _number(text) or 0.0

    @override
    def validate(self, input: str, pos: int) -> tuple[QValidator.State, str, int]:
        number = _number(input)
        fits = number is not None and self.minimum() <= number <= self.maximum()
        state = QValidator.State.Acceptable if fits else QValidator.State.Intermediate
        return (state, input, pos)


class RateSpin(NumberSpin):
    """A learning rate, which is stepped by factors."""

    @override
    def stepBy(self, steps: int) -> None:
        self.setValue(self.value() * STEP**steps)


def _number(text: str) -> float | None:
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
