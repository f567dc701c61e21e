"""The lines of a history's files: JSON objects, and how a change is written down as one."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

from core.data.marks import Mark, Marks
from core.data.steps import Aim, Change, Marked, Move, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

Line = dict[str, object]
Told = tuple[dict[str, list[int]], dict[str, int]]  # of pictures, of folders


class DamagedError(Exception):
    """A history that cannot be read, or is of another version."""


def as_bytes(line: Mapping[str, object]) -> bytes:
    """A whole line."""
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def lines_of(content: bytes) -> list[Line]:
    """The whole lines; what a kill left of a last one is none.

    Raises:
        DamagedError: One of them is no line of ours.
    """
    try:
        lines = [json.loads(line) for line in content.split(b"\n")[:-1]]
    except (ValueError, RecursionError) as error:
        raise DamagedError(str(error)) from error
    if not all(isinstance(line, dict) for line in lines):
        raise DamagedError("no lines of ours")
    return lines


def name_of(path: Path, root: Path) -> str:
    """As it stays right when the project is moved."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def line_of(change: Change, root: Path) -> Line:
    """A change as it is written down."""
    match change:
        case Text():
            picture = None if change.picture is None else name_of(change.picture, root)
            old, new = _spelt(change.old), _spelt(change.new)
            return {"text": name_of(change.file, root), "picture": picture, "old": old, "new": new}
        case Move():
            source = None if change.source is None else name_of(change.source, root)
            return {"move": [source, name_of(change.target, root), change.stamp]}
        case Marked():
            before = change.before
            return {
                "marked": [_told(change.old, root), _told(change.new, root)],
                "before": before if isinstance(before, bool) else _spelt(before),
            }
        case Aim():
            before = change.before
            return {
                "aim": name_of(change.picture, root),
                "old": change.old,
                "new": change.new,
                "before": before if isinstance(before, bool) else _spelt(before),
            }


def change_of(line: Line, root: Path, before: Change | None) -> Change:
    """A change as its line has it; `before` is what the same one was until then."""
    if "text" in line:
        picture = None if line["picture"] is None else root / cast("str", line["picture"])
        passed: tuple[bytes | None, ...] = ()
        if isinstance(before, Text):
            passed = tuple({*before.passed, before.old, before.new})
        file = root / cast("str", line["text"])
        return Text(file, _bytes(line["old"]), _bytes(line["new"]), picture, passed)
    if "move" in line:
        source, target, stamp = cast("tuple[str | None, str, list[int] | None]", line["move"])
        size = None if stamp is None else (int(stamp[0]), int(stamp[1]))
        return Move(None if source is None else root / source, root / target, size)
    content = line["before"]
    held = content if isinstance(content, bool) else _bytes(content)
    if "marked" in line:
        old, new = cast("list[Told]", line["marked"])
        return Marked(_marks(old, root), _marks(new, root), held)
    aims: tuple[tuple[float, float] | None, ...] = ()
    if isinstance(before, Aim):
        aims = tuple({*before.passed, before.old, before.new})
    return Aim(
        root / cast("str", line["aim"]),
        _pair(line["old"]),
        _pair(line["new"]),
        held,
        aims,
    )


def _told(marks: Marks, root: Path) -> Told:
    return (
        {name_of(path, root): list(mark) for path, mark in marks.pictures.items()},
        {name_of(path, root): times for path, times in marks.folders.items()},
    )


def _marks(told: Told, root: Path) -> Marks:
    pictures, folders = told
    marks = {}
    for name, (rating, unused, held_out) in pictures.items():
        marks[root / name] = Mark(int(rating), bool(unused), bool(held_out))
    return Marks(marks, {root / name: int(times) for name, times in folders.items()})


def _pair(value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    x, y = cast("list[float]", value)
    return (float(x), float(y))


def _spelt(content: bytes | None) -> str | list[str] | None:
    """Any bytes as a text, that of most captions as a person reads it.

    What is no text is in base 64, as a list of one: so it takes a third of the room.
    """
    if content is not None and b"\0" in content:
        return [base64.b64encode(content).decode()]
    return None if content is None else content.decode("latin-1")


def _bytes(value: object) -> bytes | None:
    if isinstance(value, list):
        return base64.b64decode(cast("list[str]", value)[0], validate=True)
    return None if value is None else cast("str", value).encode("latin-1")
