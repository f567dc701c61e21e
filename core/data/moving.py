"""Files that go from one place to another and back, each known again by its size and time."""

from __future__ import annotations

import errno
import filecmp
import os
import secrets
import shutil
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.data import captions, exchange
from core.data.steps import Change, Move, Stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.data.steps import Outcome
    from core.project.layout import Project

COARSE_NS = 2_000_000_000  # drives count time in steps of up to two seconds


def stamp_of(path: Path, name: Path | None = None) -> Stamp:
    """What a file is known again by that is called `name`, if it is not yet.

    A caption that is undone and redone holds the same, and is of another time.

    Raises:
        OSError: It is not there.
    """
    if (name or path).suffix.lower() in captions.SUFFIXES:
        content = path.read_bytes()
        return (len(content), zlib.crc32(content))
    status = path.stat()
    return (status.st_size, status.st_mtime_ns)


def carry(
    at: int,
    change: Move,
    project: Project,
    again: Callable[[int, Change], None],
    outcome: Outcome,
    *,
    back: bool,
) -> None:
    """Let a file go where a change has it, or with `back` where it came from.

    Raises:
        OSError: It cannot; it is where it was.
    """
    source, target = (change.target, change.source) if back else (change.source, change.target)
    if source is None:  # what was made is where it is
        return
    here, there = _is_there(source), target is not None and _is_there(target)
    if there and target is not None and alike(target, change.stamp):
        if here and not _inside(target, project.bin) and filecmp.cmp(source, target, shallow=False):
            source.unlink()  # a copy to another disk, of which only the last step was missing
            return
        if not here:
            return
    if not _is_there(source):
        if not there:
            outcome.gone.append(source)
        else:
            outcome.kept.append((target or source, None))
        return
    if not alike(source, change.stamp):
        outcome.kept.append((source, None))
        return
    if target is None or (there and _inside(target, project.bin)):
        target = exchange.free(project.bin, source.name)
        again(at, replace(change, **({"source": target} if back else {"target": target})))
    elif there or target.with_suffix("") in outcome.blocked:
        outcome.taken.append((target, source))  # a caption stays with its picture
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    move(source, target)
    outcome.moved = True


def blocked(changes: Sequence[Change], bin_folder: Path, *, back: bool) -> set[Path]:
    """The places to which something is to go, and where files are now that no change takes away."""
    moves = [change for change in changes if isinstance(change, Move)]
    ways = [(one.target, one.source) if back else (one.source, one.target) for one in moves]
    leaving = {source for source, _ in ways}
    return {
        target.with_suffix("")
        for source, target in ways
        if source is not None and target is not None and target not in leaving
        if not _inside(target, bin_folder) and source.exists() and target.exists()
    }


def _inside(path: Path, folder: Path) -> bool:
    return path.parent == folder


def _is_there(path: Path) -> bool:
    """Whether there is a file, or a link.

    Raises:
        OSError: Nobody knows: its folder cannot be reached.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def alike(path: Path, stamp: Stamp | None) -> bool:
    """Whether a file is the one that had `stamp`; of another disk, whose clock may be coarse."""
    if stamp is None:
        return True
    try:
        size, changed = stamp_of(path)
    except OSError:
        return False
    off = 0 if path.suffix.lower() in captions.SUFFIXES else COARSE_NS
    return size == stamp[0] and abs(changed - stamp[1]) <= off


def move(source: Path, target: Path) -> None:
    """Rename; to another disk by way of a whole copy, so that no half of it is ever there.

    Raises:
        OSError: `source` is where it was.
    """
    if target.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    beside = target.with_name(f".writing-{secrets.token_hex(8)}.part")
    try:
        shutil.copy2(source, beside)
        beside.rename(target)
    finally:
        beside.unlink(missing_ok=True)
    source.unlink()
