"""What a person says of pictures and folders beside captions: one file in the project.

Of a picture how good it is, that it is not used, or that it is held out; of a folder how often
its pictures come in an epoch, whatever its name asks for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from core.config.files import write_beside
from core.data import walk
from core.data.findings import Finding
from core.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from core.config.options import DatasetConfig
    from core.data.examine import Picture

STARS = 5  # the most; none is a picture that nobody has rated
MOST_REPEATS = 999  # as in folders' names
TOO_MANY = "More pictures are held out than are learnt from."


class Mark(NamedTuple):
    """What is said of one picture; as it is here, nothing."""

    rating: int = 0
    unused: bool = False  # it stays in its folder, and no run learns from it
    held_out: bool = False  # no run learns from it, and each is judged by it


NOTHING = Mark()


@dataclass(frozen=True, slots=True)
class Marks:
    """All that is said of a project's pictures and folders."""

    pictures: Mapping[Path, Mark] = field(default_factory=dict)
    folders: Mapping[Path, int] = field(default_factory=dict)  # repeats

    def of(self, path: Path) -> Mark:
        """Of one picture."""
        return self.pictures.get(path, NOTHING)

    def repeats(self, folder: Path, config: DatasetConfig) -> int:
        """How often the pictures of a folder come: as is said here, else as its name asks."""
        return self.folders.get(folder) or (walk.repeats_of(folder) if config.folder_repeats else 1)

    def used(self, pictures: Iterable[Picture]) -> tuple[Picture, ...]:
        """Those that runs learn from or are judged by."""
        return tuple(one for one in pictures if not self.of(one.path).unused)

    def changed(
        self, pictures: Mapping[Path, Mark], folders: Mapping[Path, int] | None = None
    ) -> Marks:
        """With other marks of some pictures, and other repeats of some folders; 0 is none said."""
        said = {**self.pictures, **pictures}
        times = {**self.folders, **(folders or {})}
        return Marks(
            {path: mark for path, mark in said.items() if mark != NOTHING},
            {folder: number for folder, number in times.items() if number},
        )


def read(file: Path, root: Path) -> Marks:
    """What is said of a project's pictures; nothing where there is no file.

    Args:
        file: Names are relative to `root` where they lie in it.
        root: The project's folder.

    Raises:
        DatasetError: The file cannot be read, or holds something else.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return Marks()
    except OSError as error:
        raise _unread(file, error) from error
    return decode(content, file, root)


def decode(content: bytes, file: Path, root: Path) -> Marks:
    """The same of what a file holds; `file` is for the message.

    Raises:
        DatasetError: It holds something else.
    """
    try:
        found = json.loads(content)
        pictures, folders = found.get("pictures", {}), found.get("folders", {})
        return Marks(
            {root / name: _mark(value) for name, value in pictures.items()},
            {root / name: _whole(value, 1, MOST_REPEATS) for name, value in folders.items()},
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _unread(file, error) from error


def _unread(file: Path, error: Exception) -> DatasetError:
    return DatasetError(
        f"{file} does not say how pictures are marked ({error}).",
        hint="Put an older copy back, or remove it: then no picture is marked in any way.",
    )


def _mark(value: object) -> Mark:
    if not isinstance(value, dict) or not value.keys() <= set(Mark._fields):
        raise ValueError(f"{value!r} is no mark")
    switches = {name: value.get(name, False) for name in ("unused", "held_out")}
    if not all(isinstance(one, bool) for one in switches.values()):
        raise ValueError(f"{value!r} is neither true nor false")
    return Mark(_whole(value.get("rating", 0), 0, STARS), **switches)


def _whole(value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{value!r} is no whole number from {least} to {most}")
    return value


def write(file: Path, marks: Marks, root: Path) -> None:
    """Write down all marks.

    Raises:
        StorageError: The folder is not writable or the disk is full; the old file stays.
    """
    write_beside(file, encode(marks, root))


def encode(marks: Marks, root: Path) -> bytes:
    """As the file is written."""
    said = {
        "pictures": {
            _name(path, root): {name: value for name, value in mark._asdict().items() if value}
            for path, mark in marks.pictures.items()
        },
        "folders": {_name(folder, root): times for folder, times in marks.folders.items()},
    }
    return json.dumps(said, indent=1, sort_keys=True).encode() + b"\n"


def _name(path: Path, root: Path) -> str:
    """As it stays right when the project is moved."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def findings(pictures: Sequence[Picture], marks: Marks) -> list[Finding]:
    """Pictures that are held out, where they are more than those that are learnt from."""
    if not any(mark.held_out for mark in marks.pictures.values()):
        return []  # 100,000 pictures need no look then
    used = marks.used(pictures)
    held = [one.path for one in used if marks.of(one.path).held_out]
    rest = len(used) - len(held)
    if len(held) <= rest:
        return []
    return [
        Finding(
            path,
            f"{len(held):,} pictures are held out, and {rest:,} are learnt from.",
            "Take the mark from some of them: a few tell whether a run overfits.",
            usable=True,
            summary=TOO_MANY,
        )
        for path in held
    ]
