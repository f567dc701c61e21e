"""Which steps there are and which of them are done, as a history's lines tell it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.data.step_lines import Line, name_of

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class Entry:
    """A step that can be taken back, or done again."""

    number: int
    said: str  # what was done, in words
    shows: Path | None = None  # the picture to look at
    quick: bool = False  # so little that nobody need wait for it


@dataclass(slots=True)
class Past:
    """What a history's file says."""

    entries: list[Entry] = field(default_factory=list)  # the oldest first
    done: int = 0  # how many of them
    unfinished: list[tuple[int, bool]] = field(default_factory=list)  # number, whether back


def told(entry: Entry, root: Path) -> Line:
    """The line that tells of a step."""
    shows = "" if entry.shows is None else name_of(entry.shows, root)
    return {"did": entry.number, "said": entry.said, "shows": shows, "quick": entry.quick}


def taken_in(past: Past, line: Line, root: Path) -> int:
    """Let `past` be what it is after a line; the number of the step that it tells of.

    Raises:
        KeyError, TypeError, ValueError: It is no line of ours.
    """
    what, number = next(iter(line.items()))
    if not isinstance(number, int):
        raise TypeError(f"{what} {number!r}")
    row = next((row for row, one in enumerate(past.entries) if one.number == number), -1)
    match what:
        case "did":
            shows = str(line["shows"])
            place = root / shows if shows else None
            add(past, Entry(number, str(line["said"]), place, bool(line["quick"])))
        case "drop":
            dropped(past, number)
        case "undo" | "redo":
            past.unfinished.append((number, what == "undo"))
            if row >= 0:
                past.done = row if what == "undo" else row + 1
        case "left":
            past.unfinished.append((number, bool(line["back"])))
        case "ended":
            first = next((one for one in past.unfinished if one[0] == number), None)
            if first is not None:
                past.unfinished.remove(first)
        case _:
            raise ValueError(what)
    return number


def add(past: Past, entry: Entry) -> list[Entry]:
    """A step is the last one; returns those that had been taken back, and are no more."""
    gone = past.entries[past.done :]
    past.entries[past.done :] = [entry]
    past.done = len(past.entries)
    return gone


def dropped(past: Past, number: int) -> bool:
    """Do away with a step; whether there was one of that number."""
    for row, entry in enumerate(past.entries):
        if entry.number == number:
            del past.entries[row]
            past.done -= row < past.done
            return True
    return False
