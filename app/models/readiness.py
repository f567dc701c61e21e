"""What a run still lacks, each with the actions that lead to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.figures import count_of
from app.models.demo_words import unknown_in_words, unknown_words
from core.config.options import DEMO_BASE, RunConfig

FEW = 15  # pictures: a style is seldom learnt from fewer


@dataclass(frozen=True, slots=True)
class Lack:
    """One of the things that are missing."""

    words: str
    button: str
    actions: tuple[str, ...]  # one after the other
    needed: bool = False  # no run can start without


def lacks(config: RunConfig, root: Path, pictures: int | None, silent: int) -> list[Lack]:
    """What is missing, the most important first.

    Args:
        config: Of the next run.
        root: The project's folder.
        pictures: How many there are; None is not known yet.
        silent: How many of them have no caption.
    """
    found: list[Lack] = []
    add = ("page.dataset", "dataset.add")
    if not config.base:
        found.append(Lack("no base model", "Choose one", ("base.menu",), needed=True))
    found += gone(config, root)
    if pictures is None:
        return found
    if not pictures:
        found.append(Lack("no pictures", "Add some", add, needed=True))
        return found
    if silent:
        words = f"{count_of(silent, 'picture')} without caption"
        found.append(Lack(words, "Show", ("page.dataset", "dataset.uncaptioned")))
    if not config.dataset.trigger:
        found.append(Lack("no trigger word", "Write one", ("setting.dataset.trigger",)))
    if config.base == DEMO_BASE:
        prompts, trigger = " ".join(config.preview.prompts), config.dataset.trigger
        if words := unknown_in_words(unknown_words(prompts, trigger)):
            found.append(Lack(words, "Change the prompts", ("setting.preview.prompts",)))
    if pictures < FEW:
        words = f"only {count_of(pictures, 'picture')}; 15 to 100 are better"
        found.append(Lack(words, "Add some", add))
    return found


def gone(config: RunConfig, root: Path) -> list[Lack]:
    """The files and folders that settings name and that are not where they were."""
    named = [
        ("base.menu", "" if config.base == DEMO_BASE else config.base),
        *(("base.menu", path) for path in (config.rest, config.vae, *config.texts)),
        ("adapter.start", config.adapter.start),
        ("train.every", config.dataset.class_folder),
    ]
    return [
        Lack(f"{Path(path).name} is not where it was", "Choose another", (action,), needed=True)
        for action, path in named
        if path and not (root / path).exists()
    ]
