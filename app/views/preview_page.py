"""The Preview page: every prompt at every step, two of them compared, and a strength slider."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, QTemporaryDir, QTimer, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from app.models import pictures
from app.models.previews import PreviewTable
from app.models.runs import AdapterCard, Runs
from app.process.sampler import Sampler
from app.widgets import labels
from app.widgets.picture import WipeView
from app.widgets.preview_grid import PreviewGrid
from core.config import files
from core.errors import UserError
from core.project.layout import Run, base_path
from core.protocol.commands import Draw, SampleJob
from core.protocol.events import Failed, PictureDrawn, StyleMeasured

DRAW_AFTER_MS = 250  # of no change to the slider
WEIGHT_STEPS = 20  # of the slider, per 1.0


class PreviewPage(QWidget):
    """Shows what the model draws; wishes go to the sampler."""

    failed = Signal(object)  # a Failed

    def __init__(self, runs: Runs, sampler: Sampler, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs, self._sampler = runs, sampler
        self._folder = QTemporaryDir()  # for pictures made by hand
        self._picked = ""  # the adapter that the person chose, if one
        self._allowed = True  # to draw
        self._following = True  # the newest step is shown as soon as it is there
        self.table = PreviewTable(runs, self)
        self._view = PreviewGrid(self.table)
        self._wipe = WipeView()
        splitter = QSplitter()
        splitter.setObjectName("preview_splitter")
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self._view)
        splitter.addWidget(self._make_right())
        splitter.setSizes([560, 560])
        self._run = QComboBox()
        self._run.setAccessibleName("Run")
        self._run.textActivated.connect(runs.show)
        self._style = labels.secondary()
        bar = QHBoxLayout()
        bar.setSpacing(16)
        bar.addWidget(labels.title(self.tr("Previews")))
        bar.addWidget(self._run)
        bar.addWidget(self._style, stretch=1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(8)
        layout.addLayout(bar)
        layout.addWidget(splitter, stretch=1)
        self._timer = QTimer(self, interval=DRAW_AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self._on_draw)
        self.table.modelReset.connect(self._on_table_reset)
        self._view.selectionModel().currentChanged.connect(self._on_current_changed)
        self._view.clicked.connect(self._on_clicked)
        runs.chosen.connect(self._on_chosen)
        runs.reset.connect(self._on_run_changed)
        runs.previewed.connect(self._on_previewed)
        runs.adapters_changed.connect(self._on_run_changed)
        sampler.drawn.connect(self._on_drawn)
        sampler.phase.connect(self._on_phase)
        sampler.failed.connect(self.failed)
        self._on_run_changed()

    def _make_right(self) -> QFrame:
        panel = QFrame()
        panel.setObjectName("panel")
        layout = QVBoxLayout(panel)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(self._wipe, stretch=1)
        self._weight = QSlider(Qt.Orientation.Horizontal)
        self._weight.setRange(0, 2 * WEIGHT_STEPS)
        self._weight.setValue(WEIGHT_STEPS)
        self._weight.setMinimumWidth(80)
        self._weight.setAccessibleName("Strength of the adapter")
        self._weight.valueChanged.connect(self._on_weight_moved)
        self._weight_words = labels.secondary("1.00")
        self._weight_words.setFixedWidth(40)
        self._adapter = QComboBox()
        self._adapter.setAccessibleName("Adapter")
        self._adapter.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self._adapter.activated.connect(self._on_adapter_picked)
        self._prompt = QLineEdit()
        self._prompt.setAccessibleName("Prompt")
        self._prompt.setPlaceholderText(self.tr("What to draw"))
        self._prompt.returnPressed.connect(self._on_draw)
        self._seed = QSpinBox(maximum=2**31 - 1, value=1)
        self._seed.setAccessibleName("Seed")
        self._seed.setFixedWidth(96)
        self._seed.lineEdit().setTextMargins(6, 0, 6, 0)
        self._make = QPushButton(self.tr("Make a picture"))
        self._make.setObjectName("primary")
        self._make.clicked.connect(self._on_draw)
        self._phase = labels.small()
        fields = QGridLayout()
        fields.setHorizontalSpacing(12)
        fields.setVerticalSpacing(8)
        fields.setColumnStretch(1, 1)
        for row, words in enumerate((self.tr("Adapter"), self.tr("Strength"), self.tr("Prompt"))):
            fields.addWidget(QLabel(words), row, 0)
        fields.addWidget(self._adapter, 0, 1, 1, 2)
        fields.addWidget(self._weight, 1, 1)
        fields.addWidget(self._weight_words, 1, 2)
        fields.addWidget(self._prompt, 2, 1, 1, 2)
        last = QHBoxLayout()
        last.setSpacing(8)
        last.addWidget(self._seed)
        last.addWidget(self._phase, stretch=1)
        last.addWidget(self._make)
        fields.addWidget(QLabel(self.tr("Seed")), 3, 0)
        fields.addLayout(last, 3, 1, 1, 2)
        layout.addLayout(fields)
        return panel

    def use_adapter(self, path: Path) -> None:
        """Choose an adapter to draw with."""
        self._picked = str(path)
        self._adapter.setCurrentIndex(self._adapter.findData(self._picked))

    def allow_drawing(self, *, allowed: bool) -> None:
        """Not beside a run: two engines on one device may end both."""
        if allowed == self._allowed:
            return
        self._allowed = allowed
        self._phase.setText("" if allowed else self.tr("Drawing waits until the run has ended."))
        self._enable_drawing()

    def _enable_drawing(self) -> None:
        possible = self._allowed and self._adapter.count() > 0
        self._make.setEnabled(possible)
        self._weight.setEnabled(possible)

    @Slot()
    def _on_chosen(self) -> None:
        """What was wished for another run is forgotten."""
        self._picked = ""
        self._prompt.setText("")  # and not modified

    @Slot()
    def _on_run_changed(self) -> None:
        record = self._runs.shown
        self._run.clear()
        self._run.addItems(self._runs.names())
        self._run.setVisible(self._run.count() > 0)
        self._run.setCurrentText(record.name if record else "")
        self._style.setText(style_words(record.style) if record and record.style else "")
        self._fill_adapters(record.name if record else "")
        self._enable_drawing()

    def _fill_adapters(self, run: str) -> None:
        """The one that was chosen stays; else it is the newest of the run that is shown."""
        cards = self._runs.adapters()
        self._adapter.clear()
        for card in cards:
            self._adapter.addItem(adapter_words(card), str(card.path))
        newest = next((place for place, card in enumerate(cards) if card.run == run), 0)
        picked = self._adapter.findData(self._picked) if self._picked else -1
        self._adapter.setCurrentIndex(picked if picked >= 0 else newest if cards else -1)

    @Slot(int)
    def _on_adapter_picked(self, place: int) -> None:
        self._picked = str(self._adapter.itemData(place))

    @Slot()
    def _on_table_reset(self) -> None:
        columns = self.table.columnCount()
        self._following = True
        if columns:
            self._view.setCurrentIndex(self.table.index(0, columns - 1))
        self._show_current()

    @Slot()
    def _on_previewed(self) -> None:
        current, last = self._view.currentIndex(), self.table.columnCount() - 1
        if not current.isValid():
            self._view.setCurrentIndex(self.table.index(0, last))
        elif self._following and self.table.preview(current.row(), last):
            self._view.setCurrentIndex(self.table.index(current.row(), last))

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        self._following = current.column() == self.table.columnCount() - 1
        self._show_current()

    @Slot(QModelIndex)
    def _on_clicked(self, _index: QModelIndex) -> None:
        self._prompt.setModified(False)
        self._show_current()

    def _show_current(self) -> None:
        """The chosen picture beside the untrained one; what was typed as a prompt stays."""
        current = self._view.currentIndex()
        chosen = self.table.preview(current.row(), current.column()) if current.isValid() else None
        if chosen is None:
            self._wipe.show_pair(QImage(), "", QImage(), "")
            return
        if not self._prompt.isModified():
            self._prompt.setText(chosen.prompt)
            self._seed.setValue(chosen.seed)
        before = self.table.preview(current.row(), 0)
        left = pictures.load(self.table.file(before)) if before else QImage()
        right = pictures.load(self.table.file(chosen))
        self._wipe.show_pair(left, "untrained", right, f"step {chosen.step:,}")

    @Slot(int)
    def _on_weight_moved(self, place: int) -> None:
        self._weight_words.setText(f"{place / WEIGHT_STEPS:.2f}")
        self._timer.start()

    @Slot()
    def _on_draw(self) -> None:
        """Draw the prompt at the slider's strength, as the adapter's own run drew its previews."""
        self._timer.stop()
        adapter, prompt = self._adapter.currentData(), self._prompt.text().strip()
        if not self._allowed or not adapter or not prompt:
            return
        run = Run(Path(adapter).parent.parent)
        try:
            config = files.load(run.config_file)
        except UserError as error:
            self.failed.emit(Failed(code=error.code, message=error.message, hint=error.hint))
            return
        job = SampleJob(
            base=str(base_path(config.base, run.root.parent.parent)),
            adapter=adapter,
            inference_steps=config.preview.inference_steps,
            guidance=config.preview.guidance,
            guidance_rescale=config.preview.guidance_rescale,
        )
        edge = config.dataset.resolution_px
        self._sampler.draw(
            job,
            Draw(
                prompt=prompt,
                seed=self._seed.value(),
                weight=self._weight.value() / WEIGHT_STEPS,
                out=self._folder.filePath("drawn.png"),
                width_px=edge,
                height_px=edge,
            ),
        )

    @Slot(object)
    def _on_drawn(self, drawn: PictureDrawn) -> None:
        image = pictures.load(Path(drawn.path))
        current = self._view.currentIndex()
        before = self.table.preview(current.row(), 0) if current.isValid() else None
        same = before and (before.prompt, before.seed) == (drawn.prompt, drawn.seed)
        left = pictures.load(self.table.file(before)) if before and same else QImage()
        words = "untrained" if same else ""
        self._wipe.show_pair(left, words, image, f"strength {drawn.weight:.2f}")

    @Slot(str)
    def _on_phase(self, phase: str) -> None:
        if self._allowed:
            self._phase.setText(phase)


def style_words(style: StyleMeasured) -> str:
    """The change of style in words, beside its own check."""
    return f"{style.change} (check: tells them from untrained ones in {style.check:.0%} of pairs)"


def adapter_words(card: AdapterCard) -> str:
    """One adapter in a list."""
    return f"{card.run}, step {card.step:,}"
