"""Moves pictures and their captions to a project's bin and back; nothing is ever deleted."""

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
from core.data import captions, scan
from core.data.cropping import Shares, cut
from core.errors import StorageError

Moves = list[tuple[Path, Path]]  # from where, to where
Cuts = list[tuple[Path, Path, Path]]  # a picture, where it is kept, what stands in its place


def to_bin(paths: Sequence[Path], folder: Path, moves: Moves, work: Work) -> str:
    """Move `paths` into `folder`, noting every move; returns what went wrong, in words."""
    moves.clear()
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
                _remove(path, free_name(folder, path.name, taken), moves, staying)
    except OSError as error:
        return str(StorageError.writing(folder, error))
    return ""


def _remove(path: Path, target: Path, moves: Moves, staying: Counter[Path]) -> None:
    sidecar, kept = captions.caption_file(path), captions.caption_file(target)
    _move(path, target, moves)
    if not sidecar.exists():
        return
    if staying[path.with_suffix("")] > 0:
        shutil.copyfile(sidecar, kept)  # another picture of that name needs it still
    else:
        _move(sidecar, kept, moves)


def _move(source: Path, target: Path, moves: Moves) -> None:
    shutil.move(source, target)
    moves.append((source, target))


def back(moves: Moves, work: Work) -> str:
    """Undo `moves`; returns what could not be brought back and where it is, in words."""
    taken: list[Path] = []
    stems: set[Path] = set()
    try:
        for number, (source, target) in enumerate(moves):
            work.tell(number, len(moves))
            stem = source.with_suffix("")
            if source.exists() or stem in stems:  # a caption stays with its picture
                taken.append(target)
                stems.add(stem)
            else:
                shutil.move(target, source)
    except OSError as error:
        return str(StorageError.writing(moves[0][0].parent, error))
    if not taken:
        return ""
    more = f" and {len(taken) - 1:,} more" if len(taken) > 1 else ""
    return (
        f"There is another file now in the place of {taken[0].name}{more}: "
        f"what was removed stays in {taken[0].parent}."
    )


def cut_all(parts: Mapping[Path, Shares], folder: Path, cuts: Cuts, work: Work) -> str:
    """Put parts of pictures in their place, the whole ones into `folder`; what went wrong."""
    cuts.clear()
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = taken_stems(folder)
        for number, (path, inside) in enumerate(parts.items()):
            work.tell(number, len(parts))
            if path.exists():  # another program may have been first
                _cut(path, inside, free_name(folder, path.name, taken), cuts)
    except OSError as error:
        return str(StorageError.writing(path, error))
    return ""


def _cut(path: Path, inside: Shares, kept: Path, cuts: Cuts) -> None:
    beside = cut(path, inside, path.parent, f".writing-{secrets.token_hex(8)}")
    try:
        target = path.with_suffix(beside.suffix)
        if target != path and target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
        shutil.move(path, kept)
        cuts.append((path, kept, target))
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def uncut(cuts: Cuts, folder: Path, work: Work) -> str:
    """Bring the whole pictures back, the parts into `folder`; what went wrong, in words."""
    taken = taken_stems(folder)
    path = folder
    try:
        for number, (path, kept, target) in enumerate(cuts):
            work.tell(number, len(cuts))
            if target.exists():
                shutil.move(target, free_name(folder, target.name, taken))
            if not path.exists():
                shutil.move(kept, path)
    except OSError as error:
        return str(StorageError.writing(path, error))
    return ""
