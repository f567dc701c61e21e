"""What the command line prints."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from typing_extensions import override

from core.protocol import wire
from core.protocol.events import (
    AdapterSaved,
    Event,
    FileMade,
    HeldOutMeasured,
    RunStarted,
    StepDone,
    StyleMeasured,
    Warned,
)
from core.protocol.events import Progress as Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class _LastingConsole(Console):
    """`| head` closes the pipe: the run is worth more than its output."""

    @override
    def on_broken_pipe(self) -> None:
        self.quiet = True
        _to_nowhere()


def _to_nowhere() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console(*, error: bool = False) -> Console:
    """Of the standard output, or of that for errors."""
    return _LastingConsole(file=sys.stderr if error else sys.stdout)


def show(
    events: Iterable[Event],
    *,
    as_json: bool,
    say: Callable[[Console, Event], object] = lambda _to, _event: None,
) -> None:
    """Print events as lines of JSON, or as a person reads them; nobody may be reading any more.

    `say` prints what one command alone has words for.
    """
    if not as_json:
        _print(events, say)
        return
    for event in events:
        try:
            sys.stdout.buffer.write(wire.to_line(event))
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            _to_nowhere()


def kept(events: Iterable[Event], into: list[Event]) -> Iterator[Event]:
    """The same events, which `into` then holds."""
    for event in events:
        into.append(event)
        yield event


def _print(events: Iterable[Event], say: Callable[[Console, Event], object]) -> None:
    to = console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
    )
    with Progress(*columns, TimeRemainingColumn(), console=to, transient=True) as bar:
        task = bar.add_task("Starting", total=1)
        for event in events:
            match event:
                case Phase(phase=phase, done=done, total=total):
                    bar.update(task, description=phase, completed=done, total=total or 1)
                case StepDone(step=step, loss=loss):
                    bar.update(task, description=f"Training, loss {loss:.4f}", completed=step)
                    if not to.is_terminal and step % 50 == 0:
                        line(
                            to,
                            f"step {step}, loss {loss:.4f}, {event.seconds_left:.0f} s left",
                        )
                case RunStarted(steps=steps):
                    bar.update(task, description="Training", completed=0, total=steps)
                    line(to, _started(event))
                case Warned(message=message):
                    line(to, f"Note: {message}")
                case AdapterSaved(path=path):
                    line(to, f"Adapter: {path}")
                case FileMade(path=path, words=words):
                    line(to, f"Wrote {path}: {words}")
                    for reader in event.readers:
                        line(to, f"{reader.program}: {reader.words}")
                case HeldOutMeasured(step=step):
                    line(to, f"Step {step}: pictures held out {event.loss:.4f}. {event.verdict}")
                case StyleMeasured():
                    line(to, _measured(event))
                case _:
                    say(to, event)


def line(to: Console, text: str) -> None:
    """Print a sentence as it is, whatever its letters mean to rich."""
    to.print(text, soft_wrap=True, highlight=False, markup=False)


def _started(event: RunStarted) -> str:
    share = event.trainable / event.total
    return (
        f"Run {event.run}: {event.steps} steps on {event.pictures} pictures, {event.device}. "
        f"{event.adapter}: {event.trainable / 1e6:.2f} of {event.total / 1e6:.0f} M numbers learn "
        f"({share:.2%}), a file of about {max(1, round(event.file_bytes / 1e6))} MB."
    )


def _measured(style: StyleMeasured) -> str:
    return (
        f"Style: the previews are {style.change} (distance {style.before:.2f} before, "
        f"{style.after:.2f} after; your pictures are 1.00 apart). Check: this measure tells your "
        f"pictures from untrained ones in {style.check:.0%} of pairs."
    )
