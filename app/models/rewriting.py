"""Captions written: one by one as they are typed, or many at once in a thread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.models.background import Work
from core.data import captions
from core.data.history import Notes
from core.data.steps import Text
from core.errors import StorageError

Changes = Mapping[Path, tuple[str, str]]  # of a picture's caption: what is there, what is to be


class Noting:
    """Notes in a step what becomes of one picture's caption file."""

    def __init__(self, notes: Notes, picture: Path, first: Text | None = None) -> None:
        """`first` is what the step has changed of it until now, which this goes on with."""
        self._notes, self._picture, self._first = notes, picture, first
        self._at = 0
        self.noted: Text | None = None

    def __call__(self, file: Path, old: bytes | None, new: bytes) -> None:
        """See `captions.write`."""
        change = Text(file, old, new, self._picture)
        again = self.noted is not None
        if self._first is not None and self._first.file == file and self._first.new == old:
            change, again = Text(file, self._first.old, new, self._picture), True
        if again:
            self._notes.again(self._at, change)
        else:
            self._at = self._notes.note(change)
        self.noted = change


def rewrite(changes: Changes, bin_folder: Path, notes: Notes, work: Work) -> str:
    """Write them; returns what went wrong, in words. What is not there any more is left alone."""
    for number, (path, (old, new)) in enumerate(changes.items()):
        work.tell(number, len(changes))
        try:
            if path.exists() and captions.read(path).text == old:
                note = Noting(notes, path)
                captions.write(path, new, based_on=old, bin_folder=bin_folder, note=note)
        except StorageError as error:
            return str(error)
        except OSError as error:
            return str(StorageError.writing(captions.caption_file(path), error))
    return ""
