"""A curve that says one thing: of what was measured or computed, with a stretch that is meant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget
from typing_extensions import override

from app import theme
from app.widgets.chart import bare_plot


@dataclass(frozen=True, slots=True)
class Curve:
    """Two sequences of one length, and what is to be seen of them."""

    x: Sequence[float]
    y: Sequence[float]
    points: Sequence[float] = ()  # beside the line, at the same places
    meant: tuple[float, float] | None = None  # a stretch of x
    at: float | None = None  # a place of x
    by_factors: bool = False  # x rises by factors
    filled: bool = False  # down to 0


class CurveChart(QWidget):
    """Imports the chart library only to draw what can be seen, as `LossChart` does."""

    def __init__(self, name: str, height_px: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFixedHeight(height_px)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._plot: QWidget | None = None
        self._stale = False
        self.curve: Curve | None = None

    def show_curve(self, curve: Curve) -> None:
        """Draw it, now or when it can be seen."""
        if curve != self.curve:
            self.curve, self._stale = curve, True
            if self.isVisible():
                self._draw()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._draw()

    @override
    def changeEvent(self, event: QEvent) -> None:
        """The chart library takes its colours once."""
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._stale = getattr(self, "curve", None) is not None
            if self._stale and self.isVisible():
                self._draw()
        super().changeEvent(event)

    def _draw(self) -> None:
        import pyqtgraph

        self._stale = False
        if self._plot is not None:
            self._layout.removeWidget(self._plot)
            self._plot.deleteLater()
            self._plot = None
        curve, colours = self.curve, theme.current()
        if curve is None or not curve.x:
            return
        plot = bare_plot(self.font())
        plot.setLogMode(x=curve.by_factors, y=False)
        if curve.by_factors:  # its own ticks overlap
            plot.getAxis("bottom").setTicks([ticks(curve.x[0], curve.x[-1])])
        line = pyqtgraph.mkPen(colours.accent, width=2)
        if curve.filled:
            shade = QColor(colours.accent)
            shade.setAlpha(60)
            plot.plot(list(curve.x), list(curve.y), pen=line, fillLevel=0, brush=shade)
        else:
            plot.plot(list(curve.x), list(curve.y), pen=line)
        if curve.points:
            faint = QColor(colours.secondary)
            places = list(curve.x)[: len(curve.points)]
            dots = {"symbol": "o", "symbolSize": 4, "symbolPen": None, "symbolBrush": faint}
            plot.plot(places, list(curve.points), pen=None, **dots)
        self._mark(plot, curve)
        self._layout.addWidget(plot)
        self._plot = plot

    def _mark(self, plot, curve: Curve) -> None:  # noqa: ANN001 - pyqtgraph's, loaded late
        import pyqtgraph

        def place(x: float) -> float:
            return math.log10(x) if curve.by_factors else x

        good = QColor(theme.current().good)
        if curve.meant is not None:
            shade = QColor(good)
            shade.setAlpha(40)
            stretch = pyqtgraph.LinearRegionItem(
                [place(x) for x in curve.meant],
                movable=False,
                brush=shade,
                pen=pyqtgraph.mkPen(None),
            )
            plot.addItem(stretch)
        if curve.at is not None:
            pen = pyqtgraph.mkPen(good, width=2)
            plot.addItem(pyqtgraph.InfiniteLine(place(curve.at), angle=90, pen=pen))


def ticks(least: float, most: float) -> list[tuple[float, str]]:
    """Where an axis by factors is marked, by its logarithm: at 1 and 3 of each power of ten."""
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    values = [digit * 10.0**power for power in powers for digit in (1, 3)]
    return [(math.log10(value), f"{value:g}") for value in values if least <= value <= most]
