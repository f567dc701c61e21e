"""The dataset's pictures in rows, each in its own aspect; only what can be seen is painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import (
    QAbstractItemModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPaintEvent, QRegion, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QScrollBar, QWidget
from typing_extensions import override

from app import theme
from app.widgets.grid import GAP_PX, TILE_PX, Tile, choose, paint_tile, small_font
from app.widgets.justified import Rows, in_sections, rows, sums_of

WORDS_PX = 4  # between a picture and its words
Index = QModelIndex | QPersistentModelIndex
Move = QAbstractItemView.CursorAction


@dataclass(frozen=True, slots=True)
class Heading:
    """Of a section of pictures."""

    words: str
    count: int  # of its pictures


class Wall(QAbstractItemView):
    """Arrows move, Shift and Ctrl choose several, Del asks for removal."""

    removal_wished = Signal()

    def __init__(
        self,
        aspects: Callable[[], Sequence[float]],
        text_role: int,
        mark_role: int,
        said_role: int,
        headings: Callable[[], Sequence[Heading]] = tuple,
        parent: QWidget | None = None,
    ) -> None:
        """`aspects` are width / height of each; `headings` those of sections, if there are any.

        The roles: the words below, what is amiss, and words on the picture itself with
        whether it is dimmed.
        """
        super().__init__(parent)
        self._aspects, self._text_role, self._mark_role = aspects, text_role, mark_role
        self._said_role, self._headings = said_role, headings
        self.sign_role: int | None = None  # whether a picture has the sign of a mask
        self._above: list[tuple[int, str]] = []  # where headings lie, and their words
        self._sums: Sequence[float] | None = None  # None is not known
        self._rows, self._words_px = Rows(), 0
        self.edge_px = TILE_PX
        # of Qt's own, PySide would load every widget class there is to find out what they are
        self.setViewport(QWidget())
        self.setVerticalScrollBar(QScrollBar())
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QFrame.Shape.NoFrame)

    def set_edge(self, edge_px: int) -> None:
        """The zoom: about the height of a picture."""
        self.edge_px = edge_px
        self.scheduleDelayedItemsLayout()

    def choose(self, row: int) -> None:
        """Make one row the current and only chosen one, whatever keys are held."""
        choose(self, row)

    def choose_none(self) -> None:
        self.selectionModel().clear()

    def chosen_rows(self) -> list[int]:
        """In order; by ranges, of which there are few."""
        chosen = self.selectionModel().selection()
        ranges = [chosen.at(place) for place in range(chosen.count())]
        return sorted(row for one in ranges for row in range(one.top(), one.bottom() + 1))

    @override
    def doItemsLayout(self) -> None:
        if self._sums is None:
            self._sums = sums_of(self._aspects() if self.model() else ())
        self._words_px = WORDS_PX + QFontMetrics(small_font(self.font())).height()
        bar = self.verticalScrollBar().sizeHint().width()  # there or not: rows must not jump
        width = max(1, self.width() - bar - GAP_PX)
        sections = partial(
            rows,
            width_px=width,
            height_px=self.edge_px,
            gap_px=GAP_PX,
            below_px=self._words_px + GAP_PX,
        )
        headings = self._headings()
        if headings and sum(one.count for one in headings) == len(self._sums) - 1:
            counts = [one.count for one in headings]
            self._rows, tops = in_sections(counts, self._heading_px(), self._sums, sections)
            self._above = list(zip(tops, (one.words for one in headings), strict=True))
        else:
            self._rows, self._above = sections(self._sums), []
        super().doItemsLayout()

    def _heading_px(self) -> int:
        return self.fontMetrics().height() + 2 * GAP_PX

    @override
    def updateGeometries(self) -> None:
        bar, seen = self.verticalScrollBar(), self.viewport().height()
        bar.setPageStep(seen)
        bar.setSingleStep(self.edge_px // 3)
        bar.setRange(0, max(0, self._rows.top[-1] - seen))
        super().updateGeometries()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.scheduleDelayedItemsLayout()

    def _measure_anew(self) -> None:
        self._sums = None
        self.scheduleDelayedItemsLayout()

    @override
    def setModel(self, model: QAbstractItemModel | None) -> None:
        super().setModel(model)
        self._measure_anew()

    @override
    def reset(self) -> None:
        super().reset()
        self._measure_anew()

    @override
    def rowsInserted(self, parent: Index, start: int, end: int) -> None:
        super().rowsInserted(parent, start, end)
        self._measure_anew()

    @override
    def rowsAboutToBeRemoved(self, parent: Index, start: int, end: int) -> None:
        super().rowsAboutToBeRemoved(parent, start, end)
        self._measure_anew()

    @override
    def dataChanged(self, topLeft: Index, bottomRight: Index, roles: Sequence[int] = ()) -> None:
        super().dataChanged(topLeft, bottomRight, roles)
        if not roles:  # another picture, perhaps
            self._measure_anew()

    @override
    def visualRect(self, index: Index) -> QRect:
        if not index.isValid() or index.row() >= self._rows.count:
            return QRect()
        place = self._rows.place(index.row()).translated(0, -self.verticalOffset())
        return place.adjusted(0, 0, 0, self._words_px)

    @override
    def indexAt(self, point: QPoint) -> QModelIndex:
        self.executeDelayedItemsLayout()
        number = self._rows.at(point + QPoint(0, self.verticalOffset()))
        return self.model().index(number, 0) if number >= 0 else QModelIndex()

    @override
    def scrollTo(
        self,
        index: Index,
        hint: QAbstractItemView.ScrollHint = QAbstractItemView.ScrollHint.EnsureVisible,
    ) -> None:
        self.executeDelayedItemsLayout()
        place, bar = self.visualRect(index), self.verticalScrollBar()
        below = place.bottom() - self.viewport().height()
        if place.isNull():
            return
        if place.top() < 0:
            top, high = bar.value() + place.top(), self._heading_px()
            bar.setValue(top - high if any(at + high == top for at, _ in self._above) else top)
        elif below > 0:
            bar.setValue(bar.value() + min(below, place.top()))

    @override
    def moveCursor(self, action: Move, modifiers: Qt.KeyboardModifier) -> QModelIndex:
        self.executeDelayedItemsLayout()
        count, current = self._rows.count, self.currentIndex().row()
        if not count:
            return QModelIndex()
        seen = max(1, self.viewport().height() // (self.edge_px + GAP_PX))
        here = max(0, current)
        to = {
            Move.MoveLeft: here - 1,
            Move.MovePrevious: here - 1,
            Move.MoveRight: here + 1,
            Move.MoveNext: here + 1,
            Move.MoveUp: self._rows.beside(here, -1),
            Move.MoveDown: self._rows.beside(here, 1),
            Move.MovePageUp: self._rows.beside(here, -seen),
            Move.MovePageDown: self._rows.beside(here, seen),
            Move.MoveHome: 0,
            Move.MoveEnd: count - 1,
        }[action]
        return self.model().index(0 if current < 0 else min(max(0, to), count - 1), 0)

    @override
    def horizontalOffset(self) -> int:
        return 0

    @override
    def verticalOffset(self) -> int:
        return self.verticalScrollBar().value()

    @override
    def isIndexHidden(self, index: Index) -> bool:
        return False

    @override
    def setSelection(self, rect: QRect, command: QItemSelectionModel.SelectionFlag) -> None:
        """All that a dragged frame touches, else all from one to the other."""
        chosen = QItemSelection()
        if self.state() == QAbstractItemView.State.DragSelectingState:
            frame = rect.normalized().translated(0, self.verticalOffset())
            for number in self._rows.between(frame.top(), frame.bottom()):
                if self._rows.place(number).intersects(frame):
                    index = self.model().index(number, 0)
                    chosen.select(index, index)
        else:
            one, other = self.indexAt(rect.topLeft()), self.indexAt(rect.bottomRight())
            if one.isValid() and other.isValid():
                chosen.select(*sorted((one, other), key=lambda index: index.row()))
        self.selectionModel().select(chosen, command)

    @override
    def visualRegionForSelection(self, selection: QItemSelection) -> QRegion:
        return QRegion(self.viewport().rect())

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        self.executeDelayedItemsLayout()
        painter, top = QPainter(self.viewport()), self.verticalOffset()
        painter.setFont(small_font(self.font()))
        selection = self.selectionModel()
        area = event.rect().translated(0, top)
        for number in self._rows.between(area.top(), area.bottom()):
            index = self.model().index(number, 0)
            image = index.data(Qt.ItemDataRole.DecorationRole)
            said, dimmed = index.data(self._said_role) or ("", False)
            paint_tile(
                painter,
                self._rows.place(number).translated(0, -top),
                Tile(
                    image if isinstance(image, QImage) else QImage(),
                    str(index.data(self._text_role) or ""),
                    str(index.data(self._mark_role) or ""),
                    chosen=selection.isSelected(index),
                    current=self.hasFocus() and index.row() == self.currentIndex().row(),
                    masked=self.sign_role is not None and bool(index.data(self.sign_role)),
                    said=said,
                    dimmed=dimmed,
                ),
            )

        painter.setFont(self.font())
        painter.setPen(QColor(theme.current().text))
        for place, words in self._above:
            if place <= area.bottom() and place + self._heading_px() >= area.top():
                line = QRect(2, place - top, self.viewport().width() - 4, self._heading_px())
                shown = painter.fontMetrics().elidedText(
                    words, Qt.TextElideMode.ElideRight, line.width()
                )
                painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, shown)

    @override
    def viewportSizeHint(self) -> QSize:
        return QSize(3 * TILE_PX, 2 * TILE_PX)

    @override
    def keyPressEvent(self, event) -> None:  # noqa: ANN001 - QKeyEvent
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):  # the latter on a Mac
            self.removal_wished.emit()
            return
        super().keyPressEvent(event)
