"""Takes a step's changes back, or carries them out again.

A change is carried out only where the file is as the change knows it; where another program has
been at it since, it stays, and what would have been put there is laid into the project's bin.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.data import captions, exchange, moving, said
from core.data.steps import Aim, Change, Marked, Move, Outcome, Text
from core.errors import StorageError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.project.layout import Project


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
    outcome.blocked = moving.blocked(changes, project.bin, back=back)
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
                    moving.carry(at, change, project, again, outcome, back=back)
                case Aim():
                    said.aim(change, project, outcome, back=back)
                case Marked():
                    said.mark(change, project, outcome, back=back)
        except UserError as error:
            outcome.failed.append(str(error))
        except OSError as error:
            outcome.failed.append(str(StorageError.writing(_file_of(change, project), error)))
    return outcome


def _file_of(change: Change, project: Project) -> Path:
    match change:
        case Text():
            return change.file
        case Move():
            return change.source or change.target
        case Aim():
            return project.focus_file
        case Marked():
            return project.marks_file


def _put(change: Text, bin_folder: Path, outcome: Outcome, *, back: bool) -> None:
    wanted, known = (change.old, change.new) if back else (change.new, change.old)
    there = exchange.content_of(change.file)
    if there != wanted:
        if there not in (known, *change.passed):
            where = None if wanted is None else exchange.lay(wanted, bin_folder, change.file.name)
            outcome.kept.append((change.file, where))
            return
        outcome.written.append(change.file)
        if (other := exchange.swap(change.file, wanted, there, bin_folder)) is not None:
            outcome.kept.append((change.file, other))
    if change.picture is not None:
        outcome.texts[change.picture] = captions.decode(wanted or b"").text
