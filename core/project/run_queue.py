"""Runs that wait for the device, in their order: kept in one file, whoever trains them.

A run that waits is a run's folder already, with its settings frozen: what is changed in the
project afterwards is for the runs after it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from filelock import FileLock
from msgspec import Struct, structs

from core.config import files
from core.config.options import RunConfig
from core.errors import ConfigError, StorageError, UserError
from core.project.layout import Project, Run

FILE = "queue.json"
LOCK_SECONDS = 5  # the window and a command change the file for moments only


class Waiting(Struct, frozen=True, kw_only=True):
    """One run of the queue."""

    folder: str  # the run's, absolute
    seconds: float = 0.0  # that it will probably take; 0 where nobody knows
    problem: str = ""  # why it failed; such a run waits for the person

    @property
    def run(self) -> Run:
        return Run(Path(self.folder))

    @property
    def project(self) -> Project:
        return self.run.project

    def config(self) -> RunConfig | None:
        """As it is frozen; None where it is gone or cannot be read."""
        try:
            return files.load(self.run.config_file)
        except UserError:
            return None


Entries = tuple[Waiting, ...]


def place() -> Path:
    """Where the queue lies: beside the projects, or in one's home."""
    chosen = os.environ.get("STYLEWRIGHT_HOME")
    return (Path(chosen) if chosen else Path.home() / ".stylewright") / FILE


def read(file: Path) -> Entries:
    """All that wait, first the next; none where there is no file.

    Raises:
        ConfigError: The file is damaged, or cannot be read.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Entries)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read.", hint="See who may read it.") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{file} cannot be used: {error}.",
            hint="Remove it to begin a new queue; the runs are in their projects' folders.",
        ) from error


def change(file: Path, how: Callable[[Entries], Entries]) -> Entries:
    """Write what `how` makes of the queue, and return it; nobody else writes meanwhile.

    Raises:
        ConfigError: See `read`.
        StorageError: The file cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock"), timeout=LOCK_SECONDS):
            before = read(file)
            after = how(before)
            if after != before:
                files.write_beside(file, msgspec.json.format(msgspec.json.encode(after)))
            return after
    except OSError as error:  # also a lock that nobody gives back
        raise StorageError.writing(file, error) from error


def enter(file: Path, project: Project, config: RunConfig, seconds: float = 0.0) -> Waiting:
    """Freeze a run with these settings, and let it wait as the last.

    Raises:
        ConfigError, StorageError: See `change`; nothing is left behind then.
    """
    run = project.new_run(config)
    entry = Waiting(folder=str(run.root.absolute()), seconds=seconds)
    try:
        change(file, lambda entries: (*entries, entry))
    except UserError:
        forget(entry)
        raise
    return entry


def forget(entry: Waiting) -> None:
    """Remove the folder of a run that never began; one that did keeps all it has."""
    run = entry.run
    if not run.began:
        with contextlib.suppress(OSError):
            shutil.rmtree(run.root)


def following(entries: Sequence[Waiting]) -> Waiting | None:
    """The next to be trained: the first without a problem."""
    return next((entry for entry in entries if not entry.problem), None)


def without(entries: Entries, folder: str) -> Entries:
    """All but one."""
    return tuple(entry for entry in entries if entry.folder != folder)


def moved(entries: Entries, folder: str, by: int) -> Entries:
    """One of them so many places later, or earlier where `by` is below 0, as far as there are."""
    at = next((n for n, entry in enumerate(entries) if entry.folder == folder), None)
    if at is None:
        return entries
    rest = without(entries, folder)
    to = min(max(0, at + by), len(rest))
    return (*rest[:to], entries[at], *rest[to:])


def told(entries: Entries, folder: str, problem: str) -> Entries:
    """One of them with its problem, or ready to be tried again for ""."""
    return tuple(
        structs.replace(entry, problem=problem) if entry.folder == folder else entry
        for entry in entries
    )


def ready_seconds(entries: Sequence[Waiting], before: float | None) -> dict[str, float]:
    """In how many seconds each will probably be ready, by folder; those that anybody can tell.

    Args:
        entries: The queue.
        before: What goes on before them still takes so long; None where nobody knows.
    """
    found: dict[str, float] = {}
    for entry in entries:
        if entry.problem:
            continue
        if before is None or not entry.seconds:
            break
        before += entry.seconds
        found[entry.folder] = before
    return found
