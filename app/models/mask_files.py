"""Masks written beside their pictures: one that was painted, or those of many pictures at once.

One is put in the place of the other at once, and its step holds both. Of many the step would be as
large as they are: there the old ones go to the bin.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from app.models.background import Work
from app.models.importer import free_name, taken_stems
from core.data import canvas, exchange, masks, moving, painting, travel
from core.data.history import Notes
from core.data.moving import stamp_of
from core.data.painting import Mask
from core.data.steps import Move, Text
from core.errors import StorageError, UserError
from core.project.layout import Project

Making = Callable[[Path, "_Keeping", Notes], bool]  # of a picture; False where it has nothing to do


def write(picture: Path, mask: Mask, project: Project, notes: Notes) -> str:
    """Write what was painted; one that is white all over goes. What went wrong, in words."""
    file = masks.place(picture)
    try:
        if not picture.exists():
            return f"{picture.name} is not there any more, so its mask was not written."
        new = None if painting.learns_all(mask) else canvas.content(mask)
        change = Text(file, exchange.content_of(file), new)
        if change.old != change.new:
            notes.note(change)
            return travel.travel([change], project, lambda *_: None, back=False).problem
    except StorageError as error:
        return str(error)
    except OSError as error:
        return str(StorageError.writing(file, error))
    return ""


def from_transparency(paths: Sequence[Path], folder: Path, notes: Notes, work: Work) -> str:
    """What is transparent is not learnt; what went wrong, in words."""
    said = "{} no transparency, and got no mask."
    return _each(paths, folder, notes, work, (_from_transparency, said))


def invert(paths: Sequence[Path], folder: Path, notes: Notes, work: Work) -> str:
    """What masks say is learnt is not, and the other way round; what went wrong, in words."""
    said = "{} no mask that could be inverted."
    return _each(paths, folder, notes, work, (_invert, said))


def remove(paths: Sequence[Path], folder: Path, notes: Notes, work: Work) -> str:
    """Move masks to the bin; what went wrong, in words."""
    return _each(paths, folder, notes, work, (_remove, "{} no mask."))


class _Keeping:
    """The bin, and which names are taken in it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.taken = folder, taken_stems(folder)

    def put(self, file: Path, notes: Notes) -> None:
        target = free_name(self.folder, file.name, self.taken)
        notes.note(Move(file, target, stamp_of(file)))
        moving.move(file, target)


def _each(
    paths: Sequence[Path], folder: Path, notes: Notes, work: Work, how: tuple[Making, str]
) -> str:
    """One after the other; one that fails does not keep the others."""
    make, said = how
    problem, without = "", []
    pictures = {masks.place(path): path for path in paths}  # of a name: they share a mask
    path = folder
    try:
        keeping = _Keeping(folder)
        for number, path in enumerate(pictures.values()):
            work.tell(number, len(pictures))
            try:
                if path.exists() and not make(path, keeping, notes):
                    without.append(path.name)
            except StorageError as error:  # it could not be undone: no more of them
                return str(error)
            except UserError as error:
                problem = problem or str(error)
    except StorageError as error:
        return str(error)
    except OSError as error:
        return str(StorageError.writing(path, error))
    return " ".join(filter(None, (problem, _told(without, said))))


CHANGES = {"masks_alpha": from_transparency, "masks_invert": invert, "masks_remove": remove}


def _told(names: Sequence[str], said: str) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return said.format(f"{names[0]}{more} {'have' if more else 'has'}")


def _from_transparency(picture: Path, keeping: _Keeping, notes: Notes) -> bool:
    mask = canvas.transparency(picture)
    if mask is not None:
        _replace(picture, mask, keeping, notes)
    return mask is not None


def _invert(picture: Path, keeping: _Keeping, notes: Notes) -> bool:
    mask = canvas.mask_of(picture)
    if mask is not None:
        _replace(picture, painting.inverted(mask), keeping, notes)
    return mask is not None


def _remove(picture: Path, keeping: _Keeping, notes: Notes) -> bool:
    file = masks.mask_file(picture)
    if file is not None:
        keeping.put(file, notes)
    return file is not None


def _replace(picture: Path, mask: Mask, keeping: _Keeping, notes: Notes) -> None:
    file = masks.place(picture)
    beside = file.with_name(f".writing-{secrets.token_hex(8)}.part")
    try:
        beside.write_bytes(canvas.content(mask))
        if file.exists():
            keeping.put(file, notes)
        notes.note(Move(None, file, stamp_of(beside, file)))
        beside.rename(file)
    finally:
        beside.unlink(missing_ok=True)
