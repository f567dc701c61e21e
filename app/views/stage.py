"""The run on the stage: its newest pictures large, what they are to become like, and its loss."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QSlider, QVBoxLayout, QWidget

from app.figures import count_of
from app.models.outcome import outcome
from app.models.run_record import RunRecord
from app.models.studio import Studio
from app.views.base_words import base_words
from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.chart import LossChart
from app.widgets.comparison import Comparison, Shown
from app.widgets.run import RunProgress
from core.config.options import DEMO_BASE

SHOWN = 6  # prompts
CHART_PX = (320, 104)
WIDEST_PX = 900  # of a slider
PLACE = "Train"


class Stage(QWidget):
    """Shows the run that is shown everywhere, live or not."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio, self._runs, self._session = studio, studio.runs, studio.session
        self._steps: list[int] = []  # that the scrubber goes through
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(12)
        layout.addLayout(self._make_heading())
        layout.addLayout(self._make_state())
        self.pictures = Comparison()
        self.pictures.setAccessibleName("Newest previews and one of your pictures")
        self.pictures.setToolTip("See all previews")
        self.pictures.clicked.connect(studio.actions["page.preview"].trigger)
        layout.addWidget(self.pictures, stretch=1)
        layout.addLayout(self._make_foot())
        studio.session.changed.connect(self._on_state_changed)
        self._runs.adapters_changed.connect(self._on_state_changed)
        self._runs.reset.connect(self._on_reset)
        self._runs.previewed.connect(self._on_previewed)
        self._runs.stepped.connect(self._on_stepped)
        studio.large.ready.connect(self._on_picture_ready)
        studio.dataset.refreshed.connect(self._show_pictures)
        self._on_reset()

    def _make_heading(self) -> QHBoxLayout:
        self.run = QComboBox()
        self.run.setAccessibleName("Run")
        self.run.textActivated.connect(self._runs.show)
        self._name = labels.heading()
        self._facts = labels.secondary()
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self._name)
        row.addWidget(self.run)
        row.addWidget(self._facts, stretch=1)
        actions = self._studio.actions
        self.resume = ActionButton(actions["resume"], primary=True)
        self.compare = ActionButton(actions["run.compare"])
        row.addWidget(self.resume)
        row.addWidget(self.compare)
        for name in ("run.use", "train.form", "preview", "stop"):
            row.addWidget(ActionButton(actions[name]))
        return row

    def _make_state(self) -> QHBoxLayout:
        self._progress = RunProgress(self._session)
        self._outcome = labels.secondary()
        row = QHBoxLayout()
        row.addWidget(self._progress, stretch=1)
        row.addWidget(self._outcome, stretch=1)
        return row

    def _make_foot(self) -> QHBoxLayout:
        self.scrubber = QSlider(Qt.Orientation.Horizontal)
        self.scrubber.setAccessibleName("Step whose previews are shown")
        self.scrubber.setPageStep(1)
        self.scrubber.setMaximumWidth(WIDEST_PX)
        self.scrubber.valueChanged.connect(self._show_pictures)
        self._at = labels.secondary()
        self._at.setWordWrap(False)
        time = QVBoxLayout()
        time.setSpacing(4)
        time.addStretch()
        time.addWidget(self._at)
        time.addWidget(self.scrubber)
        time.addStretch()
        panel = QFrame()
        panel.setObjectName("panel")
        panel.setFixedSize(*CHART_PX)
        inside = QVBoxLayout(panel)
        inside.setContentsMargins(8, 4, 12, 4)
        inside.setSpacing(0)
        self._chart_name = labels.small("Loss")
        inside.addWidget(self._chart_name)
        self.chart = LossChart()
        inside.addWidget(self.chart, stretch=1)
        row = QHBoxLayout()
        row.setSpacing(24)
        row.addLayout(time, stretch=1000)
        row.addStretch(1)
        row.addWidget(panel)
        return row

    @Slot()
    def _on_reset(self) -> None:
        """Another run is shown, or the same one is read anew."""
        record = self._runs.shown
        self._name.setText(f"Run {record.run.number}" if record and record.run.number else "Run")
        self._facts.setText(_facts(record) if record else "")
        self.run.clear()
        self.run.addItems(self._runs.names())
        self.run.setVisible(self.run.count() > 1)
        self.run.setCurrentText(record.name if record else "")
        self._steps = []
        self._on_previewed()
        self._on_stepped()
        self._on_state_changed()

    @Slot()
    def _on_state_changed(self) -> None:
        busy, record = self._studio.training_here, self._runs.shown
        unfinished = record is not None and not busy and record.unfinished
        seen = record is not None and bool(record.previews) and not busy
        actions = self._studio.actions
        actions["run.compare"].setVisible(seen)
        actions["run.use"].setVisible(seen and bool(record and record.adapters))
        self.compare.set_primary(primary=not unfinished)
        self._progress.setVisible(busy)
        self._outcome.setVisible(not busy)
        if not busy:
            self._outcome.setText(outcome(record) if record else "")

    @Slot()
    def _on_previewed(self) -> None:
        """Follow what is drawn, unless the person looks at an earlier step."""
        record = self._runs.shown
        following = self.scrubber.value() >= len(self._steps) - 1
        self._steps = record.preview_steps() if record else []
        self.scrubber.blockSignals(True)
        self.scrubber.setRange(0, max(0, len(self._steps) - 1))
        if following:
            self.scrubber.setValue(self.scrubber.maximum())
        self.scrubber.blockSignals(False)
        self.scrubber.setVisible(len(self._steps) > 1)
        self._show_pictures()

    @Slot()
    def _on_stepped(self) -> None:
        record = self._runs.shown
        if record is None:
            self.chart.show_losses((), (), ())
        else:
            held_out = record.held_out
            losses = [event.loss for event in held_out.values()]
            self.chart.show_losses(
                record.steps, record.losses, record.smoothed, (list(held_out), losses)
            )
            self._chart_name.setText("Loss, and that of pictures held out" if losses else "Loss")
            self.chart.setToolTip(record.verdict)

    @Slot(str)
    def _on_picture_ready(self, _name: str) -> None:
        if self.isVisible():
            self._show_pictures()

    @Slot()
    def _show_pictures(self) -> None:
        record = self._runs.shown
        if record is None or not self._steps:
            self._at.setText("")
            self.pictures.show_pictures((), self._target())
            return
        step = self._steps[self.scrubber.value()]
        self._at.setText(f"Drawn at step {step:,}" if step else "Drawn by the untrained model")
        shown = [
            Shown(self._studio.large.get(record.picture_file(one)) or QImage(), one.prompt)
            for one in record.newest_previews(step)[:SHOWN]
        ]
        self.pictures.show_pictures(shown, self._target())

    def _target(self) -> Shown:
        """One of the pictures that the style is learnt from."""
        pictures = self._studio.dataset.rows.pictures
        if not pictures:
            return Shown(QImage(), "")
        image = self._studio.large.get(pictures[0].path) or QImage()
        return Shown(image, f"Yours: {pictures[0].path.name}")


def _facts(record: RunRecord) -> str:
    """The settings in a line."""
    config = record.config
    if config is None:
        return ""
    steps, rank = count_of(config.training.steps, "step"), f"rank {config.adapter.rank}"
    base = "demo base" if config.base == DEMO_BASE else base_words(config)
    return ", ".join((steps, rank, base))
