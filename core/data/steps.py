"""What a step of editing changed in files: what there was before and what there is since."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.data.focus import Point
    from core.data.marks import Marks

Content = bytes | None  # of a file; None where there is none
Before = Content | bool  # of a file as a whole; True where it was as we write it
Stamp = tuple[int, int]  # bytes, and when they were changed, in ns; of a caption their checksum


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
    before: Before = True
    passed: tuple[Point | None, ...] = ()  # what was aimed at on the way


@dataclass(frozen=True, slots=True)
class Marked:
    """Other things said of some pictures and folders; nothing of them is said, too."""

    old: Marks
    new: Marks
    before: Before = True


Change = Text | Move | Aim | Marked


@dataclass(slots=True)
class Outcome:
    """How it went to carry out a step's changes."""

    texts: dict[Path, str] = field(default_factory=dict)  # captions that were written
    aimed: list[Path] = field(default_factory=list)  # pictures that are cropped otherwise
    marked: bool = False  # other things are said of pictures or folders
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
