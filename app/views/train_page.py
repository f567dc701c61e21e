"""The Train page: what to teach, how long and how strongly, and how it goes."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models.studio import Studio
from app.views.page import Page
from app.views.settings_form import SettingsForm
from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.chart import LossChart
from app.widgets.newest import SHOWN, NewestPreviews
from app.widgets.run import RunProgress


class TrainPage(QScrollArea):
    """A run's settings above, what is done with them, and its loss and newest pictures below."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Train")
        self._studio, self._session, self._runs = studio, studio.session, studio.runs
        self.form = SettingsForm(studio)
        nothing = labels.secondary("Add pictures on the Dataset page first.")
        nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(16)
        layout.addWidget(labels.title("What are you teaching?"))
        layout.addWidget(self.form)
        layout.addLayout(self._make_actions())
        layout.addWidget(self._make_chart(), stretch=1)
        self._stack = QStackedWidget()
        self._stack.addWidget(nothing)
        self._stack.addWidget(inside)
        self.setWidget(self._stack)
        studio.settings.changed.connect(self._on_settings_changed)
        studio.session.changed.connect(self._on_session_changed)
        studio.tiles.ready.connect(self._on_tile_ready)
        runs = studio.runs
        runs.reset.connect(self._on_previewed)
        runs.previewed.connect(self._on_previewed)
        runs.reset.connect(self._on_losses_changed)
        runs.stepped.connect(self._on_losses_changed)
        self._on_settings_changed()
        self._on_session_changed()
        self._on_previewed()
        self._on_losses_changed()

    def _make_actions(self) -> QHBoxLayout:
        actions = self._studio.actions
        self.addAction(actions["train"])  # its keys work on this page alone
        row = QHBoxLayout()
        row.setSpacing(16)
        self.train = ActionButton(actions["train"], primary=True)
        self.train.setMinimumWidth(128)
        row.addWidget(self.train)
        for name in ("stop", "resume", "preview"):
            row.addWidget(ActionButton(actions[name]))
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
        self.newest = NewestPreviews()
        self.newest.setAccessibleName("Newest previews")
        self.newest.setToolTip("See all previews")
        self.newest.clicked.connect(self._studio.actions["page.preview"].trigger)
        inside.addWidget(self.newest)
        return panel

    def save(self) -> int:
        """Set what was typed; settings that cannot be written are told by their own."""
        self.form.commit()
        return 0

    @Slot()
    def _on_settings_changed(self) -> None:
        self._stack.setCurrentIndex(0 if self._studio.settings.config is None else 1)

    @Slot()
    def _on_session_changed(self) -> None:
        """The form rests during a run; the focus must not fall from it onto a button."""
        focus = QApplication.focusWidget()
        if self._session.busy and focus is not None and self.form.isAncestorOf(focus):
            self.setFocus()
        self.form.setEnabled(not self._session.busy)

    @Slot(str)
    def _on_tile_ready(self, name: str) -> None:
        record = self._runs.shown
        if record and name.startswith(str(record.run.previews)):
            self._on_previewed()

    @Slot()
    def _on_previewed(self) -> None:
        record = self._runs.shown
        newest = record.newest_previews()[:SHOWN] if record else []
        files = [record.picture_file(preview) for preview in newest] if record else []
        self.newest.show_images([self._studio.tiles.get(file) or QImage() for file in files])

    @Slot()
    def _on_losses_changed(self) -> None:
        record = self._runs.shown
        if record is None:
            self.chart.show_losses((), (), ())
        else:
            self.chart.show_losses(record.steps, record.losses, record.smoothed)


def make(studio: Studio) -> Page:
    """The page, for the window."""
    page = TrainPage(studio)
    return Page(page, page, page.save, studio.settings.undo_stack)
