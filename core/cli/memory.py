"""The command that tells before a run how much memory it will need, and what would fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators
from rich.table import Table

from core.cli import telling
from core.cli.projects import Changes
from core.config import files
from core.config.words import GROUPS
from core.errors import RunError
from core.project.layout import Project

if TYPE_CHECKING:
    from core.training.fitting import Fit
    from core.training.foresight import Foreseen, Room

Gigabytes = Annotated[float, Parameter(validator=validators.Number(gte=1, lte=1024))]
_GB = 2**30
_PHASES = {
    "encoding": "pictures are encoded",
    "reading": "captions are read",
    "training": "it trains",
    "drawing": "previews are drawn",
}


def memory(
    project: Path,
    *,
    device_memory: Gigabytes | None = None,
    changes: Changes = None,
    write: bool = False,
) -> None:
    """Tell how much memory a project's next run will need, and what to change so that it fits.

    Nothing is loaded or computed; it takes some seconds, with large models a minute or two.

    Args:
        project: The project's folder.
        device_memory: Of a GPU that is not this machine's, in GB.
        changes: Options to try; nothing is saved of them without --write.
        write: Save the proposal in project.toml.
    """
    from core.training.foresight import foreseen

    opened = Project(project)
    config = files.with_changes(opened.config(), changes or [])
    found = foreseen(opened, config, device_memory)
    console = telling.console()
    console.print(_table(found))
    telling.line(console, f"This run needs about {_gb(found.whole)}. {_there(found.room)}")
    if (fit := found.fit) is None:
        telling.line(console, "It fits.")
        return
    for line in _proposal(fit):
        telling.line(console, line)
    if not fit.fits:
        raise RunError(
            f"{found.room.device} is too small for this base model.",
            hint="Choose a smaller base model, or one that is held in fewer bits already.",
        )
    if write:
        opened.save(fit.config)
        telling.line(console, f"Saved in {opened.config_file}.")
    else:
        telling.line(console, "Nothing was changed; --write saves this in project.toml.")


def _table(found: Foreseen) -> Table:
    from core.training.foresight import PROGRAM

    need, kind = found.need, found.kind
    table = Table("while it trains", "GB", "what it is", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for name, size in need.nets.items():
        table.add_row(f"base: {name.replace('_', ' ')}", _number(size), "frozen weights")
    rows = (
        ("adapter", need.adapter, "what learns"),
        ("its gradients", need.gradients, "a number for each that learns"),
        ("optimizer", need.optimizer, "what it remembers of each of them"),
        ("average", need.average, "the adapter's (training.average)"),
        ("activations", need.activations, "what layers keep for the way back, and work with"),
    )
    for name, size, words in rows:
        if size:
            table.add_row(name, _number(size), words)
    pictures = need.cache if kind == "cpu" else 0
    if pictures:
        table.add_row("pictures", _number(pictures), "encoded")
    lost = found.whole - need.peak - pictures - PROGRAM[kind]
    table.add_row("between them", _number(lost), "room that no tensor fits into")
    table.add_row("the program", _number(PROGRAM[kind]), "libraries, the driver's share")
    table.add_section()
    for phase, size in need.phases.items():
        if size:
            most = "the most of the run" if size == need.peak else ""
            table.add_row(f"while {_PHASES[phase]}", _number(size), most)
    return table


def _proposal(fit: Fit) -> list[str]:
    words = {path: option.title for options in GROUPS.values() for path, option in options.items()}
    lines = ["To fit:" if fit.fits else "Not even this would fit:"]
    for change in fit.changes:
        what = f"{change.option} = {change.value} ({words[change.option]})" if change.option else ""
        lines.append(f"  - {what}{': ' if what else ''}{change.why}.")
    lines.append(f"Then it needs about {_gb(fit.bytes)}.")
    return lines


def _there(room: Room) -> str:
    if room.free == room.total:
        return f"{room.device} has a little less than that for it: a screen takes some, too."
    return f"{room.device} has {_gb(room.total)}, of which {_gb(room.free)} are free now."


def _gb(size: int) -> str:
    return f"{_number(size)} GB"


def _number(size: int) -> str:
    return f"{size / _GB:.2f}" if size < _GB else f"{size / _GB:.1f}"
