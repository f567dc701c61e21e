"""What becomes of a caption when a machine has told what the picture shows: pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.data import captions
from core.data.tags import tags_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.protocol.events import Captioned, Tag

Merge = Literal["leave", "replace", "before", "after"]
LEAST_SCORE = 0.1  # of what a tagger's answer holds at all
THRESHOLD, CHARACTER_THRESHOLD = 0.35, 0.85  # as WD taggers are usually read
_ENDS = (".", "!", "?", "\u3002")  # of a sentence
_END = re.compile(r"[.!?\u3002](?=\s|$)")
_LOOSE = re.compile(r"\s+([,.;:!?])")  # a blank where a word was taken out before a mark
_DOUBLED = re.compile(r"([,;:])(?:\s*[,;:.])+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How what a machine tells and what a person wrote become one caption."""

    merge: Merge = "leave"  # where there is a caption already
    threshold: float = THRESHOLD  # tags it is surer of are taken
    character_threshold: float = CHARACTER_THRESHOLD
    most: int = 0  # tags at the most, the surest; 0 is any number
    leave_out: tuple[str, ...] = ()  # tags; of sentences, words
    trigger: str = ""  # the style's own word: it stays first where it is


def proposal(old: str, told: Captioned, rules: Rules) -> str:
    """The caption that a picture would have; `old` itself where nothing is to change.

    Of a caption of several lines the first is meant, the others stay; so does the trigger, where
    the caption begins with it.
    """
    new = told_text(told, rules)
    silent = captions.says_nothing(old)
    if not new or (rules.merge == "leave" and not silent):
        return old
    if silent:
        return new
    first, mark, rest = old.partition("\n")
    begin, body = _without_trigger(first, rules.trigger)
    if rules.merge == "replace":
        begun = bool(_without_trigger(new, rules.trigger)[0])  # by the machine, as it happens
        line = new if begun else _joined(begin, _unless_there(new, begin, told))
    elif not (missing := _unless_there(new, old, told)):
        return old
    elif rules.merge == "before":
        line = _joined(begin, missing, body)
    else:
        line = _joined(first.rstrip(), missing)
    return f"{line}{mark}{rest}"


def told_text(told: Captioned, rules: Rules) -> str:
    """What a machine told of a picture, in one line: its text, or the tags that `rules` take."""
    if told.tags:
        return ", ".join(tag.name for tag in taken(told.tags, rules))
    return without(captions.in_one_line(told.text), rules.leave_out)


def taken(tags: Iterable[Tag], rules: Rules) -> list[Tag]:
    """Tags above their threshold that are not to be left out; the surest first, each once."""
    unwanted = {_same(name) for name in rules.leave_out}
    found: dict[str, Tag] = {}
    for tag in sorted(tags, key=lambda tag: -tag.score):
        least = rules.character_threshold if tag.character else rules.threshold
        name = _same(tag.name)
        if tag.score > least and name not in unwanted:
            found.setdefault(name, tag)
    return list(found.values())[: rules.most or None]


def without(text: str, words: Iterable[str]) -> str:
    """A sentence without some words, which are looked for as such, in any case."""
    made = text
    for word in sorted((w for w in words if w.strip()), key=len, reverse=True):
        parts = r"\s+".join(re.escape(part) for part in word.split())
        made = re.sub(rf"(?<!\w){parts}(?!\w)", "", made, flags=re.IGNORECASE)
    if made == text:
        return text
    made = _DOUBLED.sub(r"\1", _LOOSE.sub(r"\1", " ".join(made.split()))).strip(" ,;:")
    if captions.says_nothing(made):
        return ""
    return made[:1].upper() + made[1:] if text[:1].isupper() else made


def words_of(text: str) -> tuple[str, ...]:
    """What is typed as a list: between commas, or in lines."""
    return tuple(tags_of(text))


def _without_trigger(line: str, trigger: str) -> tuple[str, str]:
    """The trigger, if a line begins with it, and the rest of the line."""
    word = re.escape(trigger.strip())
    found = re.match(rf"\s*({word})(?!\w)[\s,]*(.*)", line, re.IGNORECASE) if word else None
    return (found[1], found[2].strip()) if found else ("", line.strip())


def _unless_there(new: str, there: str, told: Captioned) -> str:
    """Of what is new that which a caption does not say yet: tags one by one, a text as a whole."""
    if told.tags:
        known = {_same(tag) for tag in tags_of(_END.sub(",", there))}
        return ", ".join(tag for tag in tags_of(new) if _same(tag) not in known)
    return "" if new.casefold() in captions.in_one_line(there).casefold() else new


def _joined(*parts: str) -> str:
    """With a comma between, but after a sentence, whose own end is enough."""
    made = ""
    for part in filter(None, parts):
        if not made:
            made = part
        elif made.endswith(_ENDS):
            made = f"{made} {part}"
        else:
            made = f"{made.rstrip(' ,')}, {part}"
    return made


def _same(tag: str) -> str:
    """What two spellings of a tag share."""
    return " ".join(tag.replace("_", " ").split()).casefold()
