"""Painting a mask: the picture large, and above it what it is painted with."""

from __future__ import annotations

import math
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAccessible, QHideEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app.models import mask_files
from app.models.background import Work
from app.models.masking import LEAST_PX, MOST_PX, Masking
from app.models.studio import Studio
from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.mask_canvas import ZOOM_STEP, MaskCanvas
from core.data import painting
from core.data.history import Notes

PLACE = "Mask"
BRUSH, FILL = range(2)
SIZE_STEP = 1.25  # of the brush, up or down
SLIDER_STEPS = 100  # from the smallest brush to the largest, by equal factors
TELL_MS = 150  # of no stroke, until what is learnt is counted
MANY_PX = 2**20  # of which some are counted
OWN_WORDS = "Space paints, arrows move the brush, [ and ] change its size, X changes sides."


class MaskPanel(QFrame):
    """What is painted is written when it is left, whichever way: one step of the page's."""

    left = Signal()  # back to the pictures
    written = Signal(str)  # what was done, in words

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._studio, self._dataset = studio, studio.dataset
        self.model = Masking(self)
        self._leaving = False  # once what goes on in the thread has ended
        self._add_actions()
        self.canvas = MaskCanvas()
        self._title = labels.title("")
        self._title.setWordWrap(False)
        self._said = labels.secondary()
        self._said.setWordWrap(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addLayout(self._make_head())
        layout.addLayout(self._make_tools())
        layout.addWidget(self.canvas, stretch=1)
        self._where = labels.small(OWN_WORDS)
        layout.addWidget(self._where)
        self._counting = QTimer(self, interval=TELL_MS, singleShot=True)
        self._counting.timeout.connect(self._show_share)
        self._connect()
        self.use(BRUSH)
        self._show_brush()

    def _connect(self) -> None:
        model, canvas = self.model, self.canvas
        model.opened.connect(self._on_opened)
        model.changed.connect(self._on_changed)
        model.busy_changed.connect(self._on_busy_changed)
        model.failed.connect(self._on_failed)
        canvas.pressed.connect(self._on_pressed)
        canvas.moved.connect(lambda x, y: self.model.stroke_to((x, y)))
        canvas.released.connect(model.end_stroke)
        canvas.pointed.connect(self._show_where)

    def _add_actions(self) -> None:
        add = self._studio.actions.add
        model = self.model
        shown = (
            ("brush", "Brush", lambda: self.use(BRUSH), ("B",)),
            ("fill", "Fill by colour", lambda: self.use(FILL), ("F",)),
            ("swap", "Leave out or learn", self.swap, ("X",)),
            ("smaller", "Smaller brush", lambda: self.resize_brush(1 / SIZE_STEP), ("[",)),
            ("larger", "Larger brush", lambda: self.resize_brush(SIZE_STEP), ("]",)),
            ("soft", "Soft or hard brush", self._turn_soft, ("S",)),
            ("grow", "Learn more at the edges", lambda: self._grow(1), ("G",)),
            ("shrink", "Learn less at the edges", lambda: self._grow(-1), ("Shift+G",)),
            ("blur", "Blur the edges", self._blur, ()),
            ("invert", "Invert", lambda: model.edit("invert", painting.inverted), ("I",)),
            ("from_transparency", "From transparency", model.from_transparency, ()),
            ("clear", "Learn all of it", self._clear, ()),
            ("enlarge", "Enlarge", lambda: self.canvas.zoom(ZOOM_STEP), ("+", "=")),
            ("reduce", "Make smaller", lambda: self.canvas.zoom(1 / ZOOM_STEP), ("-",)),
            ("fit", "See all of it", self.canvas_fit, ("0",)),
            ("done", "Done", self.leave, ("Esc", "Ctrl+Return")),
        )
        self._actions = [
            add(f"mask.{name}", words, do, keys=keys, place=PLACE)
            for name, words, do, keys in shown
        ]
        self.addActions(self._actions)
        for name in ("smaller", "larger", "enlarge", "reduce"):
            self._studio.actions[f"mask.{name}"].setAutoRepeat(True)
        self._be_possible()

    def _be_possible(self) -> None:
        """What can be done now: nothing without a mask, only looking while something goes on."""
        there = self.model.canvas is not None and not self.model.busy
        for action in self._actions:
            action.setEnabled(there)
            action.setVisible(self.model.path is not None)
        self._studio.actions["mask.done"].setEnabled(self.model.path is not None)

    def _make_head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self._title)
        row.addWidget(self._said)
        row.addStretch()
        row.addWidget(ActionButton(self._studio.actions["mask.done"], primary=True))
        return row

    def _make_tools(self) -> QHBoxLayout:
        actions = self._studio.actions
        row = QHBoxLayout()
        row.setSpacing(8)
        self._tools, self._sides = QButtonGroup(self), QButtonGroup(self)
        for group, words in (
            (self._tools, ("Brush", "Fill")),
            (self._sides, ("Leave out", "Learn")),
        ):
            for number, word in enumerate(words):
                button = QPushButton(word)
                button.setObjectName("view")
                button.setCheckable(True)
                group.addButton(button, number)
                row.addWidget(button)
            row.addSpacing(8)
        for number, (key, words) in enumerate(
            (("B", "Paint along the pointer"), ("F", "All of one colour"))
        ):
            self._tools.button(number).setToolTip(f"{words} ({key})")
        for number in range(2):
            self._sides.button(number).setToolTip("What is painted becomes this (X)")
        self._tools.idClicked.connect(self.use)
        self._sides.idClicked.connect(lambda side: self.take(learnt=bool(side)))
        self._size_words = labels.small("Size")
        self._size_words.setWordWrap(False)
        self._size = QSlider(Qt.Orientation.Horizontal)
        self._size.setRange(0, SLIDER_STEPS)
        self._size.setMinimumWidth(64)
        self._size.setMaximumWidth(144)
        self._size.valueChanged.connect(self._on_size)
        self._soft = QCheckBox("Soft")
        self._soft.setToolTip("The brush grows weaker from its middle on (S)")
        self._soft.toggled.connect(self._on_soft)
        for part in (self._size_words, self._size, self._soft):
            row.addWidget(part)
        row.addStretch()
        self._edge = QSpinBox()
        self._edge.setRange(1, 64)
        self._edge.setValue(8)
        self._edge.setSuffix(" px")
        self._edge.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._edge.setAccessibleName("By how much edges grow, shrink or are blurred")
        self._edge.setToolTip(self._edge.accessibleName())
        menu = QMenu(self)
        for name in ("grow", "shrink", "blur"):
            menu.addAction(actions[f"mask.{name}"])
        self._edges = QPushButton("Edges")
        self._edges.setMenu(menu)
        row.addWidget(self._edge)
        row.addWidget(self._edges)
        menu = QMenu(self)
        for name in ("invert", "from_transparency", "clear"):
            menu.addAction(actions[f"mask.{name}"])
        self._all = QPushButton("Whole mask")
        self._all.setMenu(menu)
        row.addWidget(self._all)
        return row

    def canvas_fit(self) -> None:
        """See all of the picture."""
        self.canvas.fit()

    def show_picture(self, path: Path) -> None:
        """Paint on another; what was painted on one before is written."""
        self._write()
        self._title.setText(f"Mask of {path.name}")
        self.canvas.setAccessibleName(f"Mask of {path.name}")
        self.canvas.setAccessibleDescription(OWN_WORDS)
        self._said.setText("")
        self.canvas.show_words("Opening the picture...")
        self.model.open(path)
        self.canvas.setFocus()

    def use(self, tool: int) -> None:
        """The brush, or filling what is of one colour."""
        self._tools.button(tool).setChecked(True)
        self._soft.setVisible(tool == BRUSH)
        self._show_brush()

    def take(self, *, learnt: bool) -> None:
        """What is painted is learnt from now on, or left out."""
        self.model.brush = self.model.brush._replace(learnt=learnt)
        self._show_brush()

    def _turn_soft(self) -> None:
        self._soft.toggle()

    def swap(self) -> None:
        """To the other side."""
        self.take(learnt=not self.model.brush.learnt)

    def resize_brush(self, times: float) -> None:
        """Make the brush larger or smaller by a factor; or what counts as one colour."""
        if self._filling:
            self._size.setValue(self._size.value() + (4 if times > 1 else -4))
            return
        width = 2 * self.model.brush.radius_px
        wanted = round(width * times)
        wanted += (wanted == width) * (1 if times > 1 else -1)
        self._set_width(min(MOST_PX, max(LEAST_PX, wanted)))

    @property
    def _filling(self) -> bool:
        return self._tools.checkedId() == FILL

    def _set_width(self, width_px: float) -> None:
        self.model.brush = self.model.brush._replace(radius_px=width_px / 2)
        self._show_brush()

    @Slot(int)
    def _on_size(self, value: int) -> None:
        if self._filling:
            self.model.tolerance = value
            self._show_brush()
        else:
            share = value / SLIDER_STEPS
            self._set_width(round(LEAST_PX * (MOST_PX / LEAST_PX) ** share))

    @Slot(bool)
    def _on_soft(self, soft: bool) -> None:  # noqa: FBT001 - Qt's
        self.model.brush = self.model.brush._replace(soft=soft)

    def _show_brush(self) -> None:
        """Sliders, words and the ring say what is painted with."""
        brush = self.model.brush
        self._sides.button(int(brush.learnt)).setChecked(True)
        width = round(2 * brush.radius_px)
        self._size.blockSignals(True)
        if self._filling:
            self._size.setRange(0, 128)
            self._size.setValue(self.model.tolerance)
            self._size.setAccessibleName("How far a colour may differ, of 255")
            self._size_words.setText(f"Tolerance {self.model.tolerance}")
        else:
            self._size.setRange(0, SLIDER_STEPS)
            share = math.log(width / LEAST_PX) / math.log(MOST_PX / LEAST_PX)
            self._size.setValue(round(SLIDER_STEPS * share))
            self._size.setAccessibleName("Width of the brush, px of the picture")
            self._size_words.setText(f"Size {width} px")
        self._size.blockSignals(False)
        self.canvas.show_brush(0 if self._filling else brush.radius_px)

    def _grow(self, way: int) -> None:
        by = way * self._edge.value()
        words = f"{'grow' if way > 0 else 'shrink'} by {abs(by)} px"
        self.model.edit(words, lambda mask: painting.grown(mask, by))

    def _blur(self) -> None:
        by = self._edge.value()
        self.model.edit(f"blur by {by} px", lambda mask: painting.blurred(mask, by))

    def _clear(self) -> None:
        self.model.edit("learn all", lambda mask: painting.plain(mask.shape[1], mask.shape[0]))

    @Slot(float, float)
    def _on_pressed(self, x: float, y: float) -> None:
        if not self._filling:
            self.model.begin_stroke((x, y))
            return
        mask = self.model.mask
        if mask is not None and 0 <= x < mask.shape[1] and 0 <= y < mask.shape[0]:
            self.model.fill(int(x), int(y))

    @Slot()
    def _on_opened(self) -> None:
        if self.model.canvas is not None:
            self.canvas.show_canvas(self.model.canvas)
            self._show_share()
            self._be_possible()

    @Slot(object)
    def _on_changed(self, box: painting.Box) -> None:
        self.canvas.show_changed(box)
        self._counting.start()

    @Slot()
    def _on_busy_changed(self) -> None:
        self._be_possible()
        if self.model.busy:
            self._said.setText(f"{self.model.busy}...")
            return
        self._show_share()
        if self._leaving:
            self.settle()

    @Slot(str)
    def _on_failed(self, words: str) -> None:
        if self.model.canvas is None:
            self.canvas.show_words(words)
        self._studio.news.failure(words)

    def _show_share(self) -> None:
        mask = self.model.mask
        if mask is None or self.model.busy:
            return
        some = mask[::4, ::4] if mask.size > MANY_PX else mask
        share = painting.share(some)
        words = f"{share:.0%} is learnt"
        if words.startswith("100%") and not painting.learns_all(mask):
            words = "Over 99% is learnt"
        elif not mask.any():
            words = "Nothing of it is learnt: a run leaves such a picture out"
        self._said.setText(words)
        self._show_where()

    @Slot()
    def _show_where(self) -> None:
        mask, (x, y) = self.model.mask, self.canvas.at
        if mask is None:
            return
        height, width = mask.shape
        if 0 <= x < width and 0 <= y < height:
            told = mask[int(y), int(x)] / painting.WHITE
            kind = {0.0: "left out", 1.0: "learnt"}.get(told, f"{told:.0%} learnt")
            words = f"{int(x)}, {int(y)} of {width} x {height} px: {kind}."
            self._where.setText(f"{words}  {OWN_WORDS}")
            if QAccessible.isActive():
                self.canvas.setAccessibleDescription(words)

    def leave(self) -> None:
        """Write what was painted, and go back to the pictures; what goes on is waited for."""
        if self.model.busy and self.model.canvas is not None:
            self._leaving = True
        else:
            self.settle()

    def settle(self) -> None:
        """Do so now."""
        self._leaving = False
        if self.model.path is not None:
            self._write()
            self.model.close()
            self.canvas.show_words("")
            self._be_possible()
            self.left.emit()

    def _write(self) -> None:
        """In the thread of the page's files, as a step of its own."""
        self.model.end_stroke()
        path, mask, project = self.model.path, self.model.mask, self._dataset.project
        if path is None or mask is None or project is None or not self.model.altered:
            return
        said = f"mask of {path.name}"

        def do(notes: Notes, _work: Work) -> str:
            return mask_files.write(path, mask, project, notes)

        if self._dataset.change("Writing the mask", said, do, path):
            self.written.emit(f"Changed the {said}.")

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        """Another page is turned to."""
        if not event.spontaneous():
            self.leave()
        super().hideEvent(event)
