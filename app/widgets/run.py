"""Where the run is: its words and its bar, and the strip that shows them below other pages."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QWidget

from app.process.session import Session, duration
from app.widgets import labels

BAR_PARTS = 1000  # a bar's range


class RunProgress(QWidget):
    """A line of words and a bar, both empty while there is no run."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._words = labels.secondary()
        self._words.setWordWrap(False)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
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
        self._words.setText(status_line(session) if session.busy else "")
        self._words.setToolTip(f"Trained on {session.device}" if session.device else "")
        self._bar.setVisible(session.busy)
        self._bar.setRange(0, 0 if session.share is None else BAR_PARTS)
        self._bar.setValue(round((session.share or 0) * BAR_PARTS))


class RunStrip(QFrame):
    """A run's progress and its Stop, on the pages that do not show the run itself."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("strip")
        self._session = session
        self._stop = QPushButton()
        self._stop.setAccessibleName(self.tr("Stop the run"))
        self._stop.clicked.connect(session.stop_or_end_now)
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 8, 24, 8)
        row.setSpacing(16)
        row.addWidget(RunProgress(session), stretch=1)
        row.addWidget(self._stop)
        session.changed.connect(self._on_changed)
        self._on_changed()

    @Slot()
    def _on_changed(self) -> None:
        self._stop.setText(stop_words(self._session))
        self._stop.setEnabled(self._session.stoppable)


def status_line(session: Session) -> str:
    """Where a run is, in a few words."""
    if session.steps == 0 or session.phase != "Training":
        return session.phase
    left = duration(session.seconds_left)
    return f"step {session.step:,} of {session.steps:,}, {left} left, loss {session.loss:.3f}"


def stop_words(session: Session) -> str:
    """What the button that stops a run says."""
    return "End now" if session.slow_to_stop else "Stop"
