"""Words as chips that wrap like a text: removed, edited and put elsewhere by mouse and keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)
from typing_extensions import override

from app import theme
from app.widgets.grid import CORNER_PX, choose

PAD_PX, CROSS_PX, GAP_PX, HIGH_PX = 8, 16, 4, 6
ROWS, FEWEST_ROWS = 5, 2  # of chips that are seen at once
LEAST_EDIT_PX = 160
Index = QModelIndex | QPersistentModelIndex
Key, Mod = Qt.Key, Qt.KeyboardModifier
_ROOT = QModelIndex()
LOOK = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True, slots=True)
class Chip:
    """A word; `look` is "fast", "loose" or "first", `said` the same in words."""

    text: str
    look: str
    said: str


class _Model(QAbstractListModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.chips: list[Chip] = []

    def show(self, chips: Sequence[Chip]) -> None:
        self.beginResetModel()
        self.chips = list(chips)
        self.endResetModel()

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.chips)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        chip = self.chips[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return chip.text
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                return f"{chip.text}: {chip.said}" if chip.said else chip.text
            case _:
                return chip.look if role == LOOK else None

    @override
    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsEditable


class _Delegate(QStyledItemDelegate):
    """Solid: stays; dashed: may go; filled and heavy: stands before all."""

    def __init__(self, chips: Chips, make_line: Callable[[QWidget], QLineEdit]) -> None:
        super().__init__(chips)
        self._chips, self._make_line = chips, make_line
        self.line: QLineEdit | None = None  # of the chip that is edited, or was the last to be
        self.row = -1

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        font = _font(option.font, str(index.data(LOOK)))
        text = QFontMetrics(font).horizontalAdvance(str(index.data()))
        most = max(CROSS_PX, self._chips.viewport().width() - 2 * GAP_PX)
        width = min(most, text + 2 * PAD_PX + CROSS_PX + GAP_PX)
        return QSize(width, option.fontMetrics.height() + 2 * HIGH_PX)

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        colours, look = theme.current(), str(index.data(LOOK))
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        current = bool(option.state & QStyle.StateFlag.State_HasFocus)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        edge = colours.accent if current else colours.secondary
        pen = QPen(QColor(edge), 2 if current else 1)
        if look == "loose":
            pen.setDashPattern([4, 3] if not current else [3, 2])
        filled = {"first": colours.line}.get(look, colours.line if chosen else colours.raised)
        painter.setPen(pen)
        painter.setBrush(QColor(filled) if look != "loose" or chosen else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(option.rect).adjusted(1, 1, -1, -1), CORNER_PX, CORNER_PX)
        font = _font(option.font, look)
        painter.setFont(font)
        painter.setPen(QColor(colours.text))
        cross = cross_of(option.rect)
        words = option.rect.adjusted(PAD_PX, 0, -PAD_PX - CROSS_PX, 0)
        elide = Qt.TextElideMode.ElideRight
        text = QFontMetrics(font).elidedText(str(index.data()), elide, words.width() + 1)
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, text)
        painter.setPen(QPen(QColor(colours.secondary), 1.5))
        arm = cross.center()
        for way in (1, -1):
            painter.drawLine(arm + QPoint(-3, -3 * way), arm + QPoint(3, 3 * way))
        painter.restore()

    @override
    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        self.line = self._make_line(parent)
        self.line.setAccessibleName(f"Tag {index.data()}")
        self.row = index.row()
        return self.line

    @override
    def setEditorData(self, editor: QWidget, index: Index) -> None:
        if isinstance(editor, QLineEdit) and not editor.isModified():
            editor.setText(str(index.data()))
            editor.selectAll()

    @override
    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        place = QRect(option.rect)
        place.setWidth(min(self._chips.viewport().width(), max(place.width(), LEAST_EDIT_PX)))
        place.moveRight(min(place.right(), self._chips.viewport().width() - 1))
        editor.setGeometry(place)

    @override
    def setModelData(self, editor: QWidget, model: object, index: Index) -> None:
        if isinstance(editor, QLineEdit):
            self._chips.note(index.row(), editor.text())


def _font(font: QFont, look: str) -> QFont:
    made = QFont(font)
    if look == "first":
        made.setWeight(QFont.Weight.DemiBold)
    return made


def cross_of(chip: QRect) -> QRect:
    """Where a chip's cross is."""
    return QRect(chip.right() - PAD_PX - CROSS_PX // 2, chip.top(), CROSS_PX, chip.height())


class Chips(QListView):
    """Shows words and says what is wished of them; changes none."""

    removed = Signal(int)
    edited = Signal(int, str)  # a row, and what is to stand there
    moved = Signal(int, int)  # from where to where
    left = Signal()  # the keys want to go on after the last

    def __init__(
        self, make_line: Callable[[QWidget], QLineEdit], parent: QWidget | None = None
    ) -> None:
        """`make_line` makes what a chip is edited in."""
        super().__init__(parent)
        self.setObjectName("chips")
        self._model = _Model(self)
        self.setModel(self._model)
        self._delegate = _Delegate(self, make_line)
        self.setItemDelegate(self._delegate)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setSpacing(GAP_PX // 2)
        self.setTabKeyNavigation(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self._high = 0
        self._noted: tuple[int, str] | None = None  # an edit that nobody was told of yet
        self._pressed: QPoint | None = None
        self._carried = -1  # the row that is dragged
        self._gap = -1  # before which row it would be put

    def show_chips(self, chips: Sequence[Chip], current: int = -1) -> None:
        """Show others; the current one stays where it is, or is another."""
        if list(chips) == self._model.chips and current < 0:
            return
        row = self.currentIndex().row() if current < 0 else current
        self._model.show(chips)
        self._carried = self._gap = -1
        if chips and row >= 0:
            choose(self, min(row, len(chips) - 1))
        self._fit()

    def note(self, row: int, text: str) -> None:
        """A chip was edited: told in a moment, since an editor that closes must not see it go."""
        if text != self._model.chips[row].text:
            self._noted = row, text
            QTimer.singleShot(0, self, self.finish)

    @Slot()
    def finish(self) -> None:
        """Tell now of what was edited, also where the keys still go there."""
        line = self._delegate.line
        if self.state() == QAbstractItemView.State.EditingState and line is not None:
            self.note(self._delegate.row, line.text())
            self.closeEditor(line, QStyledItemDelegate.EndEditHint.NoHint)
        self._delegate.line = None
        noted, self._noted = self._noted, None
        if noted is not None:
            self.edited.emit(*noted)

    @property
    def count(self) -> int:
        return self._model.rowCount()

    def row(self) -> int:
        """The current chip; -1 for none."""
        return self.currentIndex().row()

    def go_to(self, row: int) -> None:
        """Let the keys go to a chip."""
        self.setFocus()
        choose(self, row)

    @Slot()
    def _fit(self) -> None:
        """As high as its rows are, up to some; where there is no room, two."""
        self.doItemsLayout()
        line = self.fontMetrics().height() + 2 * HIGH_PX + GAP_PX
        edge = self.height() - self.viewport().height() + 2
        self._high = min(max(line, self.contentsSize().height()), ROWS * line) + edge
        self.setMinimumHeight(min(self._high, FEWEST_ROWS * line + edge))
        self.setMaximumHeight(self._high)
        self.updateGeometry()

    @override
    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), self._high)

    @override
    def resizeEvent(self, e: QResizeEvent) -> None:
        super().resizeEvent(e)
        if e.size().width() != e.oldSize().width():
            QTimer.singleShot(0, self, self._fit)

    @override
    def changeEvent(self, e: QEvent) -> None:
        super().changeEvent(e)
        if e.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            QTimer.singleShot(0, self, self._fit)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        row, key, held = self.row(), event.key(), event.modifiers()
        steps: dict[int, int] = {Key.Key_Left: row - 1, Key.Key_Right: row + 1}
        steps |= {Key.Key_Home: 0, Key.Key_End: self.count - 1}
        if self.state() == QAbstractItemView.State.EditingState:
            super().keyPressEvent(event)  # what a chip's own line has no use for
        elif row >= 0 and key in (Key.Key_Delete, Key.Key_Backspace):
            self.removed.emit(row)
        elif row >= 0 and key in (Key.Key_Return, Key.Key_Enter):
            self.edit(self.currentIndex())
        elif row >= 0 and key in steps and held & Mod.AltModifier:
            if 0 <= steps[key] < self.count and steps[key] != row:
                self.moved.emit(row, steps[key])
        elif key in steps and not held & ~Mod.KeypadModifier:
            if steps[key] >= self.count:
                self.left.emit()
            elif steps[key] >= 0:
                choose(self, steps[key])
        else:
            super().keyPressEvent(event)

    @override
    def event(self, event: QEvent) -> bool:
        """Moving a chip is not for a page's own Alt+Left."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            ours = (Key.Key_Left, Key.Key_Right, Key.Key_Home, Key.Key_End)
            if event.key() in ours and event.modifiers() & Mod.AltModifier:
                event.accept()
                return True
        return super().event(event)

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = event.position().toPoint()
        index = self.indexAt(place)
        if event.button() == Qt.MouseButton.LeftButton and index.isValid():
            if cross_of(self.visualRect(index)).contains(place):
                self.setFocus()
                self.removed.emit(index.row())
                return
            self._pressed = place
        super().mousePressEvent(event)

    @override
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = event.position().toPoint()
        if self._pressed is None:
            super().mouseMoveEvent(event)
            return
        far = (place - self._pressed).manhattanLength() >= QApplication.startDragDistance()
        if self._carried < 0 and far:
            self._carried = self.indexAt(self._pressed).row()
            self.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
        if self._carried >= 0:
            self._gap = self._gap_at(place)
            self.viewport().update()

    @override
    def mouseReleaseEvent(self, e: QMouseEvent) -> None:
        carried, gap = self._carried, self._gap
        self._drop()
        if carried >= 0:
            to = gap - (gap > carried)
            if gap >= 0 and to != carried:
                self.moved.emit(carried, to)
            return
        super().mouseReleaseEvent(e)

    def _drop(self) -> None:
        self._pressed, self._carried, self._gap = None, -1, -1
        self.viewport().unsetCursor()
        self.viewport().update()

    def _gap_at(self, place: QPoint) -> int:
        """Before which row something would be put that is let go here."""
        for row in range(self.count):
            chip = self.visualRect(self._model.index(row))
            if place.y() < chip.top() or (
                place.y() <= chip.bottom() + GAP_PX and place.x() < chip.center().x()
            ):
                return row
        return self.count

    @override
    def paintEvent(self, e: QPaintEvent) -> None:
        super().paintEvent(e)
        if self._gap < 0:
            return
        after = self._gap == self.count
        chip = self.visualRect(self._model.index(self._gap - after))
        x = chip.right() + GAP_PX // 2 if after else chip.left() - GAP_PX // 2
        painter = QPainter(self.viewport())
        painter.setPen(QPen(QColor(theme.current().accent), 2))
        painter.drawLine(x, chip.top(), x, chip.bottom())
        painter.end()
