"""Many captions written at once, in a thread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.models.background import Work
from core.data import captions
from core.errors import StorageError

Changes = Mapping[Path, tuple[str, str]]  # of a picture's caption: what is there, what is to be


def rewrite(changes: Changes, bin_folder: Path, work: Work) -> str:
    """Write them; returns what went wrong, in words. What is not there any more is left alone."""
    for number, (path, (old, new)) in enumerate(changes.items()):
        work.tell(number, len(changes))
        try:
            if path.exists() and captions.read(path).text == old:
                captions.write(path, new, based_on=old, bin_folder=bin_folder)
        except StorageError as error:
            return str(error)
        except OSError as error:
            return str(StorageError.writing(captions.caption_file(path), error))
    return ""
