"""How often the pictures of each folder come in an epoch, whatever the folders are called."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.figures import count_of
from app.models.dataset import Dataset
from app.widgets import labels
from app.widgets.scrolled import Scrolled
from core.config.options import DatasetConfig
from core.data.marks import MOST_REPEATS, Marks

SIZE_PX = (560, 400)
BOX_PX = 144


class RepeatsDialog(QDialog):
    """A number a folder; 0 is what its name asks for, if that is heeded."""

    def __init__(
        self, dataset: Dataset, config: DatasetConfig, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Repeats of folders")
        self.resize(*SIZE_PX)
        self._dataset = dataset
        self.boxes: dict[Path, QSpinBox] = {}
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(8)
        held = Counter(one.path.parent for one in dataset.rows.pictures)
        root = dataset.project.root if dataset.project else Path()
        for folder, count in sorted(held.items()):
            name = str(folder.relative_to(root) if folder.is_relative_to(root) else folder)
            box = QSpinBox()
            box.setRange(0, MOST_REPEATS)
            box.setMinimumWidth(BOX_PX)
            box.lineEdit().setTextMargins(8, 0, 8, 0)
            box.setSpecialValueText(f"as named: {Marks().repeats(folder, config)}")
            box.setValue(dataset.marking.said.folders.get(folder, 0))
            box.setAccessibleName(f"Repeats of {name}")
            words = QLabel(f"{name}, {count_of(count, 'picture')}")
            words.setBuddy(box)
            form.addRow(words, box)
            self.boxes[folder] = box
        inside = QWidget()
        inside.setLayout(form)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self._on_accepted)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(16)
        column.addWidget(
            labels.secondary(
                "How often the pictures of a folder come in an epoch. The folders keep their names."
            )
        )
        column.addWidget(Scrolled(inside))
        column.addStretch()
        column.addWidget(buttons)

    @Slot()
    def _on_accepted(self) -> None:
        times = {folder: box.value() for folder, box in self.boxes.items()}
        self._dataset.marking.set_repeats(times)
        self.accept()
