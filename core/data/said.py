"""What is said of pictures in a project's own files, put otherwise and back again."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from core.data import exchange, focus
from core.data.steps import Aim, Content, Outcome
from core.errors import UserError

if TYPE_CHECKING:
    from core.data.focus import Point
    from core.project.layout import Project


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
    before = change.before
    if back and not isinstance(before, bool) and points == _points_in(before, file, root):
        there = exchange.content_of(file)
        if there != before:
            exchange.swap(file, before, there, project.bin)
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
    content = exchange.content_of(project.focus_file)
    points = focus.read(project.focus_file, project.root)
    return True if content == focus.encode(points, project.root) else content
