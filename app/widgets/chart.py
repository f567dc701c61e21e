"""The loss while training: each step faintly, the smoothed line, that of pictures held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, QTimer, Slot
from PySide6.QtGui import QColor, QFont, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget
from typing_extensions import override

from app import theme
from app.widgets import labels
from app.widgets.grid import small_font

if TYPE_CHECKING:
    from pyqtgraph import PlotWidget

DRAW_EVERY_MS = 200
AXIS_PX = 40  # wide: labels of another length do not move the lines
PARTS = 2000  # of the line: a lowest and a highest value of each are drawn


def bare_plot(font: QFont) -> PlotWidget:
    """Axes in the window's colours: it is looked at, not moved; the page scrolls over it."""
    import pyqtgraph

    colours = theme.current()
    plot = pyqtgraph.PlotWidget(background=colours.panel)
    plot.setMinimumHeight(64)
    plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
    plot.setMenuEnabled(False)
    plot.setMouseEnabled(x=False, y=False)  # it always shows the whole
    plot.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    plot.hideButtons()
    plot.showGrid(x=False, y=True, alpha=0.15)
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.enableAutoSIPrefix(False)
        axis.setPen(QColor(colours.line))
        axis.setTextPen(QColor(colours.secondary))
        axis.setTickFont(small_font(font))
    plot.getAxis("left").setWidth(AXIS_PX)
    return plot


class LossChart(QWidget):
    """Imports the chart library, which costs half a start, only to draw what can be seen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Loss chart")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._empty = labels.secondary("Drawn here while training")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._layout.addWidget(self._empty)
        self._plot = None
        self._raw = self._smooth = None
        self._data: tuple[Sequence[int], Sequence[float], Sequence[float]] = ((), (), ())
        self._held_out: tuple[Sequence[int], Sequence[float]] = ((), ())
        self._points = None
        self._stale = False
        self._timer = QTimer(self, interval=DRAW_EVERY_MS, singleShot=True)
        self._timer.timeout.connect(self._draw)

    def show_losses(
        self,
        steps: Sequence[int],
        losses: Sequence[float],
        smoothed: Sequence[float],
        held_out: tuple[Sequence[int], Sequence[float]] = ((), ()),
    ) -> None:
        """Draw these soon; the sequences may grow until then. `held_out`: steps and losses."""
        self._data, self._stale = (steps, losses, smoothed), True
        self._held_out = held_out
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._timer.start(0)

    @Slot()
    def _draw(self) -> None:
        self._timer.setInterval(DRAW_EVERY_MS)
        if not self._stale or not self.isVisible():
            return
        self._stale = False
        steps, losses, smoothed = self._data
        if len(steps) and self._plot is None:
            self._make_plot()
        if self._plot is not None and self._raw is not None and self._smooth is not None:
            self._plot.setVisible(len(steps) > 0)
            self._empty.setVisible(not len(steps))
            self._raw.setData(*thinned(steps, losses))
            self._smooth.setData(*thinned(steps, smoothed))
            if self._points is not None:
                self._points.setData(*map(list, self._held_out))

    @override
    def changeEvent(self, event: QEvent) -> None:
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._restyle()
        super().changeEvent(event)

    def _restyle(self) -> None:
        """The chart library takes its colours once."""
        plot = getattr(self, "_plot", None)  # Qt tells of its first style before there is one
        if plot is not None:
            self._layout.removeWidget(plot)
            plot.deleteLater()
            self._plot = self._raw = self._smooth = self._points = None
            self.show_losses(*self._data, self._held_out)

    def _make_plot(self) -> None:
        import pyqtgraph

        colours, plot = theme.current(), bare_plot(self.font())
        faint = QColor(colours.secondary)
        faint.setAlpha(110)
        self._raw = plot.plot(pen=pyqtgraph.mkPen(faint, width=1))
        self._smooth = plot.plot(pen=pyqtgraph.mkPen(colours.accent, width=2))
        self._points = plot.plot(
            pen=pyqtgraph.mkPen(colours.good, width=2),
            symbol="o",
            symbolSize=5,
            symbolPen=None,
            symbolBrush=colours.good,
        )
        for line in (self._raw, self._smooth):
            line.setClipToView(True)
        self._layout.addWidget(plot)
        self._plot = plot


def thinned(steps: Sequence[int], values: Sequence[float]) -> tuple[object, object]:
    """At most `2 * PARTS` points with the same outline: each part's lowest and highest."""
    import numpy as np

    x, y = np.array(steps, dtype=np.float64), np.array(values, dtype=np.float64)
    size = len(x) // PARTS
    if size <= 2:  # noqa: PLR2004 - a lowest and a highest
        return x, y
    whole = size * PARTS
    parts = y[:whole].reshape(PARTS, size)
    ends = np.sort(np.stack([parts.argmin(axis=1), parts.argmax(axis=1)], axis=1), axis=1)
    places = (ends + np.arange(PARTS)[:, None] * size).ravel()
    places = np.concatenate([places, np.arange(whole, len(x))])
    return x[places], y[places]
