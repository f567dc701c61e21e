"""What happened, at the window's bottom edge: failures stay until closed, of notes the newest."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app import theme
from app.models.news import Message, News

WIDTH_PX, MARGIN_PX = 760, 16
FAILURES = 3  # at once; the log has them all
NOTE_MS = 12_000  # that a note stays which nobody would miss


class Messages(QWidget):
    """Lies over its window's lower edge, and never pushes the page."""

    def __init__(self, news: News, over: QWidget) -> None:
        super().__init__(over)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._rows: list[_Row] = []
        self._passing = QTimer(self, interval=NOTE_MS, singleShot=True)
        self._passing.timeout.connect(self._on_passed)
        news.told.connect(self._on_told)
        news.withdrawn.connect(self._close)
        news.cleared.connect(self.clear)
        over.installEventFilter(self)
        self.hide()

    @property
    def text(self) -> str:
        """All that is said, a line each."""
        return "\n".join(row.message.text for row in self._rows)

    @Slot()
    def clear(self) -> None:
        """Something new begins."""
        for row in list(self._rows):
            self._close(row.message)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    @Slot(object)
    def _on_told(self, message: Message) -> None:
        """A note takes the last one's place; a failure that of the same one."""
        for row in list(self._rows):
            same = row.message.failure == message.failure
            if same and (not message.failure or row.message.text == message.text):
                self._close(row.message)
        failures = [row for row in self._rows if row.message.failure]
        if message.failure and len(failures) == FAILURES:
            self._close(failures[0].message)
        row = _Row(message)
        row.closed.connect(self._close)
        self._rows.append(row)
        self._column.addWidget(row)
        row.show()
        self._passing.stop()
        if not message.failure and not message.lasting:
            self._passing.start()
        self.show()
        self.raise_()
        self._place()
        said = QAccessibleAnnouncementEvent(self, message.text)
        if message.failure:
            said.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
        QAccessible.updateAccessibility(said)

    @Slot(object)
    def _close(self, message: Message) -> None:
        for row in [row for row in self._rows if row.message is message]:
            self._rows.remove(row)
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.setVisible(bool(self._rows))
        self._place()

    @Slot()
    def _on_passed(self) -> None:
        for row in list(self._rows):
            if not row.message.failure and not row.message.lasting:
                self._close(row.message)

    def _place(self) -> None:
        over = self.parentWidget()
        if over is None or not self._rows:
            return
        width = min(WIDTH_PX, over.width() - 2 * MARGIN_PX)
        height = self._column.totalHeightForWidth(width)
        left = (over.width() - width) // 2
        self.setGeometry(left, over.height() - height - MARGIN_PX, width, height)


class _Row(QFrame):
    """One message."""

    closed = Signal(object)  # its Message

    def __init__(self, message: Message, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.message = message
        self.setObjectName("message")
        self.setProperty("kind", "failure" if message.failure else "note")
        text = QLabel(message.text, wordWrap=True)
        text.setTextFormat(Qt.TextFormat.PlainText)  # a file may be called <b>x</b>.png
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 8, 8, 8)
        layout.addWidget(text, stretch=1)
        layout.addSpacing(8)
        if message.action:
            action = QPushButton(message.action)
            action.setObjectName("action")
            action.setIcon(theme.icon("play", action.iconSize().width()))
            action.clicked.connect(self._on_action_clicked)
            layout.addWidget(action)
        if message.details:
            details = QPushButton("Copy details")
            details.clicked.connect(self._on_details_clicked)
            layout.addWidget(details)
        close = QPushButton("Close")
        close.clicked.connect(lambda: self.closed.emit(self.message))
        layout.addWidget(close)

    @Slot()
    def _on_action_clicked(self) -> None:
        self.closed.emit(self.message)
        if self.message.on_action:
            self.message.on_action()

    @Slot()
    def _on_details_clicked(self) -> None:
        QApplication.clipboard().setText(f"{self.message.text}\n\n{self.message.details}")
