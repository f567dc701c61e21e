"""Where the run is: its words and its bar, and the strip that shows them below other pages."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QWidget
from typing_extensions import override

from app.process.session import Session, status_line
from app.widgets import labels
from app.widgets.button import ActionButton

BAR_PARTS = 1000  # a bar's range


class RunProgress(QWidget):
    """A line of words and a bar, both empty while there is no run."""

    def __init__(
        self,
        session: Session,
        whose: Callable[[], str] = lambda: "",
        parent: QWidget | None = None,
    ) -> None:
        """`whose` is what stands before the words."""
        super().__init__(parent)
        self._session, self._whose = session, whose
        self._words = labels.secondary()
        self._words.setWordWrap(False)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of the run")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(16)
        row.addWidget(self._words)
        row.addWidget(self._bar, stretch=1)
        row.addStretch()
        session.changed.connect(self._on_changed)
        self._on_changed()

    @Slot()
    def _on_changed(self) -> None:
        session = self._session
        self._words.setText(self._whose() + status_line(session) if session.busy else "")
        self._words.setToolTip(f"Trained on {session.device}" if session.device else "")
        self._bar.setVisible(session.busy)
        self._bar.setRange(0, 0 if session.share is None else BAR_PARTS)
        self._bar.setValue(round(min(1.0, max(0.0, session.share or 0)) * BAR_PARTS))
        self._bar.setAccessibleDescription(self._words.text())


class RunStrip(QFrame):
    """A run's progress and its Stop, on the pages that do not show the run itself."""

    clicked = Signal()  # the run is to be seen

    def __init__(
        self,
        session: Session,
        stop: QAction,
        whose: Callable[[], str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("strip")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 8, 24, 8)
        row.setSpacing(16)
        row.addWidget(RunProgress(session, whose), stretch=1)
        row.addWidget(ActionButton(stop))

    @override
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.clicked.emit()
