"""Moves pictures, their captions and masks to a project's bin; nothing is ever deleted.

What is moved is noted before it is, so that it can be brought back.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.models.background import Work
from app.models.importer import free_name, taken_stems
from core.data import captions, masks, moving, scan
from core.data.cropping import Shares, cut
from core.data.history import Notes
from core.data.moving import stamp_of
from core.data.steps import Move
from core.errors import StorageError


def to_bin(paths: Sequence[Path], folder: Path, notes: Notes, work: Work) -> str:
    """Move `paths` into `folder`; returns what went wrong, in words."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = taken_stems(folder)
        staying = Counter(  # pictures of a name: they share a caption
            path.with_suffix("")
            for home in {path.parent for path in paths}
            for path in home.iterdir()
            if path.suffix.lower() in scan.SUFFIXES
        )
        for number, path in enumerate(paths):
            work.tell(number, len(paths))
            staying[path.with_suffix("")] -= 1
            if path.exists():  # another program may have been first
                _remove(path, free_name(folder, path.name, taken), notes, staying)
                if (mask := masks.mask_file(path)) and not staying[path.with_suffix("")]:
                    _move(mask, free_name(folder, mask.name, taken), notes)
    except StorageError as error:
        return str(error)
    except OSError as error:
        return str(StorageError.writing(folder, error))
    return ""


def _remove(path: Path, target: Path, notes: Notes, staying: Counter[Path]) -> None:
    sidecar, kept = captions.caption_file(path), captions.caption_file(target)
    _move(path, target, notes)
    if not sidecar.exists():
        return
    if staying[path.with_suffix("")] > 0:
        shutil.copyfile(sidecar, kept)  # another picture of that name needs it still
    else:
        _move(sidecar, kept, notes)


def _move(source: Path, target: Path, notes: Notes) -> None:
    notes.note(Move(source, target, stamp_of(source)))
    moving.move(source, target)


def cut_all(parts: Mapping[Path, Shares], folder: Path, notes: Notes, work: Work) -> str:
    """Put parts of pictures in their place, the whole ones into `folder`; what went wrong."""
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = taken_stems(folder)
        for number, (path, inside) in enumerate(parts.items()):
            work.tell(number, len(parts))
            if path.exists():  # another program may have been first
                mask = masks.mask_file(path)
                _cut(path, inside, free_name(folder, path.name, taken), notes)
                if mask is not None:
                    _cut(mask, inside, free_name(folder, mask.name, taken), notes)
    except StorageError as error:
        return str(error)
    except OSError as error:
        return str(StorageError.writing(path, error))
    return ""


def _cut(path: Path, inside: Shares, kept: Path, notes: Notes) -> None:
    beside = cut(path, inside, path.parent, f".writing-{secrets.token_hex(8)}")
    try:
        target = path.with_suffix(beside.suffix)
        if target != path and target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
        _move(path, kept, notes)
        notes.note(Move(None, target, stamp_of(beside, target)))
        beside.rename(target)
    finally:
        beside.unlink(missing_ok=True)
