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
from app.models.pictures import Thumbnails
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
        self._thumbnails = Thumbnails(self)
        self._thumbnails.ready.connect(self._on_thumbnail_ready)
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
                return (card.picture and self._thumbnails.get(card.picture)) or QImage()
            case Qt.ItemDataRole.ToolTipRole:
                return str(card.path)
            case _:
                return None

    @Slot()
    def _on_changed(self) -> None:
        cards = self._runs.adapters()
        if cards != self.cards:
            self.beginResetModel()
            self.cards = cards
            self.endResetModel()

    @Slot(str)
    def _on_thumbnail_ready(self, _name: str) -> None:
        if self.cards:
            self.dataChanged.emit(self.index(0), self.index(len(self.cards) - 1))

    def finish(self) -> None:
        """Wait for what is being decoded; before the program ends."""
        self._thumbnails.finish()


class AdaptersPage(QWidget):
    """Choose a card, look at it, use it elsewhere."""

    export_wished = Signal(object, str, object)  # source Path, format, target Path
    preview_wished = Signal(object)  # a Path

    def __init__(self, runs: Runs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cards = AdapterCards(runs, self)
        self._chosen: Path | None = None
        self._grid = Grid(Qt.ItemDataRole.DisplayRole)
        self._grid.set_edge(176)
        self._grid.setModel(self.cards)
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
        self._exports: list[QPushButton] = []
        for words, wish in (
            (self.tr("Save for ComfyUI, Forge, A1111"), "kohya"),
            (self.tr("Save for diffusers"), "diffusers"),
        ):
            button = QPushButton(words)
            button.clicked.connect(lambda _checked=False, wish=wish: self._export(wish))
            right.addWidget(button)
            self._exports.append(button)
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
        self.cards.modelReset.connect(self._on_reset)
        self._grid.selectionModel().currentChanged.connect(self._on_current_changed)
        self._on_reset()

    def _current(self) -> AdapterCard | None:
        index = self._grid.currentIndex()
        return self.cards.cards[index.row()] if index.isValid() else None

    @Slot()
    def _on_reset(self) -> None:
        self._stack.setCurrentIndex(1 if self.cards.cards else 0)
        paths = [card.path for card in self.cards.cards]
        if paths:
            place = paths.index(self._chosen) if self._chosen in paths else 0
            self._grid.setCurrentIndex(self.cards.index(place))

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, _current: QModelIndex, _previous: QModelIndex) -> None:
        card = self._current()
        self._panel.setVisible(card is not None)
        self._chosen = card.path if card else None
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
        dialog = QFileDialog(self, self.tr("Save the adapter"), str(Path.home()), "*.safetensors")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("safetensors")  # other programs list no file without it
        dialog.selectFile(f"{card.path.stem}-{layout}.safetensors")
        if dialog.exec():
            self.export_wished.emit(card.path, layout, Path(dialog.selectedFiles()[0]))

    def show_exporting(self, *, busy: bool) -> None:
        """One export at a time: each loads the base model."""
        for button in self._exports:
            button.setEnabled(not busy)
            button.setToolTip(self.tr("An adapter is being saved.") if busy else "")

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
