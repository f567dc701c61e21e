"""What is said of pictures in a project's own files, put otherwise and back again."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from core.data import exchange, focus, marks
from core.data.marks import Marks
from core.data.steps import Aim, Before, Marked
from core.errors import StorageError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.data.steps import Outcome
    from core.project.layout import Project

Said = TypeVar("Said")


def aim(change: Aim, project: Project, outcome: Outcome, *, back: bool) -> None:
    """Let crops keep what a change has, or with `back` what they kept before.

    Raises:
        DatasetError, StorageError, OSError: The file cannot be read or written.
    """
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
    there = _said(change.before, lambda content: focus.decode(content, file, root), {})
    if back and points == there:
        _as_it_was(file, change.before, project.bin)
    elif now != wanted:
        focus.write(file, points, root)


def mark(change: Marked, project: Project, outcome: Outcome, *, back: bool) -> None:
    """Let pictures and folders be marked as a change has it, or with `back` as they were before.

    Raises:
        DatasetError, StorageError, OSError: The file cannot be read or written.
    """
    wanted, known = (change.old, change.new) if back else (change.new, change.old)
    file, root = project.marks_file, project.root
    now = marks.read(file, root)
    pictures = {p: m for p, m in wanted.pictures.items() if now.of(p) in (m, known.of(p))}
    times = now.folders
    folders = {
        folder: number
        for folder, number in wanted.folders.items()
        if times.get(folder, 0) in (number, known.folders[folder])
    }
    if (len(pictures), len(folders)) != (len(wanted.pictures), len(wanted.folders)):
        outcome.kept.append((file, None))
    then = now.changed(pictures, folders)
    outcome.marked = True
    there = _said(change.before, lambda content: marks.decode(content, file, root), Marks())
    if back and then == there:
        _as_it_was(file, change.before, project.bin)
    elif then != now:
        marks.write(file, then, root)


def _said(before: Before, decode: Callable[[bytes], Said], nothing: Said) -> Said | None:
    """What a file said of all, before; None where nobody knows, or it was as we write it."""
    if before is None:
        return nothing
    if isinstance(before, bytes):
        with contextlib.suppress(UserError):
            return decode(before)
    return None


def _as_it_was(file: Path, before: Before, bin_folder: Path) -> None:
    """It says the same as then: let it have the same bytes."""
    there = exchange.content_of(file)
    if not isinstance(before, bool) and there != before:
        exchange.swap(file, before, there, bin_folder)


def aimed_before(project: Project) -> Before:
    """The file of all aims for an `Aim`: True where it is as we write it.

    Raises:
        DatasetError, OSError: It cannot be read.
    """
    content = exchange.content_of(project.focus_file)
    points = focus.read(project.focus_file, project.root)
    return True if content == focus.encode(points, project.root) else content


def marked(project: Project, new: Marks) -> Marked:
    """The change that says something else of some pictures and folders.

    Raises:
        DatasetError, StorageError: The file of all marks cannot be read.
    """
    file, root = project.marks_file, project.root
    now = marks.read(file, root)
    try:
        content = exchange.content_of(file)
    except OSError as error:
        raise StorageError.writing(file, error) from error
    old = Marks(
        {path: now.of(path) for path in new.pictures},
        {folder: now.folders.get(folder, 0) for folder in new.folders},
    )
    return Marked(old, new, True if content == marks.encode(now, root) else content)
