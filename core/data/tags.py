"""The tags of a caption, one by one: what is not edited keeps every byte.

A tag is what stands between commas. The tags that are edited are those of the caption's first line
that holds any; what stands between them, around them and in further lines stays as it is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

RARE, LEAST_LETTERS = 10, 5  # a misspelling is so many times rarer, and of a word so long
_TAG = re.compile(r"[^\s,](?:[^,]*[^\s,])?")


def tags_of(caption: str) -> list[str]:
    """What stands between commas, in order; none is empty."""
    return [tag for part in caption.replace("\n", ",").split(",") if (tag := part.strip())]


def typed(text: str) -> list[str]:
    """The tags that a person writes into a field, each once and in one line."""
    found = {" ".join(tag.split()): None for tag in tags_of(text)}
    return list(found)


@dataclass(frozen=True, slots=True)
class TagLine:
    """A caption in pieces; put together they are the caption again.

    `frame` is one longer than `tags`: what stands before the first, between each two, and after
    the last.
    """

    before: str  # lines above, with their ends
    frame: tuple[str, ...]
    tags: tuple[str, ...]
    after: str  # lines below, with the end of this one

    @property
    def text(self) -> str:
        """The caption."""
        pairs = zip(self.tags, self.frame[1:], strict=True)
        line = self.frame[0] + "".join(tag + between for tag, between in pairs)
        return self.before + line + self.after

    @property
    def further(self) -> int:
        """How many other lines say something."""
        return sum(bool(line.strip()) for line in (self.before + self.after).split("\n"))

    def row_of(self, tag: str) -> int:
        """Where a tag is, whatever its case; -1 where it is not."""
        wanted = tag.casefold()
        return next((row for row, one in enumerate(self.tags) if one.casefold() == wanted), -1)

    def put(self, row: int, text: str) -> TagLine:
        """What a person writes in the place of a tag: another, several, or none."""
        if text == self.tags[row]:
            return self
        first, *more = typed(text) or [""]
        if not first:
            return self.without(row)
        line = self._with(self.frame, (*self.tags[:row], first, *self.tags[row + 1 :]))
        for place, tag in enumerate(more, row + 1):
            line = line._inserted(place, tag)
        return line

    def added(self, text: str) -> TagLine:
        """What a person adds at the end; what is there already is not there twice."""
        line = self
        for tag in typed(text):
            if line.row_of(tag) < 0:
                line = line._inserted(len(line.tags), tag)
        return line

    def without(self, row: int) -> TagLine:
        """Without a tag, and one of the commas beside it."""
        tags = (*self.tags[:row], *self.tags[row + 1 :])
        if not tags:
            return self._with(("",), ())
        last = row == len(self.tags) - 1
        gone = row if last else row + 1  # of what stands between, what is before the last one
        return self._with((*self.frame[:gone], *self.frame[gone + 1 :]), tags)

    def moved(self, row: int, to: int) -> TagLine:
        """With a tag in another place: tags change places, what stands between them does not."""
        tags = list(self.tags)
        tags.insert(to, tags.pop(row))
        return self._with(self.frame, tuple(tags))

    def _inserted(self, row: int, tag: str) -> TagLine:
        tags = (*self.tags[:row], tag, *self.tags[row:])
        if not self.tags:
            return self._with((self.frame[0], ""), tags)
        end = self.frame[-1]
        if row == len(self.tags) and "," in end:  # it ends with a comma: what that waited for
            blank = "" if end[-1].isspace() or self._between == "," else " "
            return self._with((*self.frame[:-1], end + blank, ""), tags)
        between = (*self.frame[:row], self._between, *self.frame[row:])
        if row == 0:
            between = (self.frame[0], self._between, *self.frame[1:])
        return self._with(between, tags)

    @property
    def _between(self) -> str:
        """As this line has it between its tags: some write no blank."""
        own = self.frame[1:-1]
        return "," if own and all(one == "," for one in own) else ", "

    def _with(self, frame: tuple[str, ...], tags: tuple[str, ...]) -> TagLine:
        return TagLine(self.before, frame, tags, self.after)


def in_pieces(caption: str) -> TagLine:
    """A caption's first line with tags in it; of one without any, its first line."""
    lines = caption.split("\n")
    row = next((row for row, line in enumerate(lines) if tags_of(line)), 0)
    before = "".join(f"{line}\n" for line in lines[:row])
    after = "".join(f"\n{line}" for line in lines[row + 1 :])
    frame, tags, end = [], [], 0
    for found in _TAG.finditer(lines[row]):
        frame.append(lines[row][end : found.start()])
        tags.append(found[0])
        end = found.end()
    frame.append(lines[row][end:])
    return TagLine(before, tuple(frame), tuple(tags), after)


def misspelt(counts: Mapping[str, int]) -> Iterator[tuple[str, str] | None]:
    """Rare tags that are one letter off a much more frequent one, with that.

    Two words that differ in a letter, or in the order of two, become the same when a letter is
    taken out of one or both; so only those are compared (SymSpell's symmetric deletes). Numbers
    are never misspelt: 1girl and 2girls are two things. Of much to do some Nones come between.
    """
    by_piece: dict[str, list[str]] = defaultdict(list)
    common = [tag for tag, count in counts.items() if count >= RARE and _can_be(tag)]
    most = max((counts[tag] for tag in common), default=0)
    for tag in common:
        yield None
        for piece in _pieces(tag.casefold()):
            by_piece[piece].append(tag)
    for tag, count in counts.items() if common else ():
        yield None
        if count * RARE > most or not _can_be(tag):
            continue
        pieces = _pieces(tag.casefold())
        meant = {one for piece in pieces if piece in by_piece for one in by_piece[piece]}
        near = [one for one in meant if counts[one] >= RARE * count and _is_near(tag, one)]
        if near:
            yield tag, max(near, key=lambda one: (counts[one], one))


def _can_be(tag: str) -> bool:
    return len(tag) >= LEAST_LETTERS


def _pieces(word: str) -> Iterable[str]:
    return {word, *(word[:n] + word[n + 1 :] for n in range(len(word)))}


def _is_near(tag: str, other: str) -> bool:
    """Whether one letter is too many, missing, another, or two neighbours are exchanged."""
    one, two = tag.casefold(), other.casefold()
    if one == two:
        return True
    if [c for c in one if c.isdigit()] != [c for c in two if c.isdigit()]:
        return False
    begin = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), None)
    if begin is None:
        return abs(len(one) - len(two)) == 1
    a, b = one[begin:], two[begin:]
    return (
        a[1:] == b[1:]
        or a[1:] == b
        or a == b[1:]
        or (a[:2] == b[1::-1] and a[2:] == b[2:] and len(a) > 1 and len(b) > 1)
    )
