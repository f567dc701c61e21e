"""Adapters that act together, each with its strength: chosen from the shelf, or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from app.models.runs import AdapterCard
from app.models.shelf import Shelf
from app.widgets import labels

WEIGHT_STEPS = 20  # of a slider, per 1.0
MOST = 6  # more than that nobody tells apart, and they would not stay in the memory
FILE_WORDS = "A file..."
ADD, REMOVE = "Add", "Remove"
BUTTON_PX = 28  # beside its words


class WornRow(QWidget):
    """One of them."""

    picked = Signal()  # another adapter
    moved = Signal()  # its strength
    file_wished = Signal()  # one that is not on the list
    pressed = Signal()  # its button

    def __init__(self, parent: QWidget | None = None, *, button: str) -> None:
        """`button` adds another row, or removes this one."""
        super().__init__(parent)
        self.adapter = QComboBox()
        self.adapter.setAccessibleName("Adapter")
        self.adapter.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.adapter.activated.connect(self._on_activated)
        self.weight = QSlider(Qt.Orientation.Horizontal)
        self.weight.setRange(0, 2 * WEIGHT_STEPS)
        self.weight.setValue(WEIGHT_STEPS)
        self.weight.setMinimumWidth(80)
        self.weight.setAccessibleName("Strength of the adapter")
        self.weight.valueChanged.connect(self._on_moved)
        self.words = labels.secondary("1.00")
        self.words.setWordWrap(False)
        self.words.setFixedWidth(self.fontMetrics().horizontalAdvance("0.00") + 8)
        self.button = QPushButton(button)
        self.button.setObjectName("view")
        widest = max(map(self.fontMetrics().horizontalAdvance, (ADD, REMOVE)))
        self.button.setFixedWidth(widest + BUTTON_PX)
        self.button.clicked.connect(self.pressed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.adapter, stretch=2)
        row.addWidget(self.weight, stretch=1)
        row.addWidget(self.words)
        row.addWidget(self.button)
        self._path: Path | None = None

    @property
    def path(self) -> Path | None:
        """The one that is chosen."""
        return self._path

    @property
    def strength(self) -> float:
        return self.weight.value() / WEIGHT_STEPS

    def show_cards(self, cards: Sequence[AdapterCard], chosen: Path | None) -> None:
        """Offer these; without `chosen` among them none is."""
        self.adapter.clear()
        for card in cards:
            self.adapter.addItem(card.words, str(card.path))
            self.adapter.setItemData(
                self.adapter.count() - 1, str(card.path), Qt.ItemDataRole.ToolTipRole
            )
        if cards:
            self.adapter.addItem(FILE_WORDS)
        self._path = chosen if chosen in [card.path for card in cards] else None
        self.adapter.setCurrentIndex(self.adapter.findData(str(self._path)) if self._path else -1)
        name = self.adapter.currentText() if self._path else "the adapter"
        self.weight.setAccessibleName(f"Strength of {name}")
        remove = self.button.text() == REMOVE
        self.button.setAccessibleName(f"Remove {name}" if remove else "Add another adapter")

    def show_strength(self, weight: float) -> None:
        """Set it; nobody is told."""
        self.weight.blockSignals(True)
        self.weight.setValue(round(weight * WEIGHT_STEPS))
        self.weight.blockSignals(False)
        self.words.setText(f"{weight:.2f}")

    def block(self, taken: set[Path]) -> None:
        """One adapter is worn once."""
        model = self.adapter.model()
        if isinstance(model, QStandardItemModel):
            for place in range(self.adapter.count()):
                data = self.adapter.itemData(place)
                free = data is None or Path(data) == self._path or Path(data) not in taken
                model.item(place).setEnabled(free)

    @Slot(int)
    def _on_activated(self, place: int) -> None:
        data = self.adapter.itemData(place)
        if data is None:
            self.adapter.setCurrentIndex(self.adapter.findData(str(self._path)))
            self.file_wished.emit()
        else:
            self._path = Path(data)
            self.picked.emit()

    @Slot(int)
    def _on_moved(self, place: int) -> None:
        self.words.setText(f"{place / WEIGHT_STEPS:.2f}")
        self.moved.emit()


class Worn(QWidget):
    """Rows of them, the first of which stays; its button adds another."""

    moved = Signal()  # a strength
    picked = Signal()  # others, by the person
    changed = Signal()  # which they are, whatever the reason

    def __init__(self, shelf: Shelf, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shelf = shelf
        self.rows: list[WornRow] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._add_row()
        shelf.changed.connect(self._on_shelf_changed)
        self._on_shelf_changed()

    @property
    def weights(self) -> dict[str, float]:
        """Those that are chosen, by their files."""
        return {str(row.path): row.strength for row in self.rows if row.path}

    @property
    def first(self) -> WornRow:
        return self.rows[0]

    def choose(self, *paths: Path | None) -> None:
        """Wear the first of these that is there in the first place."""
        there = [card.path for card in self._shelf.cards()]
        path = next((path for path in paths if path in there), None)
        for row in [row for row in self.rows[1:] if row.path == path]:
            self._drop(row)
        self._fill([path, *[row.path for row in self.rows[1:]]])

    def wear(self, weights: Mapping[str, float]) -> None:
        """Show these in place of what is chosen; nobody is told."""
        there = {str(card.path) for card in self._shelf.cards()}
        known = {path: weight for path, weight in weights.items() if path in there}
        if not known:
            return
        if list(known) != list(self.weights):
            self._resize(len(known))
            self._fill([Path(path) for path in known])
        for row, weight in zip(self.rows, known.values(), strict=True):
            row.show_strength(weight)

    @Slot()
    def add_one(self) -> None:
        """One more: the first that is not yet worn, else a file."""
        taken = [row.path for row in self.rows]
        free = next((c.path for c in self._shelf.cards() if c.path not in taken), None)
        path = free or self._ask_for_file()
        if path is not None and path not in taken:
            self._resize(len(self.rows) + 1)
            self._fill([*taken, path])
            self.rows[-1].adapter.setFocus()
            self._tell_picked()

    def _resize(self, count: int) -> None:
        while len(self.rows) < min(count, MOST):
            self._add_row()
        while len(self.rows) > max(1, count):
            self._drop(self.rows[-1])

    def _add_row(self) -> None:
        row = WornRow(button=REMOVE if self.rows else ADD)
        row.picked.connect(self._on_picked)
        row.moved.connect(self.moved)
        row.pressed.connect((lambda: self._remove(row)) if self.rows else self.add_one)
        row.file_wished.connect(lambda: self._choose_file(row))
        self.rows.append(row)
        self._column.addWidget(row)

    def _drop(self, row: WornRow) -> None:
        self.rows.remove(row)
        self._column.removeWidget(row)
        row.hide()
        row.deleteLater()

    def _fill(self, paths: Sequence[Path | None]) -> None:
        cards = self._shelf.cards()
        for row, path in zip(self.rows, paths, strict=False):
            row.show_cards(cards, path)
        self._show_taken()

    def _show_taken(self) -> None:
        taken = {row.path for row in self.rows if row.path}
        for row in self.rows:
            row.block(taken)
        self.first.button.setEnabled(len(self.rows) < MOST)

    @Slot()
    def _on_shelf_changed(self) -> None:
        """What is chosen stays; rows whose file is gone are taken away, but for the first."""
        cards = self._shelf.cards()
        there = {card.path for card in cards}
        before = [row.path for row in self.rows]
        for row in [row for row in self.rows[1:] if row.path not in there]:
            self._drop(row)
        kept = [row.path for row in self.rows]
        if kept[0] not in there:
            kept[0] = next((card.path for card in cards if card.path not in kept[1:]), None)
        self._fill(kept)
        if [row.path for row in self.rows] != before:
            self.changed.emit()

    @Slot()
    def _on_picked(self) -> None:
        self._fill([row.path for row in self.rows])
        self._tell_picked()

    def _tell_picked(self) -> None:
        self.picked.emit()
        self.changed.emit()

    def _remove(self, row: WornRow) -> None:
        self._drop(row)
        self._fill([one.path for one in self.rows])
        self.rows[-1].adapter.setFocus()
        self._tell_picked()

    def _choose_file(self, row: WornRow) -> None:
        path = self._ask_for_file()
        if path is not None and path not in [one.path for one in self.rows]:
            self._fill([path if one is row else one.path for one in self.rows])
            self._tell_picked()

    def _ask_for_file(self) -> Path | None:
        if file := ask_for_adapter(self):
            self._shelf.open(file)
        return file


def ask_for_adapter(parent: QWidget) -> Path | None:
    """A file of any program."""
    file, _ = QFileDialog.getOpenFileName(
        parent, "Choose an adapter", "", "Adapters (*.safetensors)"
    )
    return Path(file).absolute() if file else None
