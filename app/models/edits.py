"""What can be undone in a dataset: captions written, pictures removed."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtGui import QUndoCommand
from typing_extensions import override

from app.models.importer import free_name, taken_stems
from core.data import captions, scan
from core.errors import StorageError

Write = Callable[[Path, str, str], bool]  # a caption in the place of another; False if it failed


class SetCaption(QUndoCommand):
    """A caption written; writing on in the same one is one step back."""

    ID = 1

    def __init__(self, write: Write, path: Path, old: str, new: str) -> None:
        super().__init__(f"Caption of {path.name}")
        self._write, self._path, self._old, self._new = write, path, old, new

    @override
    def id(self) -> int:
        return self.ID

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

    @override
    def undo(self) -> None:
        self._write(self._path, self._old, self._new)


class Remove(QUndoCommand):
    """Pictures and their captions moved to the project's bin."""

    def __init__(
        self,
        paths: Sequence[Path],
        bin_folder: Path,
        on_moved: Callable[[Sequence[Path], str], None],
    ) -> None:
        """`on_moved` is told which pictures are gone now, and what went wrong, in words."""
        super().__init__(f"Remove {len(paths)} pictures")
        self._paths, self._bin, self._on_moved = list(paths), bin_folder, on_moved
        self._moves: list[tuple[Path, Path]] = []

    @override
    def redo(self) -> None:
        self._moves, problem = [], ""
        try:
            self._bin.mkdir(parents=True, exist_ok=True)
            taken = taken_stems(self._bin)
            staying = Counter(  # pictures of a name: they share a caption
                path.with_suffix("")
                for folder in {path.parent for path in self._paths}
                for path in folder.iterdir()
                if path.suffix.lower() in scan.SUFFIXES
            )
            for path in self._paths:
                staying[path.with_suffix("")] -= 1
                self._remove(path, taken, shared=staying[path.with_suffix("")] > 0)
        except OSError as error:
            problem = str(StorageError.writing(self._bin, error))
        self._on_moved([path for path in self._paths if not path.exists()], problem)

    def _remove(self, path: Path, taken: set[str], *, shared: bool) -> None:
        target = free_name(self._bin, path.name, taken)
        sidecar, kept = captions.caption_file(path), captions.caption_file(target)
        self._move(path, target)
        if not sidecar.exists():
            return
        if shared:
            shutil.copyfile(sidecar, kept)  # another picture of that name needs it still
        else:
            self._move(sidecar, kept)

    def _move(self, source: Path, target: Path) -> None:
        shutil.move(source, target)
        self._moves.append((source, target))

    @override
    def undo(self) -> None:
        problem = ""
        try:
            for source, target in reversed(self._moves):
                if not source.exists():
                    shutil.move(target, source)
        except OSError as error:
            problem = str(StorageError.writing(self._bin, error))
        self._on_moved([], problem)
