"""What is searched for among pictures: `fox -night size<512 (tag:red OR tag:blue)`.

Words that stand side by side must all be there. A word is looked for in captions and file names,
"several words" as they stand. `tag:red` is a whole tag, what stands between two commas, `tag:red*`
the beginning of one; `name:` and `folder:` look there alone; `missing:caption` is what it says.
`size`, `width`, `height` (px, size is the smaller one), `aspect` (width / height), `bytes` (2MB),
`words`, `tags`, `tokens` and `rating` are compared with numbers by `<`, `<=`, `=`, `>=`, `>`.
`unused` and `heldout` are pictures marked so, `masked` those with a mask ("unused" is the word).
NOT or `-` turns one round, OR is either, brackets keep together.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from core.data import captions
from core.data.marks import NOTHING, Mark
from core.data.tags import tags_of

if TYPE_CHECKING:
    from pathlib import Path

    from core.data.examine import Picture

Fits = Callable[["Picture"], bool]
Count = Callable[[str], int]  # tokens of a text
MarkOf = Callable[["Path"], Mark]
FIELDS = ("tag", "name", "folder", "missing")
KEYS = {  # what a search may say, and what it means; in the order in which they are offered
    "tag:": "a whole tag",
    "missing:caption": "without a caption",
    "name:": "in names of files",
    "folder:": "in names of folders",
    "size<": "the smaller side, px",
    "width<": "px",
    "height<": "px",
    "aspect>": "width / height",
    "bytes>": "of the file: 500kB, 2MB",
    "tokens>": "of the caption, as the base reads it",
    "tags>": "how many",
    "words>": "how many",
    "rating>": "stars, 0 to 5",
    "unused": "marked as not used",
    "heldout": "marked as held out",
    "masked": "with a mask",
}
_REMEMBERED = 2**17  # captions of which is known what was found out: more than most have
_FACTORS = {"": 1, "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6}


@lru_cache(_REMEMBERED)
def _between_commas(caption: str) -> str:
    """Its tags in lower case, a comma before and after each, so that one look finds a whole one."""
    return "".join([",", *(f"{tag}," for tag in tags_of(caption.casefold()))])


@lru_cache(_REMEMBERED)
def _tags(caption: str) -> int:
    return len(tags_of(caption))


@lru_cache(_REMEMBERED)
def _words(caption: str) -> int:
    return len(caption.split())


NUMBERS: dict[str, Callable[[Picture], float]] = {
    "size": lambda p: min(p.width_px, p.height_px),
    "width": lambda p: p.width_px,
    "height": lambda p: p.height_px,
    "aspect": lambda p: p.width_px / max(1, p.height_px),
    "bytes": lambda p: p.size_bytes,
    "words": lambda p: _words(p.caption),
    "tags": lambda p: _tags(p.caption),
}
_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
_COMPARABLE = "|".join([*NUMBERS, "tokens", "rating"])
_TOKEN = re.compile(
    rf"""\s*(
        [()]
        | -?(?:{_COMPARABLE})\s*(?:<=|>=|<|>|=)\s*[^\s()"]*  # blanks may stand around a sign
        | -?(?:\w+:)?"(?:\\"|[^"])*"?
        | [^\s()"]+
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER = re.compile(r"([^\W\d]+)\s*(<=|>=|<|>|=)\s*(-?\d+(?:\.\d+)?)(k|m|kb|mb)?", re.IGNORECASE)
_COMPARES = re.compile(rf"({_COMPARABLE})\s*[<>=]", re.IGNORECASE)
_FEW = 2  # parts; asked one by one they cost half of what a loop over them does
_DEEPEST = 50  # brackets in brackets


class QueryError(ValueError):
    """What is searched for cannot be understood; the message says why."""


def parse(
    text: str, count: Count | None = None, mark_of: MarkOf = lambda _path: NOTHING
) -> Fits | None:
    """What fits `text`; None fits all, since nothing is searched for.

    Args:
        text: What is searched for.
        count: Counts the tokens of a text; None where nobody can.
        mark_of: What is said of a picture's file.

    Raises:
        QueryError: A bracket has no partner, a word no end, a field no word, a number is none.
    """
    tokens = [match[1] for match in _TOKEN.finditer(text)]
    if not tokens:
        return None
    reading = _Reading(tokens, count, mark_of)
    fits = reading.either()
    if reading.left:
        raise QueryError("A bracket is closed that was not opened.")
    return fits


def of_tags(tags: Sequence[str]) -> str:
    """What searches for the pictures that have any of some tags."""
    return " OR ".join(f"tag:{_quoted(tag)}" for tag in tags)


def _quoted(text: str) -> str:
    plain = not re.search(r'[\s()"*]', text)
    return text if plain else '"{}"'.format(text.replace('"', '\\"'))


@dataclass(slots=True)
class _Reading:
    """Reads tokens from the left, one kind of thing a method."""

    left: list[str]
    count: Count | None
    mark_of: MarkOf
    depth: int = 0

    def either(self) -> Fits:
        parts = [self.all_of()]
        while self.left and self.left[0] == "OR":
            self.left.pop(0)
            parts.append(self.all_of())
        return _any(parts)

    def all_of(self) -> Fits:
        parts: list[Fits] = []
        while self.left and self.left[0] not in (")", "OR"):
            if self.left[0] == "AND":
                self.left.pop(0)
                continue
            parts.append(self.one())
        if not parts:
            raise QueryError("Something is missing beside OR, NOT or a bracket.")
        return _all(parts)

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
            return _not(self.term(word[1:]))
        return self.term(word)

    def term(self, word: str) -> Fits:
        if _COMPARES.match(word) or _NUMBER.fullmatch(word):
            return _compared(word, self.count, self.mark_of)
        mark_of = self.mark_of
        if word.lower() == "unused":
            return lambda p: mark_of(p.path).unused
        if word.lower() == "heldout":
            return lambda p: mark_of(p.path).held_out
        if word.lower() == "masked":
            return lambda p: p.masked
        field, colon, wanted = word.partition(":")
        if colon and field.lower() in FIELDS and not word.startswith('"'):
            return _in_field(field.lower(), wanted)
        text = _plain(word)
        return lambda p: text in p.caption.casefold() or text in p.path.name.casefold()


def _any(parts: Sequence[Fits]) -> Fits:
    if len(parts) > _FEW:
        return lambda p: any(part(p) for part in parts)
    one, other = parts[0], parts[-1]
    return (lambda p: one(p) or other(p)) if len(parts) == _FEW else one


def _all(parts: Sequence[Fits]) -> Fits:
    if len(parts) > _FEW:
        return lambda p: all(part(p) for part in parts)
    one, other = parts[0], parts[-1]
    return (lambda p: one(p) and other(p)) if len(parts) == _FEW else one


def _not(fits: Fits) -> Fits:
    return lambda p: not fits(p)


def _compared(word: str, count: Count | None, mark_of: MarkOf) -> Fits:
    """`size<512`."""
    number = _NUMBER.fullmatch(word)
    if number is None:
        name = re.split("[<>=]", word)[0].strip()
        raise QueryError(f"{name} is compared with a number, as in {name}>100.")
    name, sign, figure, unit = number.groups()
    limit = float(figure) * _FACTORS[(unit or "").lower()]
    if name.lower() == "tokens":
        if count is None:
            raise QueryError("Tokens are not known (yet): that takes a base model, and a moment.")
        value = lambda p: count(p.caption)  # noqa: E731
    elif name.lower() == "rating":
        value = lambda p: mark_of(p.path).rating  # noqa: E731
    elif name.lower() in NUMBERS:
        value = NUMBERS[name.lower()]
    else:
        known = ", ".join([*NUMBERS, "tokens", "rating"])
        raise QueryError(f"{name} cannot be compared; these can: {known}.")
    compared = _COMPARED[sign]
    return lambda p: compared(value(p), limit)


def _plain(word: str) -> str:
    if word.startswith('"') and (len(word) == 1 or not word.endswith('"')):
        raise QueryError('A " is not closed.')
    return word.removeprefix('"').removesuffix('"').replace('\\"', '"').casefold()


def _in_field(field: str, written: str) -> Fits:
    wanted = _plain(written)
    if not wanted:
        raise QueryError(f"After {field}: something is missing.")
    match field:
        case "tag":
            begun, ended = written.startswith("*"), written.endswith("*") and len(written) > 1
            tag = wanted[begun : len(wanted) - ended].strip()
            whole = ("" if begun else ",") + tag + ("" if ended else ",")
            return lambda p: whole in _between_commas(p.caption)
        case "name":
            return lambda p: wanted in p.path.name.casefold()
        case "folder":
            return lambda p: wanted in str(p.path.parent).casefold()
        case _:
            if wanted != "caption":
                raise QueryError("Only a caption can be missing: missing:caption.")
            return lambda p: captions.says_nothing(p.caption)


def counts_tokens(text: str) -> bool:
    """Whether tokens are asked for."""
    return any(re.match(r"-?tokens\s*[<>=]", m[1], re.IGNORECASE) for m in _TOKEN.finditer(text))


def word_at(text: str, at: int) -> tuple[int, int]:
    """From where to where the word goes in which somebody types, without what turns it round."""
    for found in _TOKEN.finditer(text):
        begin, end = found.span(1)
        if begin <= at <= end and found[1] not in "()":
            return begin + (found[1].startswith("-") and at > begin), end
    return at, at
