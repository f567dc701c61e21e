"""What is searched for among pictures: `fox -night size<512 (tag:red OR tag:blue)`.

Words that stand side by side must all be there. A word is looked for in captions and file names,
"several words" as they stand. `tag:red` is a whole tag, what stands between two commas; `name:` and
`folder:` look there alone; `missing:caption` is what it says. `size`, `width`, `height` (px, size
is the smaller one), `aspect` (width / height), `words` and `tags` are compared with numbers by `<`,
`<=`, `=`, `>=`, `>`.
NOT or `-` turns one round, OR is either, brackets keep together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.data import captions
from core.data.tags import tags_of

if TYPE_CHECKING:
    from core.data.examine import Picture

Fits = Callable[["Picture"], bool]
FIELDS = ("tag", "name", "folder", "missing")
NUMBERS: dict[str, Callable[[Picture], float]] = {
    "size": lambda p: min(p.width_px, p.height_px),
    "width": lambda p: p.width_px,
    "height": lambda p: p.height_px,
    "aspect": lambda p: p.width_px / max(1, p.height_px),
    "words": lambda p: len(p.caption.split()),
    "tags": lambda p: len(tags_of(p.caption)),
}
_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
}
_TOKEN = re.compile(r'\s*([()]|-?(?:\w+:)?"(?:\\"|[^"])*"?|[^\s()"]+)')
_NUMBER = re.compile(rf"({'|'.join(NUMBERS)})(<=|>=|<|>|=)(-?\d+(?:\.\d+)?)", re.IGNORECASE)
_DEEPEST = 50  # brackets in brackets


class QueryError(ValueError):
    """What is searched for cannot be understood; the message says why."""


def parse(text: str) -> Fits | None:
    """What fits `text`; None fits all, since nothing is searched for.

    Raises:
        QueryError: A bracket has no partner, a word no end, a field is unknown.
    """
    tokens = [match[1] for match in _TOKEN.finditer(text)]
    if not tokens:
        return None
    reading = _Reading(tokens)
    fits = reading.either()
    if reading.left:
        raise QueryError("A bracket is closed that was not opened.")
    return fits


def of_tags(tags: Sequence[str]) -> str:
    """What searches for the pictures that have any of some tags."""
    return " OR ".join(f"tag:{_quoted(tag)}" for tag in tags)


def _quoted(text: str) -> str:
    plain = not re.search(r'[\s()"]', text)
    return text if plain else '"{}"'.format(text.replace('"', '\\"'))


@dataclass(slots=True)
class _Reading:
    """Reads tokens from the left, one kind of thing a method."""

    left: list[str]
    depth: int = 0

    def either(self) -> Fits:
        parts = [self.all_of()]
        while self.left and self.left[0] == "OR":
            self.left.pop(0)
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else lambda p: any(part(p) for part in parts)

    def all_of(self) -> Fits:
        parts: list[Fits] = []
        while self.left and self.left[0] not in (")", "OR"):
            if self.left[0] == "AND":
                self.left.pop(0)
                continue
            parts.append(self.one())
        if not parts:
            raise QueryError("Something is missing beside OR, NOT or a bracket.")
        return parts[0] if len(parts) == 1 else lambda p: all(part(p) for part in parts)

    def one(self) -> Fits:
        word = self.left.pop(0)
        if word == "NOT":
            if not self.left or self.left[0] in (")", "OR", "AND"):
                raise QueryError("Something is missing beside OR, NOT or a bracket.")
            return _not(self.one())
        if word == "(":
            self.depth += 1
            if self.depth > _DEEPEST:
                raise QueryError("There are too many brackets in one another.")
            inside = self.either()
            if not self.left:
                raise QueryError("A bracket is not closed.")
            self.left.pop(0)
            self.depth -= 1
            return inside
        if word.startswith("-") and len(word) > 1:
            return _not(_term(word[1:]))
        return _term(word)


def _not(fits: Fits) -> Fits:
    return lambda p: not fits(p)


def _term(word: str) -> Fits:
    if number := _NUMBER.fullmatch(word):
        value, compared = NUMBERS[number[1].lower()], _COMPARED[number[2]]
        limit = float(number[3])
        return lambda p: compared(value(p), limit)
    field, colon, wanted = word.partition(":")
    if colon and field.lower() in FIELDS and not word.startswith('"'):
        return _in_field(field.lower(), _plain(wanted))
    text = _plain(word)
    return lambda p: text in p.caption.casefold() or text in p.path.name.casefold()


def _plain(word: str) -> str:
    if word.startswith('"') and (len(word) == 1 or not word.endswith('"')):
        raise QueryError('A " is not closed.')
    return word.removeprefix('"').removesuffix('"').replace('\\"', '"').casefold()


def _in_field(field: str, wanted: str) -> Fits:
    match field:
        case "tag":
            return lambda p: wanted in (tag.casefold() for tag in tags_of(p.caption))
        case "name":
            return lambda p: wanted in p.path.name.casefold()
        case "folder":
            return lambda p: wanted in str(p.path.parent).casefold()
        case _:
            if wanted != "caption":
                raise QueryError("Only a caption can be missing: missing:caption.")
            return lambda p: captions.says_nothing(p.caption)
