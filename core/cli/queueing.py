"""Commands on the queue, which the window shows, too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter, validators

from core.cli import telling
from core.cli.projects import Changes, Count, Json, places_of, trained
from core.cli.stopping import stopping
from core.config import files
from core.errors import ConfigError, RunError, UserError
from core.project import run_queue
from core.project.layout import Project
from core.project.run_queue import Entries, Waiting

app = App(name="queue", help="Runs that wait for the device, one after the other.")
Number = Annotated[int, Parameter(validator=validators.Number(gte=1))]


@app.command
def add(project: Path, *, changes: Changes = None) -> None:
    """Let a project's next run wait, with its settings as they are now.

    Args:
        project: The project's folder.
        changes: Options for this run alone.
    """
    opened = Project(project)
    config = files.with_changes(opened.config(), changes or [])
    opened.base(config)  # a wrong one is told now and not at night
    entry = run_queue.enter(run_queue.place(), opened, config)
    telling.line(telling.console(), f"Waits: {_words(entry)}. Next: stylewright queue start")


@app.command(name="list")
def show() -> None:
    """Tell what waits."""
    entries = run_queue.read(run_queue.place())
    for number, entry in enumerate(entries, 1):
        problem = f" Failed: {entry.problem}" if entry.problem else ""
        telling.line(telling.console(), f"{number}. {_words(entry)}.{problem}")
    if not entries:
        telling.line(telling.console(), "Nothing waits. Add a run: stylewright queue add PROJECT")


@app.command
def remove(number: Number) -> None:
    """Take a run out; one that has begun stays in its project.

    Args:
        number: As `list` counts them.
    """
    entry = _entry(number)
    run_queue.change(run_queue.place(), lambda all_: run_queue.without(all_, entry.folder))
    run_queue.forget(entry)
    telling.line(telling.console(), f"Taken out: {_words(entry)}.")


@app.command
def move(number: Number, to: Number) -> None:
    """Put a run at another place.

    Args:
        number: As `list` counts them.
        to: Its new place.
    """
    entry = _entry(number)
    run_queue.change(
        run_queue.place(), lambda all_: run_queue.moved(all_, entry.folder, to - number)
    )
    show()


@app.command
def start(*, again: bool = False, processes: Count = 1, json: Json = False) -> None:
    """Train all that waits, one after the other; a run that fails does not keep the others.

    Ctrl+C saves the run in hand, which goes on from there at the next start.

    Args:
        again: Also those that have failed before.
        processes: So many share each step's batch, one for each GPU.
        json: Print events as JSON lines.
    """
    file, places = run_queue.place(), places_of(processes)
    if again:
        run_queue.change(file, _untroubled)
    failed: list[str] = []
    done = 0
    with stopping() as control:
        while entry := run_queue.following(run_queue.read(file)):
            telling.line(telling.console(error=json), f"Training {_words(entry)}.")
            problem = ""
            try:
                events = trained(entry.project, places, control, entry.run.root.name)
                telling.show(events, as_json=json)
            except UserError as error:
                problem = error.message
                failed.append(f"{_words(entry)}: {problem}")
                telling.line(telling.console(error=True), f"{problem}\n{error.hint}".strip())
            if control.stop.is_set():
                return
            run_queue.change(file, lambda all_, e=entry, p=problem: _after(all_, e.folder, p))
            done += not problem
    if failed:
        words = "\n".join(failed)
        raise RunError(
            f"{done} of {done + len(failed)} runs are done. Not these:\n{words}",
            hint="They still wait: stylewright queue start --again, or queue remove.",
        )
    what = "1 run is done" if done == 1 else f"{done} runs are done"
    telling.line(telling.console(error=json), f"{what}; nothing more waits.")


def _after(entries: Entries, folder: str, problem: str) -> Entries:
    if problem:
        return run_queue.told(entries, folder, problem)
    return run_queue.without(entries, folder)


def _untroubled(entries: Entries) -> Entries:
    for entry in entries:
        entries = run_queue.told(entries, entry.folder, "")
    return entries


def _entry(number: int) -> Waiting:
    entries = run_queue.read(run_queue.place())
    if number > len(entries):
        raise ConfigError(
            f"There is no number {number} in the queue.", hint="See stylewright queue list."
        )
    return entries[number - 1]


def _words(entry: Waiting) -> str:
    config = entry.config()
    steps = f", {config.training.steps:,} steps" if config else ""
    return f"{entry.project.root.name}, run {entry.run.root.name}{steps}"
