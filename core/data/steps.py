"""What a step of editing changed in files: what there was before and what there is since.

A change is carried out only where the file is as the change knows it; where another program has
been at it since, it stays, and what would have been put there is laid into the project's bin.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import os
import secrets
import shutil
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.data import captions, exchange, focus
from core.errors import StorageError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.data.focus import Point
    from core.project.layout import Project

Content = bytes | None  # of a file; None where there is none
Stamp = tuple[int, int]  # bytes, and when they were changed, in ns; of a caption their checksum
COARSE_NS = 2_000_000_000  # drives count time in steps of up to two seconds


@dataclass(frozen=True, slots=True)
class Text:
    """A small file that holds something else now."""

    file: Path
    old: Content
    new: Content
    picture: Path | None = None  # whose caption it is
    passed: tuple[Content, ...] = ()  # what it held on the way from the one to the other


@dataclass(frozen=True, slots=True)
class Move:
    """A file that has gone elsewhere, or, where `source` is None, that was made."""

    source: Path | None
    target: Path
    stamp: Stamp | None = None  # of the file, where that is known


@dataclass(frozen=True, slots=True)
class Aim:
    """Another part of a picture that crops keep."""

    picture: Path
    old: Point | None
    new: Point | None
    before: Content | bool = True  # the whole file, unless it was as we write it
    passed: tuple[Point | None, ...] = ()  # what was aimed at on the way


Change = Text | Move | Aim


@dataclass(slots=True)
class Outcome:
    """How it went to carry out a step's changes."""

    texts: dict[Path, str] = field(default_factory=dict)  # captions that were written
    aimed: list[Path] = field(default_factory=list)  # pictures that are cropped otherwise
    written: list[Path] = field(default_factory=list)  # files
    moved: bool = False
    kept: list[tuple[Path, Path | None]] = field(default_factory=list)  # what stays as it is;
    # and where that lies which would have taken its place, or was there when ours did
    taken: list[tuple[Path, Path]] = field(default_factory=list)  # a place, what was to go there
    gone: list[Path] = field(default_factory=list)  # what is not there any more
    failed: list[str] = field(default_factory=list)
    blocked: set[Path] = field(default_factory=set)  # names, without suffix, that are taken

    @property
    def problem(self) -> str:
        """What went wrong, in words; "" where nothing did."""
        said = list(self.failed[:1])
        if self.kept:
            path, where = self.kept[0]
            more = _more(self.kept)
            words = f"{path.name}{more} has been changed by another program since, and stays."
            said.append(
                words + (f" What was to take its place is in {where.parent}." if where else "")
            )
        if self.taken:
            place, stays = self.taken[0]
            said.append(
                f"There is another file now in the place of {place.name}{_more(self.taken)}: "
                f"what was to go there stays in {stays.parent}."
            )
        if self.gone:
            first, more = self.gone[0], _more(self.gone)
            said.append(f"{first}{more} is not there any more: it was not brought back.")
        return " ".join(said)


def _more(paths: Sequence[object]) -> str:
    return f" (and {len(paths) - 1:,} more)" if len(paths) > 1 else ""


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


def content_of(file: Path) -> Content:
    """What a file holds.

    Raises:
        OSError: It cannot be read, or its folder is not there.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        file.parent.stat()
        return None


def travel(
    changes: Sequence[Change],
    project: Project,
    again: Callable[[int, Change], None],
    tell: Callable[[int, int], None] | None = None,
    *,
    back: bool,
) -> Outcome:
    """Carry out changes, or with `back` take them back, the last one first.

    What is done already is passed over, so that one that was cut short is made whole by another.

    Args:
        changes: In the order in which they were made.
        project: Whose bin takes what finds no place.
        again: Is told, before a file moves, that a change is another one from now on.
        tell: How many are done, of how many.
        back: Whether to take them back.
    """
    outcome = Outcome()
    outcome.blocked = _blocked(changes, project.bin, back=back)
    order = range(len(changes) - 1, -1, -1) if back else range(len(changes))
    for number, at in enumerate(order):
        if tell is not None:
            tell(number, len(changes))
        change = changes[at]
        try:
            match change:
                case Text():
                    _put(change, project.bin, outcome, back=back)
                case Move():
                    _move(at, change, project, again, outcome, back=back)
                case Aim():
                    _aim(change, project, outcome, back=back)
        except UserError as error:
            outcome.failed.append(str(error))
        except OSError as error:
            outcome.failed.append(str(StorageError.writing(_file_of(change), error)))
    return outcome


def _file_of(change: Change) -> Path:
    match change:
        case Text():
            return change.file
        case Move():
            return change.source or change.target
        case Aim():
            return change.picture


def _put(change: Text, bin_folder: Path, outcome: Outcome, *, back: bool) -> None:
    wanted, known = (change.old, change.new) if back else (change.new, change.old)
    there = content_of(change.file)
    if there != wanted:
        if there not in (known, *change.passed):
            where = None if wanted is None else _laid(wanted, bin_folder, change.file.name)
            outcome.kept.append((change.file, where))
            return
        outcome.written.append(change.file)
        if (other := _swap(change.file, wanted, there, bin_folder)) is not None:
            outcome.kept.append((change.file, other))
    if change.picture is not None:
        outcome.texts[change.picture] = captions.decode(wanted or b"").text


def _laid(content: bytes, folder: Path, name: str) -> Path:
    """Write what finds no place into the bin."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".writing-{secrets.token_hex(8)}.part"
    beside.write_bytes(content)
    return exchange.keep(beside, folder, name)


def _swap(file: Path, wanted: Content, known: Content, bin_folder: Path) -> Path | None:
    """Put `wanted` in the place of `known`; where that lies which was there instead, if so."""
    if wanted is None:
        there = file.with_name(f".writing-{secrets.token_hex(8)}.part")
        file.rename(there)
    else:
        there = exchange.put(file, wanted)
    if there is None:
        return None
    if there.read_bytes() != known:  # written in this very moment
        return exchange.keep(there, bin_folder, file.name)
    there.unlink()
    return None


def _move(
    at: int,
    change: Move,
    project: Project,
    again: Callable[[int, Change], None],
    outcome: Outcome,
    *,
    back: bool,
) -> None:
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
        target = _free(project.bin, source.name)
        again(at, replace(change, **({"source": target} if back else {"target": target})))
    elif there or target.with_suffix("") in outcome.blocked:
        outcome.taken.append((target, source))  # a caption stays with its picture
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    move(source, target)
    outcome.moved = True


def _blocked(changes: Sequence[Change], bin_folder: Path, *, back: bool) -> set[Path]:
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


def _free(folder: Path, name: str) -> Path:
    """A name that no file of `folder` has, whatever its suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    stems = {path.stem.lower() for path in folder.iterdir()}
    stem, suffix = Path(name).stem, Path(name).suffix
    free, number = stem, 1
    while free.lower() in stems:
        number += 1
        free = f"{stem}-{number}"
    return folder / f"{free}{suffix}"


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


def _aim(change: Aim, project: Project, outcome: Outcome, *, back: bool) -> None:
    wanted, known = (change.old, change.new) if back else (change.new, change.old)
    file, root = project.focus_file, project.root
    points = focus.read(file, root)
    now = points.get(change.picture)
    if now not in (wanted, known, *change.passed):
        outcome.kept.append((file, None))
        return
    if wanted is None:
        points.pop(change.picture, None)
    else:
        points[change.picture] = wanted
    outcome.aimed.append(change.picture)
    before = change.before
    if back and not isinstance(before, bool) and points == _points_in(before, file, root):
        there = content_of(file)
        if there != before:
            _swap(file, before, there, project.bin)
    elif now != wanted:
        focus.write(file, points, root)


def _points_in(content: Content, file: Path, root: Path) -> dict[Path, Point] | None:
    if content is None:
        return {}
    with contextlib.suppress(UserError):
        return focus.decode(content, file, root)
    return None


def aimed_before(project: Project) -> Content | bool:
    """The file of all aims for an `Aim`: True where it is as we write it.

    Raises:
        DatasetError: It cannot be read.
    """
    content = content_of(project.focus_file)
    points = focus.read(project.focus_file, project.root)
    return True if content == focus.encode(points, project.root) else content
