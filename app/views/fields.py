"""A widget bound to one setting: it shows that, and sets nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Slot
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QPlainTextEdit,
    QSlider,
    QSpinBox,
    QWidget,
)
from typing_extensions import override

from app.models.run_settings import Settings, Values, values_of
from app.widgets.text import pass_undo

SAVE_AFTER_MS = 400  # of no typing


class Field(QObject):
    """What is typed and not yet set is kept, whatever else changes the settings meanwhile."""

    def __init__(
        self,
        settings: Settings,
        path: str,
        widget: QWidget,
        read: Callable[[], Values],
        show: Callable[[object], None],
    ) -> None:
        """`read` gives the setting at `path`, and what belongs to it; `show` shows a value."""
        super().__init__(widget)
        self._settings, self._path, self._widget = settings, path, widget
        self._read, self._show = read, show
        self._pending = self._showing = False
        self._timer = QTimer(self, interval=SAVE_AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self.commit)
        settings.changed.connect(self._on_settings_changed)
        self._on_settings_changed()

    @Slot()
    def begun(self) -> None:
        """Something is being written that means nothing before its end: half a number."""
        self._pending = self._pending or not self._showing

    @Slot()
    def typed(self) -> None:
        """Something is written, which may go on."""
        self.begun()
        if self._pending:
            self._timer.start()

    @Slot()
    def edited(self) -> None:
        """Something is chosen or written to its end."""
        self.begun()
        self.commit()

    @Slot()
    def commit(self) -> None:
        """Set what is shown, if the person has changed it."""
        self._timer.stop()
        if self._pending:
            self._pending = False
            self._settings.change(self._read())

    @Slot()
    def _on_settings_changed(self) -> None:
        if self._settings.config is None or self._pending:
            return
        self._showing = True
        self._show(values_of(self._settings.config)[self._path])
        self._showing = False


def line(settings: Settings, path: str, widget: QLineEdit) -> Field:
    """A line of text."""

    def show(value: object) -> None:
        if widget.text().strip() != value:
            widget.setText(str(value))

    field = Field(settings, path, widget, lambda: {path: widget.text().strip()}, show)
    widget.textChanged.connect(field.typed)
    widget.editingFinished.connect(field.commit)
    pass_undo(widget)
    return field


def lines(settings: Settings, path: str, widget: QPlainTextEdit) -> Field:
    """A list of texts, one a line."""

    def read() -> tuple[str, ...]:
        written = widget.toPlainText().splitlines()
        return tuple(line.strip() for line in written if line.strip())

    def show(value: object) -> None:
        if isinstance(value, tuple) and read() != value:
            widget.setPlainText("\n".join(value))

    field = Field(settings, path, widget, lambda: {path: read()}, show)
    widget.textChanged.connect(field.typed)
    pass_undo(widget)
    return field


def numbers(settings: Settings, path: str, widget: QLineEdit) -> Field:
    """Some whole numbers, with commas between; what is none is left out."""

    def read() -> Values:
        written = widget.text().replace(",", " ").split()
        return {path: tuple(int(word) for word in written if word.isdecimal())}

    def show(value: object) -> None:
        if isinstance(value, tuple) and read()[path] != value:
            widget.setText(", ".join(map(str, value)))

    field = Field(settings, path, widget, read, show)
    widget.textEdited.connect(field.begun)
    widget.editingFinished.connect(field.commit)
    pass_undo(widget)
    return field


def spin(settings: Settings, path: str, widget: QSpinBox | QDoubleSpinBox) -> Field:
    """A number."""
    widget.setKeyboardTracking(False)
    _only_when_clicked(widget)

    def read() -> Values:
        widget.interpretText()
        return {path: widget.value()}

    def show(value: object) -> None:
        if isinstance(widget, QSpinBox) and isinstance(value, int):
            widget.setValue(value)
        elif isinstance(widget, QDoubleSpinBox) and isinstance(value, float | int):
            widget.setValue(float(value))

    field = Field(settings, path, widget, read, show)
    widget.lineEdit().textChanged.connect(field.begun)
    widget.valueChanged.connect(field.edited)
    pass_undo(widget)
    return field


def choice(
    settings: Settings,
    path: str,
    widget: QSlider,
    choices: Sequence[int],
    with_it: Callable[[int], Values],
) -> Field:
    """A slider whose places are `choices`; `with_it` is what else a choice sets."""
    widget.setRange(0, len(choices) - 1)
    widget.setPageStep(1)
    _only_when_clicked(widget)

    def read() -> Values:
        value = choices[widget.value()]
        return {path: value, **with_it(value)}

    def show(value: object) -> None:
        if isinstance(value, int):
            distances = [abs(choice - value) for choice in choices]
            widget.setValue(distances.index(min(distances)))

    field = Field(settings, path, widget, read, show)
    widget.valueChanged.connect(field.edited)
    return field


def pick(
    settings: Settings,
    path: str,
    widget: QComboBox,
    choices: Sequence[str],
    with_it: Callable[[str], Values] = lambda _: {},
) -> Field:
    """One of some words, of which the box shows others; `with_it` is what else a choice sets."""
    _only_when_clicked(widget)

    def read() -> Values:
        value = choices[widget.currentIndex()]
        return {path: value, **with_it(value)}

    def show(value: object) -> None:
        if isinstance(value, str) and value in choices:
            widget.setCurrentIndex(choices.index(value))

    field = Field(settings, path, widget, read, show)
    widget.currentIndexChanged.connect(field.edited)
    return field


def check(settings: Settings, path: str, widget: QCheckBox) -> Field:
    """Yes or no."""
    read: Callable[[], Values] = lambda: {path: widget.isChecked()}  # noqa: E731
    field = Field(settings, path, widget, read, lambda value: widget.setChecked(bool(value)))
    widget.toggled.connect(field.edited)
    return field


def _only_when_clicked(widget: QAbstractSpinBox | QSlider | QComboBox) -> None:
    """The wheel scrolls the page; it changes only what was clicked before."""
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.installEventFilter(_WheelPasser(widget))


class _WheelPasser(QObject):
    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        wheel = event.type() == QEvent.Type.Wheel
        if wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)
