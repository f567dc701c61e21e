"""The tags of all captions, how many have each, and what can be done with them everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QAction, QColor, QPainter, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app import theme
from app.figures import count_of
from app.models.gradual import Gradual, Steps, in_order
from app.models.studio import Studio
from app.views.rewording_dialog import ADD, EVERY, REMOVE, RENAME, SHOWN, Wish
from app.widgets import labels
from core.data.tags import misspelt

WIDE_PX, PAD_PX = 288, 8
AFTER_MS = 200
BATCH = 2000  # rows that are laid out between two events
ALL, ALWAYS, ONCE, LIKE = range(4)
KINDS = ("All tags", "On every picture", "Only once", "Like another")
ADVICE = {
    ALWAYS: "What every picture has is learnt as part of the style; leave it out, or make it the "
    "trigger word.",
    ONCE: "What is there only once is hardly learnt; a more usual word is.",
    LIKE: "A letter is all they differ in from a far more frequent one: rename what is misspelt.",
}
BY_COUNT, BY_NAME = range(2)
Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


@dataclass(frozen=True, slots=True)
class Listed:
    """What there is to show: the rows, how many tags are of each kind, what some look like."""

    rows: list[str]
    kinds: tuple[int, int, int, int]
    like: dict[str, str]


@dataclass(frozen=True, slots=True)
class View:
    """Which tags are wanted, and in which order."""

    holding: str = ""  # in lower case
    kind: int = ALL
    order: int = BY_COUNT


def listed(
    counts: Mapping[str, int], pictures: int, view: View, like: dict[str, str] | None = None
) -> Steps[Listed]:
    """Find and put in order what is wanted.

    Args:
        counts: In how many captions each tag is.
        pictures: How many there are.
        view: What is wanted.
        like: What some look like; where that is not known it is found out.
    """
    if like is None:
        like = {}
        for pair in misspelt(counts):
            if pair:
                like[pair[0]] = pair[1]
            yield
    always: list[str] = []
    once: list[str] = []
    for number, (tag, count) in enumerate(counts.items() if pictures > 1 else ()):
        if count == pictures:
            always.append(tag)
        elif count == 1:
            once.append(tag)
        if not number % 256:
            yield
    of_kind = (counts.keys(), always, once, like.keys())
    fitting: list[str] = []
    for number, tag in enumerate(list(of_kind[view.kind])):
        if view.holding in tag.casefold():
            fitting.append(tag)
        if not number % 64:
            yield
    if view.order == BY_COUNT:
        rows = yield from in_order(fitting, lambda tag: (-counts[tag], tag.casefold()))
    else:
        rows = yield from in_order(fitting, lambda tag: (0, tag.casefold()))
    return Listed(rows, (len(counts), len(always), len(once), len(like)), like)


class TagPanel(QFrame):
    """Beside the pictures. A click shows those that have a tag; several are one OR the other."""

    wished = Signal(object)  # a Wish, for the dialog that shows what would change
    chosen = Signal(object)  # tags whose pictures are to be shown
    closed = Signal()

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setFixedWidth(WIDE_PX)
        self._tags, self._rows = studio.tags, studio.dataset.rows
        self._like: dict[str, str] | None = None  # what tags look like; None is to be found out
        self._work = Gradual(self)
        self._later = QTimer(self, interval=AFTER_MS, singleShot=True)
        self._later.timeout.connect(self._find)
        self.title = labels.title("Tags")
        self.field = QLineEdit()
        self.field.setPlaceholderText("Find a tag")
        self.field.setAccessibleName("Find a tag")
        self.field.setClearButtonEnabled(True)
        self.field.setAcceptDrops(False)
        self.kind, self.order = QComboBox(), QComboBox()
        self.kind.addItems(KINDS)
        self.kind.setAccessibleName("Which tags")
        self.order.addItems(["By count", "By name"])
        self.order.setAccessibleName("Order of the tags")
        self.list = QListView()
        self._model = _Model(self)
        self._make_list()
        self.hint = labels.secondary()
        self._add_actions()
        self._arrange()
        self.field.textChanged.connect(self._later.start)
        self.field.returnPressed.connect(self._on_return)
        for box in (self.kind, self.order):
            box.currentIndexChanged.connect(self._find)
        self._tags.changed.connect(self._on_tags_changed)
        self._show_hint()

    def _make_list(self) -> None:
        self.list.setObjectName("tags")
        self.list.setAccessibleName("Tags of the dataset")
        self.list.setModel(self._model)
        self.list.setItemDelegate(_Delegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setLayoutMode(QListView.LayoutMode.Batched)  # of 100,000 it takes a while
        self.list.setBatchSize(BATCH)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.clicked.connect(self.show_chosen)
        self.list.selectionModel().selectionChanged.connect(self._show_hint)

    def _add_actions(self) -> None:
        """What can be done with the chosen tags: buttons, keys in the list, and its menu."""
        self._does: dict[str, QAction] = {}
        for name, words, keys, do in (
            ("show", "Show pictures", "Return", self.show_chosen),
            ("rename", "Rename...", "F2", self.rename),
            ("remove", "Remove...", "Del", self.remove),
            ("add", "Add to all shown...", "", self.add),
        ):
            action = QAction(words, self.list)
            action.setShortcut(keys)
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.triggered.connect(do)
            self._does[name] = action
        self.list.addActions(list(self._does.values()))
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    def _arrange(self) -> None:
        close = QPushButton("Close")
        close.clicked.connect(self.closed)
        head = QHBoxLayout()
        head.addWidget(self.title, stretch=1)
        head.addWidget(close)
        boxes = QHBoxLayout()
        boxes.setSpacing(8)
        boxes.addWidget(self.field, stretch=1)
        boxes.addWidget(self.order)
        self.buttons: dict[str, QPushButton] = {}
        for name in ("rename", "remove", "add"):
            button = QPushButton(self._does[name].text())
            button.clicked.connect(self._does[name].trigger)
            self.buttons[name] = button
        pair = QHBoxLayout()
        pair.setSpacing(8)
        pair.addWidget(self.buttons["rename"])
        pair.addWidget(self.buttons["remove"])
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        column.addLayout(head)
        column.addLayout(boxes)
        column.addWidget(self.kind)
        column.addWidget(self.list, stretch=1)
        column.addWidget(self.hint)
        column.addLayout(pair)
        column.addWidget(self.buttons["add"])

    @property
    def chosen_tags(self) -> list[str]:
        """In the order of the list."""
        rows = sorted(index.row() for index in self.list.selectionModel().selectedRows())
        return [self._model.tags[row] for row in rows]

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._tags.ask()
        self._find()

    @Slot()
    def show_chosen(self) -> None:
        """Show the pictures that have what is chosen."""
        if tags := self.chosen_tags:
            self.chosen.emit(tags)

    @Slot()
    def rename(self) -> None:
        """Call what is chosen otherwise, everywhere; several become one."""
        if tags := self.chosen_tags:
            like = self._like or {}
            meant = {like[tag] for tag in tags if tag in like}
            if not meant and len(tags) > 1:
                meant = {max(tags, key=lambda tag: self._tags.counts[tag])}
            by = meant.pop() if len(meant) == 1 else ""
            self.wished.emit(Wish(RENAME, ", ".join(tags), by, EVERY))

    @Slot()
    def remove(self) -> None:
        """Take what is chosen out of every caption."""
        if tags := self.chosen_tags:
            self.wished.emit(Wish(REMOVE, ", ".join(tags), "", EVERY))

    @Slot()
    def add(self) -> None:
        """Give a tag to all pictures that are shown."""
        tags = self.chosen_tags
        self.wished.emit(Wish(ADD, tags[0] if len(tags) == 1 else "", "", SHOWN))

    @Slot()
    def _on_return(self) -> None:
        """From the line to the first that was found."""
        self._find()
        if self._model.tags and not self._work.busy:
            self.list.setFocus()
            self.list.setCurrentIndex(self._model.index(0))

    @Slot()
    def _on_tags_changed(self) -> None:
        self._like = None
        if self.isVisible():
            self._later.start()

    @Slot()
    def _find(self) -> None:
        self._later.stop()
        counts, count = dict(self._tags.counts), self._rows.rowCount()
        holding = self.field.text().strip().casefold()
        view = View(holding, self.kind.currentIndex(), self.order.currentIndex())
        self._work.start(listed(counts, count, view, self._like), self._on_found)

    def _on_found(self, found: Listed) -> None:
        chosen = set(self.chosen_tags)
        self._like = found.like
        self._model.show(found.rows, self._tags.counts, found.like)
        for row, tag in enumerate(found.rows if chosen else ()):
            if tag in chosen:
                flags = self.list.selectionModel().SelectionFlag.Select
                self.list.selectionModel().select(self._model.index(row), flags)
        for kind, count in enumerate(found.kinds):
            self.kind.setItemText(kind, f"{KINDS[kind]} {count:,}")
        self.title.setText(count_of(found.kinds[ALL], "tag"))
        self._show_hint()

    @Slot()
    def _show_hint(self) -> None:
        tags = self.chosen_tags
        for name in ("rename", "remove"):
            self.buttons[name].setEnabled(bool(tags))
            self._does[name].setEnabled(bool(tags))
        self.buttons["rename"].setText("Merge..." if len(tags) > 1 else "Rename...")
        words = ADVICE.get(self.kind.currentIndex(), "A click shows the pictures with a tag.")
        if len(tags) == 1 and (other := (self._like or {}).get(tags[0])):
            words = f"It looks like {other}, which is on {self._tags.counts[other]:,}."
        self.hint.setText(words)


class _Model(QAbstractListModel):
    """A row a tag."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.tags: Sequence[str] = ()
        self._counts: Mapping[str, int] = {}
        self._like: Mapping[str, str] = {}

    def show(self, tags: Sequence[str], counts: Mapping[str, int], like: Mapping[str, str]) -> None:
        self.beginResetModel()
        self.tags, self._counts, self._like = tags, counts, like
        self.endResetModel()

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.tags)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        tag = self.tags[index.row()]
        count = self._counts.get(tag, 0)
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return tag
            case Qt.ItemDataRole.UserRole:
                return f"{count:,}"
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                like = f", like {self._like[tag]}" if tag in self._like else ""
                return f"{tag}: {count_of(count, 'picture')}{like}"
            case _:
                return None


class _Delegate(QStyledItemDelegate):
    """The tag, and at the right how many have it."""

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(80, option.fontMetrics.height() + PAD_PX)

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        colours, state = theme.current(), option.state
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.line))
            painter.drawRoundedRect(option.rect, 4, 4)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(colours.accent))
            painter.drawRoundedRect(option.rect.adjusted(0, 0, -1, -1), 4, 4)
        inside = option.rect.adjusted(PAD_PX, 0, -PAD_PX, 0)
        count = str(index.data(Qt.ItemDataRole.UserRole))
        wide = option.fontMetrics.horizontalAdvance(count)
        painter.setPen(QColor(colours.secondary))
        centre = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(inside, centre | Qt.AlignmentFlag.AlignRight, count)
        room = QSize(inside.width() - wide - PAD_PX, inside.height())
        words = QRect(QPoint(inside.topLeft()), room)
        painter.setPen(QColor(colours.text))
        elide = Qt.TextElideMode.ElideRight
        text = option.fontMetrics.elidedText(str(index.data()), elide, room.width())
        painter.drawText(words, centre, text)
        painter.restore()
