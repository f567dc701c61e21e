"""The loss while training: every step faintly, the smoothed line on top."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, QTimer, Slot
from PySide6.QtGui import QColor, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget
from typing_extensions import override

from app import theme
from app.widgets import labels


class LossChart(QWidget):
    """Imports the chart library, which costs half a start, only to draw what can be seen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Loss chart"))
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._empty = labels.secondary(self.tr("The loss is drawn here while training."))
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._layout.addWidget(self._empty)
        self._plot = None
        self._raw = self._smooth = None
        self._data: tuple[Sequence[int], Sequence[float], Sequence[float]] = ((), (), ())

    def show_losses(
        self, steps: Sequence[int], losses: Sequence[float], smoothed: Sequence[float]
    ) -> None:
        """Draw the whole line anew."""
        self._data = (steps, losses, smoothed)
        if self._plot is not None or self.isVisible():
            self._draw()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._plot is None:
            QTimer.singleShot(0, self, self._draw)

    @Slot()
    def _draw(self) -> None:
        steps, losses, smoothed = self._data
        if steps and self._plot is None:
            self._make_plot()
        if self._raw is not None and self._smooth is not None:
            self._raw.setData(list(steps), list(losses))
            self._smooth.setData(list(steps), list(smoothed))

    @override
    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_plot"):
            self._restyle()
        super().changeEvent(event)

    def _restyle(self) -> None:
        """The chart library takes its colours once."""
        if self._plot is not None:
            self._layout.removeWidget(self._plot)
            self._plot.deleteLater()
            self._plot = self._raw = self._smooth = None
            self.show_losses(*self._data)

    def _make_plot(self) -> None:
        import pyqtgraph

        colours = theme.current()
        plot = pyqtgraph.PlotWidget(background=colours.panel)
        plot.setMinimumHeight(160)
        plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.showGrid(x=False, y=True, alpha=0.15)
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setPen(QColor(colours.line))
            axis.setTextPen(QColor(colours.secondary))
        plot.setLabel("bottom", self.tr("step"), color=colours.secondary)
        plot.setLabel("left", self.tr("loss"), color=colours.secondary)
        faint = QColor(colours.secondary)
        faint.setAlpha(110)
        self._raw = plot.plot(pen=pyqtgraph.mkPen(faint, width=1))
        self._smooth = plot.plot(pen=pyqtgraph.mkPen(colours.accent, width=2.5))
        self._empty.hide()
        self._layout.addWidget(plot)
        self._plot = plot
