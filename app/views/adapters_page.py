"""The Adapters page: the files made so far, with their pictures, and their export."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, QUrl, Slot
from PySide6.QtGui import QAction, QDesktopServices, QImage
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.figures import count_of
from app.models import pictures
from app.models.adapters import TILE_PX, AdapterCards
from app.models.run_record import style_words
from app.models.runs import AdapterCard
from app.models.studio import Studio
from app.process.exporter import Format
from app.views import story
from app.views.page import Page
from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.empty import Empty
from app.widgets.grid import Grid
from app.widgets.picture import PictureView

PLACE = "Adapters"
LEAST_PX, WIDEST_PX = 360, 560  # the panel beside the cards
EXPORTS: tuple[tuple[str, Format], ...] = (
    ("Save for ComfyUI, Forge, A1111", "usual"),
    ("Save for diffusers", "diffusers"),
)


class AdaptersPage(QWidget):
    """Choose a card, look at it, use it elsewhere."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio = studio
        self.cards = AdapterCards(studio.runs, studio.tiles, self)
        self._chosen: Path | None = None
        self.grid = Grid(Qt.ItemDataRole.DisplayRole)
        self.grid.set_edge(TILE_PX)
        self.grid.setModel(self.cards)
        self.grid.setAccessibleName("Adapters")
        self._add_actions()
        self._count = labels.heading()
        full = QWidget()
        column = QVBoxLayout(full)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._count)
        row = QHBoxLayout()
        column.addLayout(row, stretch=1)
        row.setSpacing(16)
        row.addWidget(self.grid, stretch=2)
        self._panel = self._make_panel()
        row.addWidget(self._panel, stretch=1)
        words = "What you train appears here: a file for ComfyUI, Forge, A1111 and diffusers."
        begin = ActionButton(studio.actions["page.train"], primary=True)
        empty = Empty(story.file(), "No adapter yet", words, [begin])
        self._stack = QStackedWidget()
        self._stack.addWidget(empty)
        self._stack.addWidget(full)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.addWidget(self._stack)
        self.cards.modelReset.connect(self._on_reset)
        self.grid.selectionModel().currentChanged.connect(self._on_current_changed)
        studio.exporter.changed.connect(self._on_exporting)
        self._on_reset()
        self._on_exporting()

    def _add_actions(self) -> None:
        add = self._studio.actions.add
        self._exports: list[QAction] = [
            add(f"export.{layout}", words, lambda layout=layout: self._export(layout), place=PLACE)
            for words, layout in EXPORTS
        ]
        folder = add("adapter.folder", "Show in folder", self._on_folder, place=PLACE)
        draw = add("adapter.draw", "Draw with it", self._on_draw, place=PLACE)
        self._others = [folder, draw]

    def _make_panel(self) -> QFrame:
        panel = QFrame()
        panel.setObjectName("panel")
        panel.setMinimumWidth(LEAST_PX)
        panel.setMaximumWidth(WIDEST_PX)
        self.picture = PictureView(square=True)
        self.name = labels.title("")
        self.facts = labels.secondary()
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column = QVBoxLayout(panel)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        column.addWidget(self.picture, stretch=1000)  # all that it can use
        column.addSpacing(8)
        column.addWidget(self.name)
        column.addWidget(self.facts)
        column.addSpacing(8)
        for number, action in enumerate(self._exports):
            column.addWidget(ActionButton(action, primary=number == 0))
        more = QHBoxLayout()
        for action in self._others:
            more.addWidget(ActionButton(action))
        column.addLayout(more)
        column.addStretch(1)
        return panel

    def _current(self) -> AdapterCard | None:
        index = self.grid.currentIndex()
        return self.cards.cards[index.row()] if index.isValid() else None

    @Slot()
    def _on_reset(self) -> None:
        self._stack.setCurrentIndex(1 if self.cards.cards else 0)
        self._count.setText(count_of(len(self.cards.cards), "adapter"))
        paths = [card.path for card in self.cards.cards]
        if paths:
            self.grid.choose(paths.index(self._chosen) if self._chosen in paths else 0)
        self._on_current_changed()

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, *_indexes: QModelIndex) -> None:
        card = self._current()
        self._panel.setVisible(card is not None)
        for action in (*self._exports, *self._others):
            action.setVisible(card is not None)
        self._chosen = card.path if card else None
        if card is None:
            return
        self.picture.show_image(pictures.load(card.picture) if card.picture else QImage())
        self.name.setText(card.path.stem)
        facts = [f"{card.words}, {card.size_bytes / 2**20:.1f} MiB"]
        if card.style:
            facts.append(style_words(card.style))
        if card.only_here:
            facts.append("Only Stylewright's demo base model can use it.")
        self.facts.setText("\n".join(facts))

    def _export(self, layout: Format) -> None:
        card = self._current()
        if card is None:
            return
        dialog = QFileDialog(self, "Save the adapter", str(Path.home()), "*.safetensors")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("safetensors")  # other programs list no file without it
        dialog.selectFile(
            card.path.stem + ("-diffusers" if layout == "diffusers" else "") + ".safetensors"
        )
        if dialog.exec():
            self._studio.exporter.export(card.path, layout, Path(dialog.selectedFiles()[0]))

    @Slot()
    def _on_exporting(self) -> None:
        """One export at a time."""
        busy = self._studio.exporter.busy
        for action in self._exports:
            action.setEnabled(not busy)
            action.setToolTip("An adapter is being saved." if busy else action.text())

    @Slot()
    def _on_folder(self) -> None:
        if card := self._current():
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(card.path.parent)))

    @Slot()
    def _on_draw(self) -> None:
        if card := self._current():
            self._studio.runs.pick(card.path)
            self._studio.actions["page.preview"].trigger()


def make(studio: Studio) -> Page:
    """The page, for the window."""
    page = AdaptersPage(studio)
    return Page(page, page.grid)
