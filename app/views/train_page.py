"""The Train page: what to teach, how long and how strongly, and how it goes."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models.pictures import Thumbnails
from app.models.runs import Runs
from app.process.session import Session, State
from app.views.settings_form import SettingsForm
from app.widgets import labels
from app.widgets.chart import LossChart
from app.widgets.newest import SHOWN, NewestPreviews
from app.widgets.run import RunProgress, stop_words
from core.config.options import RunConfig


class TrainPage(QScrollArea):
    """A run's settings above, what is done with them, and its loss and newest pictures below."""

    train_wished = Signal()
    stop_wished = Signal()
    preview_wished = Signal()
    resume_wished = Signal()
    previews_wished = Signal()

    def __init__(self, session: Session, runs: Runs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self._session, self._runs = session, runs
        self.form = SettingsForm(runs)
        nothing = labels.secondary(self.tr("Add pictures on the Dataset page first."))
        nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(16)
        layout.addWidget(labels.title(self.tr("What are you teaching?")))
        layout.addWidget(self.form)
        layout.addLayout(self._make_actions())
        layout.addWidget(self._make_chart(), stretch=1)
        self._stack = QStackedWidget()
        self._stack.addWidget(nothing)
        self._stack.addWidget(inside)
        self.setWidget(self._stack)
        session.changed.connect(self._on_session_changed)
        self.thumbnails = Thumbnails(self)
        self.thumbnails.ready.connect(self._on_previewed)
        runs.reset.connect(self._on_previewed)
        runs.previewed.connect(self._on_previewed)
        runs.reset.connect(self._on_losses_changed)
        runs.reset.connect(self._on_session_changed)
        runs.stepped.connect(self._on_losses_changed)
        runs.adapters_changed.connect(self._on_session_changed)
        self.show_config(None)

    def _make_actions(self) -> QHBoxLayout:
        self._train = QPushButton(self.tr("Train"))
        self._train.setObjectName("primary")
        self._train.setMinimumWidth(128)
        self._train.clicked.connect(self._on_train_clicked)
        keys = QShortcut(QKeySequence("Ctrl+Return"), self, self._on_keys)
        keys.setAutoRepeat(False)
        self._train.setToolTip("Ctrl+Return")
        self._resume = QPushButton(self.tr("Resume"))
        self._resume.clicked.connect(self.resume_wished)
        self._preview = QPushButton(self.tr("Preview now"))
        self._preview.clicked.connect(self.preview_wished)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self._train)
        row.addWidget(self._resume)
        row.addWidget(self._preview)
        row.addWidget(RunProgress(self._session), stretch=1)
        return row

    def _make_chart(self) -> QFrame:
        panel = QFrame()
        panel.setObjectName("panel")
        panel.setMinimumHeight(220)
        inside = QHBoxLayout(panel)
        inside.setContentsMargins(8, 8, 16, 8)
        inside.setSpacing(16)
        self.chart = LossChart()
        inside.addWidget(self.chart, stretch=1)
        self._newest = NewestPreviews()
        self._newest.setAccessibleName(self.tr("Newest previews"))
        self._newest.setToolTip(self.tr("See all previews"))
        self._newest.clicked.connect(self.previews_wished)
        inside.addWidget(self._newest)
        return panel

    def show_config(self, config: RunConfig | None) -> None:
        """Show a project's settings, or where to begin."""
        self._stack.setCurrentIndex(0 if config is None else 1)
        self.form.show_config(config)

    @Slot()
    def _on_keys(self) -> None:
        """The keys only ever start a run: pressed by mistake they end none."""
        if self._stack.currentIndex() and not self._session.busy:
            self._train.click()

    @Slot()
    def _on_train_clicked(self) -> None:
        self.form.read()  # a prompt may just have been written
        if self._session.busy:
            self.stop_wished.emit()
        else:
            self.train_wished.emit()

    @Slot()
    def _on_session_changed(self) -> None:
        session = self._session
        busy = session.busy
        self._train.setText(stop_words(session) if busy else self.tr("Train"))
        self._train.setEnabled(session.stoppable)
        self._resume.setVisible(not busy and bool(self._runs.resumable()))
        self._preview.setVisible(session.state is State.RUNNING)
        self.form.setEnabled(not busy)

    @Slot()
    def _on_previewed(self) -> None:
        record = self._runs.shown
        newest = record.newest_previews()[:SHOWN] if record else []
        files = [record.picture_file(preview) for preview in newest] if record else []
        self._newest.show_images([self.thumbnails.get(file) or QImage() for file in files])

    @Slot()
    def _on_losses_changed(self) -> None:
        record = self._runs.shown
        if record is None:
            self.chart.show_losses((), (), ())
        else:
            self.chart.show_losses(record.steps, record.losses, record.smoothed)
