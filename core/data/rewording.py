"""Many captions changed alike: words replaced, tags added, taken out, renamed."""

from __future__ import annotations

import re
from collections.abc import Callable

from core.data.tags import tags_of

Reword = Callable[[str], str]  # of a caption; the same text where there is nothing to change


def replacing(find: str, by: str, *, as_regex: bool = False, any_case: bool = True) -> Reword:
    r"""Wherever `find` is, `by` is put; of a regular expression groups are \1, \2.

    Raises:
        ValueError: `find` is no regular expression, or `by` names a group that it has not.
    """
    if not find:
        return lambda text: text
    template = by if as_regex else by.replace("\\", r"\\")
    try:
        pattern = re.compile(find if as_regex else re.escape(find), re.IGNORECASE * any_case)
        if as_regex:  # groups are looked for only where something fits: nothing does always
            re.compile(f"{find}|").sub(template, "")
    except (re.error, IndexError) as error:
        raise ValueError(f"That is no regular expression: {error}.") from error
    return lambda text: pattern.sub(template, text)


def adding(tag: str, *, in_front: bool = False) -> Reword:
    """A tag is put at the end, or in front, of captions that have it not yet."""
    tag = tag.strip().strip(",").strip()

    def add(text: str) -> str:
        if not tag or _has(text, tag):
            return text
        if not text.strip():
            return tag
        return f"{tag}, {text}" if in_front else f"{text.rstrip().rstrip(',')}, {tag}"

    return add


def removing(tags: str) -> Reword:
    """Whole tags are taken out, whatever their case; what else there is stays as it is."""
    return _renaming(tags, "")


def renaming(tags: str, to: str) -> Reword:
    """Whole tags, between commas where there are several, become one; it is not there twice."""
    return _renaming(tags, to.strip())


def _renaming(tags: str, to: str) -> Reword:
    wanted = {tag.casefold() for tag in tags_of(tags)}

    def rename(text: str) -> str:
        folded = text.casefold()
        if not any(tag in folded for tag in wanted):  # of most captions that is all
            return text
        return "\n".join(_in_line(line, wanted, to) for line in text.split("\n"))

    return rename


def _in_line(line: str, wanted: set[str], to: str) -> str:
    """The line without the tags, or with another in their place; the other parts to the blank."""
    parts = line.split(",")
    folded = [part.strip().casefold() for part in parts]
    if wanted.isdisjoint(folded):
        return line
    new = "" if to.casefold() in set(folded) - wanted else to
    kept: list[str] = []
    for part, name in zip(parts, folded, strict=True):
        if name not in wanted:
            kept.append(part)
        elif new:
            kept.append(part.replace(part.strip(), new))
            new = ""  # once is enough
    return ",".join(kept).strip()


def _has(text: str, tag: str) -> bool:
    wanted = tag.strip().casefold()
    return any(one.casefold() == wanted for one in tags_of(text))
