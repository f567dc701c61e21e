"""The command line: the engine's functions without a window."""

from __future__ import annotations

import io
import sys

from cyclopts import App, CycloptsError
from rich.console import Console

from core import version
from core.cli import adapters, projects, telling
from core.errors import UserError

app = App(name="stylewright", version=version.VERSION, help="Teach an image model an art style.")
for _command in (
    projects.demo,
    projects.new,
    projects.train,
    projects.sample,
    adapters.export,
    projects.check,
    adapters.inspect,
    adapters.merge,
    adapters.resize,
    adapters.extract,
    adapters.compare,
    adapters.unpickle,
):
    app.command(_command)


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit code: 0 done, 2 a failure the person can act on."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may lack letters of a file's name
            stream.reconfigure(errors="replace")
    try:
        app(arguments, result_action="return_value", exit_on_error=False, print_error=True)
    except UserError as error:
        telling.line(Console(stderr=True), f"{error.message}\n{error.hint}".strip())
        return 2
    except CycloptsError:
        return 2  # it has said what is wrong
    except KeyboardInterrupt:
        return 130
    return 0
