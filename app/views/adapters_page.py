"""The Adapters page: the files made so far, with their pictures, and their export."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    Qt,
    QUrl,
    Signal,
    Slot,
)
from PySide6.QtGui import QDesktopServices, QImage
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app.models import pictures
from app.models.runs import AdapterCard, Runs
from app.views.preview_page import adapter_words, style_words
from app.widgets import labels
from app.widgets.grid import Grid, Index
from app.widgets.picture import PictureView

_ROOT = QModelIndex()


class AdapterCards(QAbstractListModel):
    """The project's adapter files, newest first."""

    def __init__(self, runs: Runs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs = runs
        self.cards: list[AdapterCard] = []
        runs.adapters_changed.connect(self._on_changed)

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.cards)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        card = self.cards[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.AccessibleTextRole:
                return adapter_words(card)
            case Qt.ItemDataRole.DecorationRole:
                return pictures.load(card.picture, 320) if card.picture else QImage()
            case Qt.ItemDataRole.ToolTipRole:
                return str(card.path)
            case _:
                return None

    @Slot()
    def _on_changed(self) -> None:
        self.beginResetModel()
        self.cards = self._runs.adapters()
        self.endResetModel()


class AdaptersPage(QWidget):
    """Choose a card, look at it, use it elsewhere."""

    export_wished = Signal(object, str, object)  # source Path, format, target Path
    preview_wished = Signal(object)  # a Path

    def __init__(self, runs: Runs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = AdapterCards(runs, self)
        self._grid = Grid(Qt.ItemDataRole.DisplayRole)
        self._grid.set_edge(176)
        self._grid.setModel(self._model)
        self._grid.setAccessibleName("Adapters")
        self._picture = PictureView()
        self._name = labels.title("")
        self._facts = labels.secondary()
        self._facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        panel = QFrame()
        panel.setObjectName("panel")
        panel.setFixedWidth(400)
        right = QVBoxLayout(panel)
        right.setContentsMargins(16, 16, 16, 16)
        right.setSpacing(8)
        right.addWidget(self._picture, stretch=1)
        right.addWidget(self._name)
        right.addWidget(self._facts)
        for words, wish in (
            (self.tr("Save for ComfyUI, Forge, A1111"), "kohya"),
            (self.tr("Save for diffusers"), "diffusers"),
        ):
            button = QPushButton(words)
            button.clicked.connect(lambda _checked=False, wish=wish: self._export(wish))
            right.addWidget(button)
        more = QHBoxLayout()
        folder = QPushButton(self.tr("Show in folder"))
        folder.clicked.connect(self._on_folder_clicked)
        draw = QPushButton(self.tr("Draw with it"))
        draw.clicked.connect(self._on_draw_clicked)
        more.addWidget(folder)
        more.addWidget(draw)
        right.addLayout(more)
        self._panel = panel
        full = QWidget()
        row = QHBoxLayout(full)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(16)
        row.addWidget(self._grid, stretch=1)
        row.addWidget(panel)
        empty = labels.secondary(
            self.tr("What you train appears here: a file for ComfyUI, Forge, A1111 and diffusers.")
        )
        empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedWidget()
        self._stack.addWidget(empty)
        self._stack.addWidget(full)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(16)
        layout.addWidget(labels.title(self.tr("Adapters")))
        layout.addWidget(self._stack, stretch=1)
        self._model.modelReset.connect(self._on_reset)
        self._grid.selectionModel().currentChanged.connect(self._on_current_changed)
        self._on_reset()

    def _current(self) -> AdapterCard | None:
        index = self._grid.currentIndex()
        return self._model.cards[index.row()] if index.isValid() else None

    @Slot()
    def _on_reset(self) -> None:
        self._stack.setCurrentIndex(1 if self._model.cards else 0)
        if self._model.cards:
            self._grid.setCurrentIndex(self._model.index(0))

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, _current: QModelIndex, _previous: QModelIndex) -> None:
        card = self._current()
        self._panel.setVisible(card is not None)
        if card is None:
            return
        self._picture.show_image(pictures.load(card.picture) if card.picture else QImage())
        self._name.setText(card.path.stem)
        facts = [adapter_words(card), f"{card.size_bytes / 2**20:.1f} MiB"]
        if card.style:
            facts.append(style_words(card.style))
        self._facts.setText("\n".join(facts))

    def _export(self, layout: str) -> None:
        card = self._current()
        if card is None:
            return
        words = self.tr("Save the adapter")
        suggestion = str(Path.home() / f"{card.path.stem}-{layout}.safetensors")
        name, _ = QFileDialog.getSaveFileName(self, words, suggestion, "*.safetensors")
        if name:
            self.export_wished.emit(card.path, layout, Path(name))

    @Slot()
    def _on_folder_clicked(self) -> None:
        card = self._current()
        if card:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(card.path.parent)))

    @Slot()
    def _on_draw_clicked(self) -> None:
        card = self._current()
        if card:
            self.preview_wished.emit(card.path)
