"""The command that finds a learning rate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.cli import telling
from core.cli.projects import Changes, Json
from core.cli.stopping import stopping
from core.config import files
from core.errors import RunError
from core.project.layout import Project
from core.protocol.events import Event, RateFound, RateTried

if TYPE_CHECKING:
    from rich.console import Console


def rate(
    project: Path, *, changes: Changes = None, write: bool = False, json: Json = False
) -> None:
    """Find a learning rate for a project's next run, by a short run whose rate rises.

    On the project's own pictures and settings; it takes minutes. Nothing of it is kept.

    Args:
        project: The project's folder.
        changes: Options to try; nothing is saved of them without --write.
        write: Save the proposal in project.toml.
        json: Print events as JSON lines.
    """
    from core.training import rate_finder

    opened = Project(project)
    config = files.with_changes(opened.config(), changes or [])
    events: list[Event] = []
    with stopping() as control:
        told = telling.kept(rate_finder.find(opened, config, control), events)
        telling.show(told, as_json=json, say=_say)
    found = next((event for event in events if isinstance(event, RateFound)), None)
    if found is None:  # it was stopped
        return
    console = telling.console(error=json)
    if not found.rate:
        raise RunError(found.words, hint="Try more pictures, or a larger batch.")
    changed = rate_finder.accepted(config, found)
    if write:
        opened.save(changed)
        telling.line(console, f"Saved in {opened.config_file}.")
    else:
        telling.line(console, "Nothing was changed; --write saves this in project.toml.")


def _say(to: Console, event: Event) -> None:
    match event:
        case RateTried(rate=rate, loss=loss):
            telling.line(to, f"rate {rate:.2g}: loss {loss:.5f}")
        case RateFound(rate=rate) if rate:
            telling.line(to, f"{event.words}\nFrom {event.least:g} to {event.most:g} would be much "
                         f"the same. Proposed: training.learning_rate = {rate:g}")  # fmt: skip
        case _:
            pass
