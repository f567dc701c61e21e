"""What the demo base can draw: of any other word it makes something, but not what was meant."""

from __future__ import annotations

import re
from functools import cache

from core.base.value import DEMO_FOLDER

_PLAIN = frozenset(
    ("a", "an", "the", "of", "on", "in", "at", "with", "and", "or", "by", "to", "style")
)
_WORD = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*")


@cache
def _known() -> frozenset[str]:
    text = (DEMO_FOLDER / "words.txt").read_text(encoding="utf-8")
    return frozenset(_WORD.findall(text.casefold())) | _PLAIN


def unknown_words(prompt: str, trigger: str) -> list[str]:
    """Those of a prompt that the demo base was never taught, without the project's trigger."""
    known = _known() | frozenset(_WORD.findall(trigger.casefold()))
    words = dict.fromkeys(_WORD.findall(prompt.casefold()))
    return [word for word in words if word not in known]


def unknown_in_words(words: list[str]) -> str:
    """A sentence about them; "" where there are none."""
    if not words:
        return ""
    shown = ", ".join(words[:3]) + (" ..." if len(words) > 3 else "")  # noqa: PLR2004 - few
    return f"the demo base does not know {shown}"
