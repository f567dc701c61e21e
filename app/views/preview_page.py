"""The Preview page: every prompt at every step, two of them compared, and pictures by hand."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models import pictures
from app.models.drawn import strengths
from app.models.previews import PreviewTable
from app.models.run_record import style_words
from app.models.studio import Studio
from app.views import places, story
from app.views.drawing import Drawing
from app.views.page import Page
from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.empty import Empty
from app.widgets.picture import WipeView
from app.widgets.preview_grid import PreviewGrid
from core.protocol.events import PictureDrawn


class PreviewPage(QWidget):
    """What the model draws beside what it drew before."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio, self._runs = studio, studio.runs
        self._following = True  # the newest step is shown as soon as it is there
        self.table = PreviewTable(studio.runs, studio.tiles, self)
        self.view = PreviewGrid(self.table)
        self.wipe = WipeView()
        self.drawing = Drawing(studio)
        splitter = QSplitter()
        splitter.setObjectName(places.SPLITTERS[1])
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self.view)
        splitter.addWidget(self._make_right())
        splitter.setSizes([480, 640])
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 4)
        places.restore_part(studio.store, splitter)
        self.run = QComboBox()
        self.run.setAccessibleName("Run")
        self.run.textActivated.connect(studio.runs.show)
        self._style = labels.secondary()
        self._heading = labels.heading()
        bar = QHBoxLayout()
        bar.setSpacing(16)
        bar.addWidget(self._heading)
        bar.addWidget(self.run)
        bar.addWidget(self._style, stretch=1)
        words = "What the model draws appears here while it learns, beside what it drew before."
        begin = ActionButton(studio.actions["page.train"], primary=True)
        self.empty = Empty(story.change(), "Nothing drawn yet", words, [begin])
        self._full = QWidget()
        column = QVBoxLayout(self._full)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(bar)
        column.addWidget(splitter, stretch=1)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self._full)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.addWidget(self._stack)
        self.table.modelReset.connect(self._on_table_reset)
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.view.clicked.connect(self._on_clicked)
        self._runs.reset.connect(self._on_run_changed)
        self._runs.previewed.connect(self._on_previewed)
        self._runs.adapters_changed.connect(self._on_run_changed)
        self.drawing.shown.connect(self._show_drawn)
        self._on_run_changed()
        self._on_table_reset()

    def _make_right(self) -> QFrame:
        panel = QFrame()
        panel.setObjectName("panel")
        layout = QVBoxLayout(panel)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(self.wipe, stretch=1)
        row = QHBoxLayout()  # in the middle, below what it draws
        row.addStretch(1)
        row.addWidget(self.drawing, stretch=1000)
        row.addStretch(1)
        layout.addLayout(row)
        return panel

    @Slot()
    def _on_run_changed(self) -> None:
        record = self._runs.shown
        self.run.clear()
        self.run.addItems(self._runs.names())
        self.run.setVisible(self.run.count() > 1)
        number = record.run.number if record else 0
        self._heading.setText(f"Previews of run {number}" if number else "Previews")
        self.run.setCurrentText(record.name if record else "")
        self._show_part()
        self._style.setText(style_words(record.style) if record and record.style else "")

    def _show_part(self) -> None:
        """There is something to look at, or to draw with."""
        there = self.table.columnCount() > 0 or bool(self._runs.adapters())
        self._stack.setCurrentWidget(self._full if there else self.empty)

    @Slot()
    def _on_table_reset(self) -> None:
        columns = self.table.columnCount()
        self._show_part()
        self._following = True
        if columns:
            self.view.setCurrentIndex(self.table.index(0, columns - 1))
        self._show_current()

    @Slot()
    def _on_previewed(self) -> None:
        self._show_part()
        current, last = self.view.currentIndex(), self.table.columnCount() - 1
        if not current.isValid():
            self.view.setCurrentIndex(self.table.index(0, last))
        elif self._following and self.table.preview(current.row(), last):
            self.view.setCurrentIndex(self.table.index(current.row(), last))

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        self._following = current.column() == self.table.columnCount() - 1
        self._show_current()

    @Slot(QModelIndex)
    def _on_clicked(self, _index: QModelIndex) -> None:
        self.drawing.forget_typed()
        self._show_current()

    def _show_current(self) -> None:
        """The chosen picture beside the untrained one, if it is another."""
        current = self.view.currentIndex()
        chosen = self.table.preview(current.row(), current.column()) if current.isValid() else None
        if chosen is None:
            self.wipe.show_pair(QImage(), "", QImage(), "")
            return
        self.drawing.offer(chosen.prompt, chosen.seed)
        picture = pictures.load(self.table.file(chosen))
        words = f"step {chosen.step:,}" if chosen.step else "untrained"
        left = self._untrained(chosen.prompt, chosen.seed) if chosen.step else QImage()
        self.wipe.show_pair(left, "" if left.isNull() else "untrained", picture, words)

    @Slot(object)
    def _show_drawn(self, drawn: PictureDrawn) -> None:
        """A picture made by hand, beside the untrained one of the same prompt and seed."""
        left = self._untrained(drawn.prompt, drawn.seed)
        image = pictures.load(self.drawing.history.file(drawn))
        words = "" if left.isNull() else "untrained"
        self.wipe.show_pair(left, words, image, strengths(drawn))

    def _untrained(self, prompt: str, seed: int) -> QImage:
        for row in range(self.table.rowCount()):
            first = self.table.preview(row, 0)
            if first and (first.step, first.prompt, first.seed) == (0, prompt, seed):
                return pictures.load(self.table.file(first))
        return QImage()


def make(studio: Studio) -> Page:
    """The page, for the window."""
    page = PreviewPage(studio)
    return Page(page, page.view)
