"""A mask that is being painted: the picture, what is done to it, and steps back of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack
from typing_extensions import override

from app.models.background import Background
from core.data import canvas, painting
from core.data.canvas import Canvas
from core.data.painting import Box, Brush, Mask, Spot
from core.errors import UserError

LEAST_PX, MOST_PX = 1, 512  # a brush's width
MOST_BYTES = 256 * 2**20  # of steps that can be taken back; the last one always can

Edit = Callable[[Mask], Mask | None]  # in a thread; None changes nothing


@dataclass(frozen=True, slots=True)
class _Edited:
    """What came of an edit of all of a mask."""

    said: str
    mask: Mask | None  # None where there was nothing to do it with
    before: Mask | None  # None where it is the same


class Masking(QObject):
    """Opened for one picture after the other; strokes are drawn at once, all else in a thread."""

    opened = Signal()  # `canvas` is there
    changed = Signal(object)  # the Box of the mask that is another
    busy_changed = Signal()  # see `busy`
    failed = Signal(str)  # in words; of a picture that could not be opened, too

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path: Path | None = None
        self.canvas: Canvas | None = None
        self.busy = ""  # what goes on in the thread, in words
        self.brush = Brush(radius_px=20)
        self.tolerance = 32
        self.stack = QUndoStack(self)
        self._before: Mask | None = None  # a stroke, while it is drawn
        self._drawn = Box(0, 0, 0, 0)
        self._at: Spot = (0, 0)
        self._turn = 0  # of pictures that were opened
        self._files = Background(self)

    def open(self, path: Path) -> None:
        """Read a picture and its mask; `opened` or `failed` tells how it went."""
        self.close()
        self.path = path
        self._begin("Opening the picture", lambda: canvas.opened(path), self._on_opened)

    def close(self) -> None:
        """Nothing is painted on any more."""
        self.path = self.canvas = self._before = None
        self._turn += 1
        self.stack.clear()
        self._become("")

    def finish(self) -> None:
        """Wait for the thread; before the program ends."""
        self._files.finish()

    @property
    def mask(self) -> Mask | None:
        """As it is now."""
        return None if self.canvas is None else self.canvas.mask

    @property
    def altered(self) -> bool:
        """Whether there is something to write."""
        return self.canvas is not None and not self.stack.isClean()

    @property
    def drawing(self) -> bool:
        """Whether a stroke has begun and not ended."""
        return self._before is not None

    def begin_stroke(self, at: Spot) -> None:
        """A brush is put down; nothing comes of it while something else goes on."""
        if self.canvas is not None and not self.busy and not self.drawing:
            self._before = self.canvas.mask.copy()
            self._drawn, self._at = Box(0, 0, 0, 0), at
            self.stroke_to(at)

    def stroke_to(self, at: Spot) -> None:
        """It is moved there."""
        if self.canvas is None or self._before is None:
            return
        box = painting.stroke(self.canvas.mask, self.brush, self._at, at)
        self._drawn, self._at = self._drawn.with_(box), at
        if not box.empty:
            self.changed.emit(box)

    def end_stroke(self) -> None:
        """It is lifted: one step back."""
        before, self._before = self._before, None
        if before is not None and not self._drawn.empty:
            self._push("stroke", self._drawn, self._drawn.of(before).copy())

    def fill(self, x: int, y: int) -> None:
        """Learn, or leave out, what is of one colour and hangs together with a pixel."""
        if self.canvas is None:
            return
        pixels, learnt, tolerance = self.canvas.pixels, self.brush.learnt, self.tolerance
        self.edit(
            "fill",
            lambda mask: painting.filled(
                mask, painting.flooded(pixels, x, y, tolerance), learnt=learnt
            ),
        )

    def from_transparency(self) -> None:
        """What is transparent is left out."""
        if (path := self.path) is not None:
            self.edit("from transparency", lambda _: canvas.transparency(path))

    def edit(self, said: str, do: Edit) -> None:
        """Change all of the mask, in the thread: one step back."""
        now = self.canvas
        if now is None or self.busy or self.drawing:
            return
        mask = now.mask

        def edited() -> _Edited:
            result = do(mask)
            other = result is not None and bool((result != mask).any())
            return _Edited(said, result, mask.copy() if other else None)

        self._begin(f"Working on the mask: {said}", edited, self._on_edited)

    def _begin(self, words: str, do: Callable[[], object], then: Callable[[object], None]) -> None:
        """Do something in the thread; what is too late for its picture is not heard."""
        turn = self._turn

        def safely() -> object:
            try:
                return do()
            except UserError as error:
                return error

        def ended(result: object, bug: str) -> None:
            if turn != self._turn:
                return
            if bug or isinstance(result, UserError):
                self.failed.emit(bug or str(result))
            else:
                then(result)
            self._become("")

        self._become(words)
        self._files.start(words, lambda _work: safely(), ended)

    def _on_opened(self, result: object) -> None:
        if isinstance(result, Canvas):
            self.canvas = result
            self.opened.emit()

    def _on_edited(self, edited: object) -> None:
        if self.canvas is None or self.path is None or not isinstance(edited, _Edited):
            return
        if edited.mask is None:
            self.failed.emit(f"{self.path.name} has no transparency.")
        elif edited.before is not None:
            self.canvas.mask[...] = edited.mask
            box = painting.whole(edited.mask)
            self.changed.emit(box)
            self._push(edited.said, box, edited.before)

    def _push(self, said: str, box: Box, before: Mask) -> None:
        if self.canvas is None:
            return
        self.stack.push(_Patch(said, self.canvas.mask, (box, before), self.changed.emit))
        left = MOST_BYTES
        for at in range(self.stack.count() - 1, -1, -1):
            patch = self.stack.command(at)
            if isinstance(patch, _Patch) and patch.other is not None:
                left -= patch.other.nbytes
                if left < 0 and at < self.stack.count() - 1:
                    patch.forget()

    def _become(self, busy: str) -> None:
        if busy != self.busy:
            self.busy = busy
            self.stack.setActive(not busy)  # what is undone meanwhile would come back
            self.busy_changed.emit()


class _Patch(QUndoCommand):
    """A part of a mask as it was; undo and redo exchange it for what is there."""

    def __init__(
        self, said: str, mask: Mask, was: tuple[Box, Mask], tell: Callable[[Box], None]
    ) -> None:
        super().__init__(said)
        self._mask, self._tell = mask, tell
        self._box, self.other = was[0], was[1] if was[1].size else None
        self._done = True  # when it comes into the stack it has been done

    def forget(self) -> None:
        """It is too long ago."""
        self.other = None
        self.setObsolete(True)

    @override
    def redo(self) -> None:
        if not self._done:
            self._exchange()
        self._done = True

    @override
    def undo(self) -> None:
        self._exchange()
        self._done = False

    def _exchange(self) -> None:
        if self.other is not None:
            part = self._box.of(self._mask)
            now = part.copy()
            part[...] = self.other
            self.other = now
            self._tell(self._box)
