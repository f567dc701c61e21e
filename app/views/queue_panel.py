"""What waits, on the Train page: in its order, and when each is ready."""

from __future__ import annotations

from datetime import datetime, timedelta

from PySide6.QtCore import QLocale, QTime, Slot
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QSizePolicy,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.figures import count_of
from app.models.studio import Studio
from app.widgets import labels
from app.widgets.button import ActionButton
from core.project.run_queue import Waiting

ROWS = 3  # that are seen at once
Saying = tuple[str, str]  # what a run is, and how it stands


class QueuePanel(QFrame):
    """Not seen while nothing waits."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("strip")
        self._waiting, self._session = studio.waiting, studio.session
        self._shown: list[str] = []  # folders, by row
        self._items: list[QTreeWidgetItem] = []
        self._facts: dict[str, str] = {}  # by folder: frozen, so read once
        add, actions = studio.actions.add, studio.actions
        up = add("queue.up", "Up", lambda: self._move(-1), place="Queue")
        down = add("queue.down", "Down", lambda: self._move(1), place="Queue")
        self._again = add("queue.again", "Try again", self._on_again, place="Queue")
        remove = add("queue.remove", "Take out", self._on_remove, place="Queue")
        self._ordering = (up, down, remove)
        self.rows = QTreeWidget()
        self.rows.setObjectName("queue")
        self.rows.setAccessibleName("Runs that wait")
        self.rows.setColumnCount(2)
        self.rows.setHeaderHidden(True)
        self.rows.setRootIsDecorated(False)
        self.rows.setUniformRowHeights(True)
        self.rows.setAllColumnsShowFocus(True)
        self.rows.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.rows.currentItemChanged.connect(self._on_chosen)
        self._words = labels.small()
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._words, stretch=1)
        for action in (up, down, self._again, remove, actions["queue.hold"]):
            head.addWidget(ActionButton(action))
        head.addWidget(ActionButton(actions["queue.start"], primary=True))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 8, 24, 8)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self.rows)
        self._waiting.changed.connect(self._on_changed)
        self._session.changed.connect(self._on_changed)
        self._on_changed()

    @property
    def _folder(self) -> str:
        """Of the row that is chosen."""
        row = self.row
        return self._shown[row] if 0 <= row < len(self._shown) else ""

    @property
    def row(self) -> int:
        """The one that is chosen, -1 for none."""
        chosen = self.rows.currentItem()
        return self._items.index(chosen) if chosen else -1

    def choose(self, row: int) -> None:
        """Choose a row."""
        self.rows.setCurrentItem(self._items[row])

    @Slot()
    def _on_changed(self) -> None:
        entries = self._waiting.entries
        self.setVisible(bool(entries))
        folders = [entry.folder for entry in entries]
        said = self._sayings(entries)
        if folders != self._shown:
            chosen = self._folder
            self._shown = folders
            self.rows.blockSignals(True)
            self.rows.clear()
            self._items = [QTreeWidgetItem(list(saying)) for saying in said]
            self.rows.addTopLevelItems(self._items)
            if folders:
                self.choose(folders.index(chosen) if chosen in folders else 0)
            self.rows.blockSignals(False)
            self.rows.setFixedHeight(self._row_px * min(ROWS, max(1, len(said))))
        for item, saying in zip(self._items, said, strict=True):
            for column, words in enumerate(saying):
                if item.text(column) != words:
                    item.setText(column, words)
                item.setToolTip(column, words)
        count = count_of(len(entries), "run")
        self._words.setText(f"Queue: {count}" + (", held" if self._held else ""))
        self._on_chosen()

    @property
    def _held(self) -> bool:
        return self._session.busy and self._waiting.held

    @property
    def _row_px(self) -> int:
        return max(self.rows.sizeHintForRow(0), self.fontMetrics().height())

    def _sayings(self, entries: tuple[Waiting, ...]) -> list[Saying]:
        before = self._session.seconds_left or None if self._session.busy else 0.0
        ready = self._waiting.ready_seconds(before)
        lines: list[Saying] = []
        for entry in entries:
            if entry.folder == self._waiting.training:
                state = "trains now"
            elif entry.problem:
                state = f"failed: {entry.problem}"
            elif entry.folder in ready:
                state = f"ready {_clock(ready[entry.folder])}"
            else:
                state = "waits"
            lines.append((self._facts_of(entry), state[:1].upper() + state[1:]))
        return lines

    def _facts_of(self, entry: Waiting) -> str:
        if entry.folder not in self._facts:
            config = entry.config()
            steps = f", {count_of(config.training.steps, 'step')}" if config else ""
            rank = f", rank {config.adapter.rank}" if config else ""
            name = f"{entry.project.root.name}, run {entry.run.number}"
            self._facts[entry.folder] = name + steps + rank
        return self._facts[entry.folder]

    @Slot()
    def _on_chosen(self) -> None:
        row, count = self.row, len(self._shown)
        there = 0 <= row < count
        waits = there and self._shown[row] != self._waiting.training
        up, down, remove = self._ordering
        up.setEnabled(waits and row > 0)
        down.setEnabled(waits and row < count - 1)
        remove.setEnabled(waits)
        failed = there and bool(self._waiting.entries[row].problem)
        self._again.setVisible(failed)

    def _move(self, by: int) -> None:
        self._waiting.move(self._folder, by)

    def _on_again(self) -> None:
        self._waiting.try_again(self._folder)

    def _on_remove(self) -> None:
        self._waiting.remove(self._folder)


def _clock(seconds: float) -> str:
    """A time of day, with the day where it is not today's."""
    now = datetime.now().astimezone()
    then = now + timedelta(seconds=seconds)
    time = QLocale().toString(QTime(then.hour, then.minute), QLocale.FormatType.ShortFormat)
    if then.date() == now.date():
        return f"at {time}"
    return f"{QLocale().dayName(then.isoweekday())} at {time}"
