"""The Train page: what to teach, how long and how strongly; then the run takes the stage."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app.models.studio import Studio
from app.views import story
from app.views.memory_line import MemoryLine
from app.views.page import Page
from app.views.queue_panel import QueuePanel
from app.views.settings_form import WIDEST_PX, SettingsForm
from app.views.stage import Stage
from app.widgets import labels, mosaic
from app.widgets.button import ActionButton
from app.widgets.empty import Empty
from app.widgets.lacks import Lacks
from app.widgets.mosaic import Mosaic
from app.widgets.scrolled import Scrolled

PLACE = "Train"
MARGIN_PX = 24
LEAST_PX = 208  # for pictures beside the form


class TrainPage(QWidget):
    """The next run's settings, or a run: that which goes on, or the last one."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Train")
        self._studio, self._session, self._runs = studio, studio.session, studio.runs
        self._had_run = self._was_busy = False
        self._add_actions()
        self.form = SettingsForm(studio)
        self.stage = Stage(studio)
        words = "Add pictures on the Dataset page first."
        begin = ActionButton(studio.actions["page.dataset"], primary=True)
        self._nothing = Empty(story.yours(4), "What are you teaching?", words, [begin])
        self._before = self._make_before()
        self._stack = QStackedWidget()
        for part in (self._nothing, self._before, self.stage):
            self._stack.addWidget(part)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)
        whole.addWidget(QueuePanel(studio))
        studio.settings.changed.connect(self._on_settings_changed)
        studio.settings.changed.connect(self._on_lacking_changed)
        studio.dataset.refreshed.connect(self._on_lacking_changed)
        studio.dataset.busy_changed.connect(self._on_lacking_changed)
        studio.session.changed.connect(self._on_session_changed)
        studio.runs.reset.connect(self._on_runs_reset)
        self._on_lacking_changed()
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
        """What does not fit is scrolled; Train and what it lacks are always there."""
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(MARGIN_PX, 16, MARGIN_PX, 8)
        layout.setSpacing(8)
        layout.addWidget(labels.heading("What are you teaching?"))
        layout.addWidget(self.form)
        form = QWidget()
        form.setMaximumWidth(WIDEST_PX + 2 * MARGIN_PX)
        column = QVBoxLayout(form)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(Scrolled(inside))
        column.addLayout(self._make_foot())
        column.addStretch()
        before, pictures = QWidget(), self._studio.dataset.rows
        self.yours = Mosaic(pictures.aspects, self._picture)
        self.yours.setToolTip("Your pictures")
        self.yours.setContentsMargins(0, 16, 0, 16)
        self._studio.tiles.ready.connect(self.yours.update)
        self._studio.dataset.refreshed.connect(self.yours.update)
        whole = QHBoxLayout(before)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(form, stretch=1_000_000)  # all it can use, before the pictures
        whole.addWidget(self.yours, stretch=1000)
        whole.addStretch(1)  # the form begins at the left
        whole.addSpacing(MARGIN_PX)
        return before

    def _picture(self, number: int) -> QImage | None:
        path = self._studio.dataset.rows.pictures[number].path
        return self._studio.tiles.get(path, mosaic.HEIGHT_PX)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        """What the form leaves belongs to the pictures."""
        self.yours.setVisible(event.size().width() >= WIDEST_PX + 3 * MARGIN_PX + LEAST_PX)
        super().resizeEvent(event)

    def _make_foot(self) -> QVBoxLayout:
        self.lacks = Lacks()
        self.lacks.pressed.connect(self._on_lack_pressed)
        actions = self._studio.actions
        self.train = ActionButton(actions["train"], primary=True)
        self.train.setMinimumWidth(128)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self.train)
        self.wait = ActionButton(actions["queue.add"])
        row.addWidget(self.wait)
        row.addWidget(ActionButton(actions["train.stage"]))
        self.memory = MemoryLine(self._studio)
        row.addWidget(self.memory, stretch=1)
        foot = QVBoxLayout()
        foot.setContentsMargins(MARGIN_PX, 8, MARGIN_PX, 16)
        foot.setSpacing(12)
        foot.addWidget(self.lacks)
        foot.addLayout(row)
        return foot

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
        self._show_way_back()

    def _show_way_back(self) -> None:
        """To the stage, where anything is on it."""
        record = self._runs.shown
        there = self._studio.training_here or (record is not None and record.told)
        before = self._stack.currentWidget() is self._before
        self._studio.actions["train.stage"].setVisible(before and there)

    @Slot()
    def _on_lacking_changed(self) -> None:
        """A list of what is missing stands before Train."""
        self._lacks = self._studio.lacks()
        self.lacks.show_lacks([(one.words, one.button, one.needed) for one in self._lacks])

    @Slot(int)
    def _on_lack_pressed(self, number: int) -> None:
        for name in self._lacks[number].actions:
            self._studio.actions[name].trigger()

    @Slot()
    def _on_settings_changed(self) -> None:
        if (self._studio.settings.config is None) != (self._stack.currentWidget() is self._nothing):
            self.show_form()

    @Slot()
    def _on_runs_reset(self) -> None:
        """Of a project that was just opened, the last run is shown."""
        record = self._runs.shown
        has_run = record is not None and record.told
        if has_run != self._had_run and not self._studio.training_here:
            self._show(self.stage if has_run else self._before)
        self._had_run = has_run

    @Slot()
    def _on_session_changed(self) -> None:
        """A run takes the stage; one that never began leaves it."""
        busy = self._studio.training_here
        if busy and not self._was_busy and self._session.by_hand:
            self.show_stage()
        elif self._was_busy and not busy and not self._session.run:
            self.show_form()
        self.wait.set_primary(primary=self._session.busy)
        if busy != self._was_busy:
            self._show_way_back()
        self._was_busy = busy


def make(studio: Studio) -> Page:
    """The page, for the window."""
    page = TrainPage(studio)
    return Page(page, page, page.save, studio.settings.undo_stack)
