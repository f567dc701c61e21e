"""What a run tells of a picture: its caption, what is put around it, and what chance does to it."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Literal

from core.data import captions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.config.options import DatasetConfig

_CHOICE = re.compile(r"\{([^{}]*\|[^{}]*)\}")  # the innermost
Role = Literal["trigger", "kept", "loose"]  # in front of all; in its place; may move or be left out


def varies(config: DatasetConfig) -> bool:
    """Whether a picture's caption differs from step to step, beside being left out at times."""
    lines = config.caption_lines == "one"
    return bool(config.shuffle_tags or config.tag_dropout or config.wildcards or lines)


def bodies(text: str, config: DatasetConfig) -> tuple[str, ...]:
    """The captions in a caption file, of which each step tells one; a single one, maybe empty."""
    lines = text.splitlines() if config.caption_lines == "one" else [text]
    cleaned = [captions.in_one_line(line) for line in lines]
    return tuple(line for line in cleaned if line) or ("",)


def whole(body: str, config: DatasetConfig) -> str:
    """A caption without chance: the trigger, the prefix, the body, the suffix.

    Of what a body leaves to chance it has the longest.
    """
    if config.wildcards:
        body = decided(body, lambda choices: max(choices, key=len))
    between = [captions.in_one_line(config.prefix), body, captions.in_one_line(config.suffix)]
    line = ", ".join(part for part in between if part)
    return captions.for_training(line, config.trigger)


def decided(text: str, choose: Callable[[list[str]], str]) -> str:
    """A text with one of each {red|blue} in it, inner ones first, as `choose` has it.

    A choice may be empty, as in {big |}fox or fox, {forest|}: no blank and no comma stays for it.
    """
    if not _CHOICE.search(text):
        return text
    while found := _CHOICE.search(text):
        text = text[: found.start()] + choose(found[1].split("|")) + text[found.end() :]
    return ", ".join(tag for part in text.split(",") if (tag := " ".join(part.split())))


def untriggered(text: str, trigger: str) -> str:
    """A caption as it would be of a picture in no style: without the trigger, nor its tag."""
    tags = [tag for part in text.split(",") if (tag := part.strip())]
    return ", ".join(tag for tag in tags if not captions.has_word(tag, trigger))


def roles(tags: Sequence[str], config: DatasetConfig) -> list[Role]:
    """What chance may do to each of a caption's tags, where captions vary."""
    found: list[Role] = []
    kept = 0
    for tag in tags:
        if captions.has_word(tag, config.trigger):
            found.append("trigger")
        elif kept < config.keep_tags:
            found.append("kept")
            kept += 1
        else:
            found.append("loose")
    return found


def drawn(choices: Sequence[str], config: DatasetConfig, rng: random.Random) -> str:
    """One of `choices` as `rng` has it: its tags in another order, some left out.

    The first `keep_tags` stay where they are; so does a tag with the trigger in it, in front of
    them.
    """
    body = rng.choice(choices)
    if config.wildcards:
        body = decided(body, rng.choice)
    tags = [tag for part in body.split(",") if (tag := part.strip())]
    by_role: dict[Role, list[str]] = {"trigger": [], "kept": [], "loose": []}
    for tag, role in zip(tags, roles(tags, config), strict=True):
        by_role[role].append(tag)
    pinned, kept, loose = by_role["trigger"], by_role["kept"], by_role["loose"]
    rest = [tag for tag in loose if rng.random() >= config.tag_dropout]
    if config.shuffle_tags:
        rng.shuffle(rest)
    if not config.shuffle_tags and len(rest) == len(loose) and not pinned[1:]:
        return whole(body, config)  # as it was written, to the last blank
    return whole(", ".join([*pinned, *kept, *rest]), config)
