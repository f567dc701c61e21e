"""What can be undone in a dataset: captions written, pictures removed, added or cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PySide6.QtGui import QUndoCommand
from typing_extensions import override

from app.figures import count_of
from app.models.moves import Cuts, Moves
from app.models.rewriting import Changes
from core.data.cropping import Shares
from core.data.focus import Point
from core.data.marks import Mark

Write = Callable[[Path, str, str], bool]  # a caption in the place of another; False if it failed
Points = tuple[Point | None, Point | None]
Move = Callable[[Sequence[Path], Moves], None]  # pictures that go or come, and the moves to note


class SetCaption(QUndoCommand):
    """A caption written; writing on in the same one is one step back."""

    ID, APART = 1, -1  # Qt merges none with the latter

    def __init__(
        self,
        write: Write,
        path: Path,
        texts: tuple[str, str],
        touch: Callable[[Path], None],
        *,
        apart: bool = False,
    ) -> None:
        """`texts` are the old and the new; `touch` hears of what an undo or redo did.

        With `apart` it is a step of its own, whatever is written before and after it.
        """
        old, new = texts
        super().__init__(f"Caption of {path.name}")
        self._write, self._path, self._old, self._new = write, path, old, new
        self._touch, self._written, self._apart = touch, False, apart

    @override
    def id(self) -> int:
        return self.APART if self._apart else self.ID

    @override
    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, SetCaption) or other._path != self._path:
            return False
        if other.isObsolete() or other._old != self._new:
            return False  # it failed, or another program wrote in between
        self._new = other._new
        return True

    @override
    def redo(self) -> None:
        self.setObsolete(not self._write(self._path, self._new, self._old))
        if self._written:
            self._touch(self._path)
        self._written = True

    @override
    def undo(self) -> None:
        self._write(self._path, self._old, self._new)
        self._touch(self._path)


class SetCaptions(QUndoCommand):
    """Many captions written at once."""

    def __init__(self, changes: Changes, rewrite: Callable[[Changes], None]) -> None:
        super().__init__(count_of(len(changes), "caption"))
        self._changes, self._rewrite = dict(changes), rewrite

    @override
    def redo(self) -> None:
        self._rewrite(self._changes)

    @override
    def undo(self) -> None:
        self._rewrite({path: (new, old) for path, (old, new) in self._changes.items()})


class Remove(QUndoCommand):
    """Pictures and their captions go to the project's bin."""

    def __init__(self, paths: Sequence[Path], take_out: Move, bring_back: Move) -> None:
        super().__init__(f"Remove {count_of(len(paths), 'picture')}")
        self._paths, self._take_out, self._bring_back = list(paths), take_out, bring_back
        self._moves: Moves = []

    @override
    def redo(self) -> None:
        self._take_out(self._paths, self._moves)

    @override
    def undo(self) -> None:
        self._bring_back(self._paths, self._moves)


class Add(QUndoCommand):
    """Copies that have come into the project; undone, they go to its bin."""

    def __init__(self, paths: Sequence[Path], take_out: Move, bring_back: Move) -> None:
        super().__init__(f"Add {count_of(len(paths), 'picture')}")
        self._paths, self._take_out, self._bring_back = list(paths), take_out, bring_back
        self._moves: Moves = []
        self._there = True  # the first time they have been copied already

    @override
    def redo(self) -> None:
        if not self._there:
            self._bring_back(self._paths, self._moves)
        self._there = True

    @override
    def undo(self) -> None:
        self._take_out(self._paths, self._moves)
        self._there = False


class SetFocus(QUndoCommand):
    """What a crop is to keep of a picture; moving it on is one step back."""

    ID = 2

    def __init__(
        self, put: Callable[[Path, Point | None], None], path: Path, points: Points
    ) -> None:
        """`points` are the one before and the new one; None is the middle."""
        super().__init__(f"Crop of {path.name}")
        self._put, self._path, self._points = put, path, points

    @override
    def id(self) -> int:
        return self.ID

    @override
    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, SetFocus) or other._path != self._path:
            return False
        self._points = (self._points[0], other._points[1])
        return True

    @override
    def redo(self) -> None:
        self._put(self._path, self._points[1])

    @override
    def undo(self) -> None:
        self._put(self._path, self._points[0])


class SetMarks(QUndoCommand):
    """What is said of pictures; of many at once it is one step back."""

    def __init__(
        self,
        words: str,
        put: Callable[[Mapping[Path, Mark]], None],
        marks: tuple[Mapping[Path, Mark], Mapping[Path, Mark]],
    ) -> None:
        """`marks` are those before and the new ones."""
        super().__init__(words)
        self._put, self._marks = put, marks

    @override
    def redo(self) -> None:
        self._put(self._marks[1])

    @override
    def undo(self) -> None:
        self._put(self._marks[0])


class SetRepeats(QUndoCommand):
    """How often the pictures of folders come; 0 is what a folder's name asks for."""

    def __init__(
        self,
        put: Callable[[Mapping[Path, int]], None],
        times: tuple[Mapping[Path, int], Mapping[Path, int]],
    ) -> None:
        """`times` are those before and the new ones."""
        super().__init__(f"Repeats of {count_of(len(times[1]), 'folder')}")
        self._put, self._times = put, times

    @override
    def redo(self) -> None:
        self._put(self._times[1])

    @override
    def undo(self) -> None:
        self._put(self._times[0])


class Cut(QUndoCommand):
    """Parts of pictures in their place; the whole ones wait in the project's bin."""

    def __init__(
        self,
        parts: Mapping[Path, Shares],
        cut: Callable[[Mapping[Path, Shares], Cuts], None],
        uncut: Callable[[Cuts], None],
    ) -> None:
        super().__init__(f"Crop {count_of(len(parts), 'picture')}")
        self._parts, self._cut, self._uncut = dict(parts), cut, uncut
        self._cuts: Cuts = []

    @override
    def redo(self) -> None:
        self._cut(self._parts, self._cuts)

    @override
    def undo(self) -> None:
        self._uncut(self._cuts)
