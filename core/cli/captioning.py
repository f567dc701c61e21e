"""`caption`: what a model says that pictures show; shown first, written when asked to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from core.base import hub
from core.base.captioners import open_captioner
from core.cli import telling
from core.cli.fetching import fetch, usual_folder
from core.cli.stopping import stopping
from core.data import captions
from core.data.catalogue import Catalogue
from core.data.findings import lines
from core.data.proposals import (
    CHARACTER_THRESHOLD,
    LEAST_SCORE,
    THRESHOLD,
    Merge,
    Rules,
    proposal,
    words_of,
)
from core.data.scan import scan
from core.errors import ConfigError, UserError
from core.project.layout import Project, is_project
from core.protocol.commands import CaptionJob
from core.protocol.events import Captioned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from core.protocol.events import Event

Threshold = Annotated[float, Parameter(validator=validators.Number(gte=LEAST_SCORE, lte=1))]
Most = Annotated[int, Parameter(validator=validators.Number(gte=0))]
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class _Place:
    """Whose pictures are captioned."""

    folders: Sequence[Path]
    trigger: str
    bin: Path | None  # for what another program writes meanwhile
    catalogue: Catalogue | None  # what is known of its pictures


def caption(
    place: Path,
    *,
    model: str,
    write: bool = False,
    replace: bool = False,
    before: bool = False,
    after: bool = False,
    prompt: str = "",
    threshold: Threshold = THRESHOLD,
    character_threshold: Threshold = CHARACTER_THRESHOLD,
    most: Most = 0,
    leave_out: str = "",
) -> None:
    """Let a model say what pictures show. Only shows the captions, unless --write is given.

    Pictures that have a caption are left as they are, unless one of --replace, --before, --after
    says otherwise. Further lines of a caption stay, and a trigger word in front stays in front.

    Args:
        place: A project, or a folder of pictures.
        model: A captioner's folder, or its owner and name on the hub; it is fetched once.
        write: Write the captions.
        replace: Put the new caption in the place of one that is there.
        before: Put it before one that is there; tags that are there already are not put twice.
        after: Put it after one that is there; likewise.
        prompt: What to ask for, as docs/captioning.md has it; by default what is usual.
        threshold: Of tags: how sure the model must be of one.
        character_threshold: The same of somebody known by name.
        most: Of tags: the most a picture gets, the surest; 0 is any number.
        leave_out: Tags that are not taken, or words taken out of sentences; with commas between.
    """
    merge = _merge({"replace": replace, "before": before, "after": after})
    there = _place(place)
    rules = Rules(
        merge=merge,
        threshold=threshold,
        character_threshold=character_threshold,
        most=most,
        leave_out=words_of(leave_out),
        trigger=there.trigger,
    )
    console = telling.console()
    found = scan(there.folders, there.catalogue)
    for line in lines([finding for finding in found.findings if not finding.usable]):
        telling.line(console, line)
    pictures = [
        str(one.path)
        for one in found.pictures
        if merge != "leave" or captions.says_nothing(one.caption)
    ]
    if not pictures:
        captioned = len(found.pictures)
        raise UserError(
            f"All {captioned} pictures have a caption." if captioned else "There is no picture.",
            hint="Add --replace, --before or --after." if captioned else "Name another folder.",
        )
    job = CaptionJob(model=str(_model(model)), pictures=pictures, prompt=prompt)
    changed: list[Path] = []

    def say(to: Console, event: Event) -> None:
        if not isinstance(event, Captioned):
            return
        path = Path(event.path)
        now = captions.read(path).text  # hours may have passed
        then = proposal(now, event, rules)
        if then != now:
            changed.append(path)
            if write:
                captions.write(path, then, based_on=now, bin_folder=there.bin)
        _show(to, path, now, then)

    from core.worker.captioning import captions_of  # the libraries take a second to load

    with stopping() as control:
        telling.show(captions_of(job, control.stop), as_json=False, say=say)
    count = f"{len(changed):,} {'caption' if len(changed) == 1 else 'captions'}"
    if write:
        telling.line(console, f"Wrote {count}.")
    elif changed:
        telling.line(console, f"{count} would be written; nothing is yet. Add --write to do it.")
    else:
        telling.line(console, "No caption would change.")


def _show(to: Console, path: Path, now: str, then: str) -> None:
    telling.line(to, path.name)
    for words, text in (("stays", now),) if now == then else (("now", now), ("then", then)):
        if text:
            telling.line(to, f"    {words}: {text.replace(chr(10), f'{chr(10)}          ')}")


def _merge(asked: dict[Merge, bool]) -> Merge:
    chosen: list[Merge] = [name for name, yes in asked.items() if yes]
    if len(chosen) > 1:
        raise ConfigError(
            f"--{chosen[0]} and --{chosen[1]} cannot both be meant.", hint="Give one of them."
        )
    return chosen[0] if chosen else "leave"


def _place(place: Path) -> _Place:
    where = place.expanduser()
    if is_project(where):
        project = Project(where)
        config = project.config()
        known = Catalogue(project.catalogue)
        return _Place(project.folders(config), config.dataset.trigger, project.bin, known)
    if not where.is_dir():
        raise ConfigError(f"{place} is no folder.", hint="Name a project or a folder of pictures.")
    return _Place([where.absolute()], "", None, None)


def _model(name: str) -> Path:
    """The folder of a captioner; one that is named as on the hub is fetched, if it is not there."""
    folder = Path(name).expanduser()
    if folder.exists() or not _REPOSITORY.fullmatch(name):
        return open_captioner(folder).path.absolute()
    folder = usual_folder(name)
    try:
        return open_captioner(folder).path
    except UserError:  # not there, or not whole
        if not fetch(hub.offer(name), folder):
            raise UserError("Stopped.", hint="The same command goes on.") from None
    return open_captioner(folder).path
