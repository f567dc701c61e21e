"""The Train page: what to teach, how long and how strongly; then the run takes the stage."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app.models.studio import Studio
from app.views.page import Page
from app.views.settings_form import SettingsForm
from app.views.stage import Stage
from app.widgets import labels
from app.widgets.button import ActionButton

PLACE = "Train"


class TrainPage(QScrollArea):
    """The next run's settings, or a run: that which goes on, or the last one."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Train")
        self._studio, self._session, self._runs = studio, studio.session, studio.runs
        self._had_run = self._was_busy = False
        self._add_actions()
        self.form = SettingsForm(studio)
        self.stage = Stage(studio)
        self._nothing = labels.secondary("Add pictures on the Dataset page first.")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._before = self._make_before()
        self._stack = _Fitting()
        for part in (self._nothing, self._before, self.stage):
            self._stack.addWidget(part)
        self.setWidget(self._stack)
        studio.settings.changed.connect(self._on_settings_changed)
        studio.session.changed.connect(self._on_session_changed)
        studio.runs.reset.connect(self._on_runs_reset)
        self._on_settings_changed()
        self._on_runs_reset()
        self._on_session_changed()

    def _add_actions(self) -> None:
        actions = self._studio.actions
        self.addAction(actions["train"])  # its keys work on this page alone
        add = actions.add
        add("train.form", "New run", self.show_form, place=PLACE)
        add("train.stage", "Show the run", self.show_stage, place=PLACE)
        compare, use = actions["page.preview"].trigger, actions["page.adapters"].trigger
        add("run.compare", "Compare before and after", compare, place=PLACE)
        add("run.use", "Use the adapter", use, place=PLACE)

    def _make_before(self) -> QWidget:
        before = QWidget()
        layout = QVBoxLayout(before)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(16)
        layout.addWidget(labels.title("What are you teaching?"))
        layout.addWidget(self.form)
        actions = self._studio.actions
        row = QHBoxLayout()
        row.setSpacing(16)
        self.train = ActionButton(actions["train"], primary=True)
        self.train.setMinimumWidth(128)
        row.addWidget(self.train)
        row.addWidget(ActionButton(actions["train.stage"]))
        row.addStretch()
        layout.addLayout(row)
        layout.addStretch()
        return before

    def save(self) -> int:
        """Set what was typed; settings that cannot be written are told by their own."""
        self.form.commit()
        return 0

    def show_form(self) -> None:
        """The next run's settings."""
        self._show(self._before)

    def show_stage(self) -> None:
        """The run that goes on, or the last one."""
        self._show(self.stage)

    def _show(self, part: QWidget) -> None:
        """The focus must not fall from what goes onto a button."""
        if self._studio.settings.config is None:
            part = self._nothing
        before, focus = self._stack.currentWidget(), QApplication.focusWidget()
        if before and part is not before and focus and before.isAncestorOf(focus):
            self.setFocus()
        self._stack.setCurrentWidget(part)
        self._stack.updateGeometry()
        record = self._runs.shown
        told = record is not None and record.told
        self._studio.actions["train.stage"].setVisible(part is self._before and told)

    @Slot()
    def _on_settings_changed(self) -> None:
        if (self._studio.settings.config is None) != (self._stack.currentWidget() is self._nothing):
            self.show_form()

    @Slot()
    def _on_runs_reset(self) -> None:
        """Of a project that was just opened, the last run is shown."""
        record = self._runs.shown
        has_run = record is not None and record.told
        if has_run != self._had_run and not self._session.busy:
            self._show(self.stage if has_run else self._before)
        self._had_run = has_run

    @Slot()
    def _on_session_changed(self) -> None:
        """A run takes the stage; one that never began leaves it."""
        busy = self._session.busy
        if busy and not self._was_busy:
            self.show_stage()
        elif self._was_busy and not busy and not self._session.run:
            self.show_form()
        self._was_busy = busy
        self._studio.actions["train.form"].setEnabled(not busy)


class _Fitting(QStackedWidget):
    """As large as what it shows wants to be, not as the largest it could show."""

    @override
    def sizeHint(self) -> QSize:
        shown = self.currentWidget()
        return shown.sizeHint() if shown else QSize()

    @override
    def minimumSizeHint(self) -> QSize:
        shown = self.currentWidget()
        return shown.minimumSizeHint() if shown else QSize()


def make(studio: Studio) -> Page:
    """The page, for the window."""
    page = TrainPage(studio)
    return Page(page, page, page.save, studio.settings.undo_stack)
