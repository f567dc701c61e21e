"""The pictures that were made by hand, in a row; one of them is saved or copied."""

from __future__ import annotations

import shutil
from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtWidgets import QApplication, QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.models import pictures
from app.models.drawn import TILE_PX, Drawn
from app.models.studio import Studio
from app.widgets.button import ActionButton
from app.widgets.grid import GAP_PX, Grid
from core.errors import StorageError

SCROLL_PX = 12  # the bar below the pictures
PLACE = "Preview"


class DrawnStrip(QWidget):
    """Newest first; empty, it is not seen."""

    chosen = Signal(object)  # a PictureDrawn

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio = studio
        self.history = Drawn(studio.runs, studio.tiles, self)
        add = studio.actions.add
        self._save = add("drawn.save", "Save this picture...", self._on_save, place=PLACE)
        self._copy = add("drawn.copy", "Copy this picture", self._on_copy, place=PLACE)
        self._save.setToolTip("Save the chosen picture elsewhere")
        self.grid = Grid(Qt.ItemDataRole.DisplayRole)
        self.grid.setModel(self.history)
        self.grid.setAccessibleName("Pictures made by hand, newest first")
        self.grid.set_edge(TILE_PX)
        self.grid.setWrapping(False)
        self.grid.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.grid.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.grid.setFixedHeight(TILE_PX + 2 * GAP_PX + self.fontMetrics().height() + SCROLL_PX)
        buttons = QVBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(ActionButton(self._save))
        buttons.addWidget(ActionButton(self._copy))
        buttons.addStretch()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.grid, stretch=1)
        row.addLayout(buttons)
        self.grid.selectionModel().currentChanged.connect(self._on_chosen)
        self.history.modelReset.connect(self._on_changed)
        self.history.rowsInserted.connect(self._on_changed)
        self._on_changed()

    @Slot(QModelIndex, QModelIndex)
    def _on_chosen(self, current: QModelIndex, _previous: QModelIndex) -> None:
        self._on_changed()
        if current.isValid():
            self.chosen.emit(self.history.pictures[current.row()])

    @Slot()
    def _on_changed(self) -> None:
        self.setVisible(bool(self.history.pictures))
        for action in (self._save, self._copy):
            action.setEnabled(self.grid.currentIndex().isValid())

    def _chosen_file(self) -> Path | None:
        index = self.grid.currentIndex()
        return self.history.file(self.history.pictures[index.row()]) if index.isValid() else None

    @Slot()
    def _on_save(self) -> None:
        source = self._chosen_file()
        if source is None:
            return
        dialog = QFileDialog(self, "Save the picture", str(Path.home()), "*.png")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("png")
        dialog.selectFile(source.name)
        if not dialog.exec():
            return
        target = Path(dialog.selectedFiles()[0])
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            self._studio.news.failure(str(StorageError.writing(target, error)))
        else:
            self._studio.news.note(f"Saved {target}")

    @Slot()
    def _on_copy(self) -> None:
        if source := self._chosen_file():
            QApplication.clipboard().setImage(pictures.load(source))
