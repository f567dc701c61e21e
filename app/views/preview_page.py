"""The Preview page: every prompt at every step, two of them compared, and a strength slider."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PySide6.QtCore import QModelIndex, QRect, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QImage, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QSplitter,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app import theme
from app.models import pictures
from app.models.previews import PreviewTable
from app.models.runs import AdapterCard, Runs
from app.process.sampler import Sampler
from app.widgets import labels
from app.widgets.grid import GAP_PX, Index, paint_picture
from app.widgets.picture import WipeView
from core.config.options import DEMO_BASE, RunConfig
from core.protocol.commands import Draw, SampleJob
from core.protocol.events import PictureDrawn, StyleMeasured

TILE_PX = 104
DRAW_AFTER_MS = 250  # of no change to the slider
WEIGHT_STEPS = 20  # of the slider, per 1.0


class _TileDelegate(QStyledItemDelegate):
    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        half = GAP_PX // 2
        place: QRect = option.rect.adjusted(half, half, -half, -half)
        image = index.data(Qt.ItemDataRole.DecorationRole)
        if isinstance(image, QImage):
            paint_picture(painter, place, image)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(theme.current().accent), 3))
            painter.drawRoundedRect(place, 6, 6)
            painter.restore()


class PreviewPage(QWidget):
    """Shows what the model draws; wishes go to the sampler."""

    failed = Signal(object)  # a Failed

    def __init__(self, runs: Runs, sampler: Sampler, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs, self._sampler = runs, sampler
        self._config: RunConfig | None = None
        self._base_folder = Path()
        self._out = Path(tempfile.gettempdir()) / "stylewright-sample.png"
        self.table = PreviewTable(runs, self)
        self._view = QTableView()
        self._view.setModel(self.table)
        self._view.setItemDelegate(_TileDelegate(self._view))
        self._view.setShowGrid(False)
        self._view.setAccessibleName("Previews, a row for each prompt, a column for each step")
        self._view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        for header in (self._view.horizontalHeader(), self._view.verticalHeader()):
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setDefaultSectionSize(TILE_PX + GAP_PX)
        self._view.verticalHeader().hide()
        self._wipe = WipeView()
        splitter = QSplitter()
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self._view)
        splitter.addWidget(self._make_right())
        splitter.setSizes([560, 560])
        self.splitter = splitter
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
        runs.reset.connect(self._on_run_changed)
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
        self._weight.setAccessibleName("Strength of the adapter")
        self._weight.valueChanged.connect(self._on_weight_moved)
        self._weight_words = labels.secondary("1.00")
        self._weight_words.setFixedWidth(40)
        self._adapter = QComboBox()
        self._adapter.setAccessibleName("Adapter")
        first = QHBoxLayout()
        first.setSpacing(8)
        first.addWidget(QLabel(self.tr("Adapter")))
        first.addWidget(self._adapter, stretch=1)
        first.addWidget(QLabel(self.tr("Strength")))
        first.addWidget(self._weight, stretch=1)
        first.addWidget(self._weight_words)
        self._prompt = QLineEdit()
        self._prompt.setAccessibleName("Prompt")
        self._prompt.setPlaceholderText(self.tr("What to draw"))
        self._prompt.returnPressed.connect(self._on_draw)
        self._seed = QSpinBox(maximum=2**31 - 1, value=1)
        self._seed.setAccessibleName("Seed")
        self._seed.setFixedWidth(96)
        self._make = QPushButton(self.tr("Make a picture"))
        self._make.setObjectName("primary")
        self._make.clicked.connect(self._on_draw)
        second = QHBoxLayout()
        second.setSpacing(8)
        second.addWidget(QLabel(self.tr("Prompt")))
        second.addWidget(self._prompt, stretch=1)
        self._phase = labels.small()
        third = QHBoxLayout()
        third.setSpacing(8)
        third.addWidget(QLabel(self.tr("Seed")))
        third.addWidget(self._seed)
        third.addWidget(self._phase, stretch=1)
        third.addWidget(self._make)
        for row in (first, second, third):
            layout.addLayout(row)
        return panel

    def show_config(self, config: RunConfig | None, folder: Path) -> None:
        """The base and the way to draw come from the project."""
        self._config, self._base_folder = config, folder
        if config and config.preview.prompts and not self._prompt.text():
            self._prompt.setText(config.preview.prompts[0])

    def use_adapter(self, path: Path) -> None:
        """Choose an adapter to draw with."""
        self._adapter.setCurrentIndex(self._adapter.findData(str(path)))

    @Slot()
    def _on_run_changed(self) -> None:
        record = self._runs.shown
        self._run.clear()
        self._run.addItems(self._runs.names())
        self._run.setVisible(self._run.count() > 0)
        self._run.setCurrentText(record.name if record else "")
        self._style.setText(style_words(record.style) if record and record.style else "")
        chosen = self._adapter.currentData()
        self._adapter.blockSignals(True)
        self._adapter.clear()
        for card in self._runs.adapters():
            self._adapter.addItem(adapter_words(card), str(card.path))
        place = self._adapter.findData(chosen)
        self._adapter.setCurrentIndex(max(0, place) if self._adapter.count() else -1)
        self._adapter.blockSignals(False)
        self._make.setEnabled(self._adapter.count() > 0)
        self._weight.setEnabled(self._adapter.count() > 0)

    @Slot()
    def _on_table_reset(self) -> None:
        columns = self.table.columnCount()
        if columns:
            row = max(0, self._view.currentIndex().row())
            self._view.setCurrentIndex(self.table.index(row, columns - 1))

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        chosen = self.table.preview(current.row(), current.column()) if current.isValid() else None
        if chosen is None:
            self._wipe.show_pair(QImage(), "", QImage(), "")
            return
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
        """Draw the prompt at the slider's strength."""
        self._timer.stop()
        config, adapter = self._config, self._adapter.currentData()
        prompt = self._prompt.text().strip()
        if config is None or not adapter or not prompt:
            return
        preview = config.preview
        base = config.base if config.base == DEMO_BASE else str(self._base_folder / config.base)
        job = SampleJob(
            base=base,
            adapter=adapter,
            inference_steps=preview.inference_steps,
            guidance=preview.guidance,
            guidance_rescale=preview.guidance_rescale,
        )
        edge = config.dataset.resolution_px
        self._sampler.draw(
            job,
            Draw(
                prompt=prompt,
                seed=self._seed.value(),
                weight=self._weight.value() / WEIGHT_STEPS,
                out=str(self._out),
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
        self._phase.setText(phase)


def style_words(style: StyleMeasured) -> str:
    """The change of style in words, beside its own check."""
    return f"{style.change} (check: tells them from untrained ones in {style.check:.0%} of pairs)"


def adapter_words(card: AdapterCard) -> str:
    """One adapter in a list."""
    return f"{card.run}, step {card.step:,}"
