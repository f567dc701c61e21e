"""The command line: the engine's functions without a window."""

from __future__ import annotations

import functools
import io
import sys

from cyclopts import App, CycloptsError, MissingArgumentError
from rich.console import Console

from core import version
from core.cli import adapters, captioning, fetching, memory, projects, queueing, rates, telling
from core.errors import UserError

app = App(name="stylewright", version=version.VERSION, help="Teach an image model an art style.")
for _command in (
    projects.demo,
    fetching.get,
    projects.new,
    captioning.caption,
    projects.train,
    projects.verify,
    projects.sample,
    adapters.export,
    projects.check,
    memory.memory,
    rates.rate,
    adapters.inspect,
    adapters.merge,
    adapters.resize,
    adapters.extract,
    adapters.compare,
    adapters.unpickle,
):
    app.command(_command)
app.command(queueing.app)


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit code: 0 done, 2 a failure the person can act on."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may lack letters of a file's name
            stream.reconfigure(errors="replace")
    try:
        app(arguments, result_action="return_value", exit_on_error=False, print_error=False)
    except UserError as error:
        telling.line(Console(stderr=True), f"{error.message}\n{error.hint}".strip())
        return 2
    except CycloptsError as error:
        telling.line(Console(stderr=True), _in_words(error))
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _in_words(error: CycloptsError) -> str:
    """What is wrong with what was typed; of what is missing, what it is."""
    command = " ".join((app.name[0], *(error.command_chain or ())))
    words = str(error).strip()
    if isinstance(error, MissingArgumentError) and error.argument and error.command_chain:
        name = error.argument.name
        asked = functools.reduce(lambda within, name: within[name], error.command_chain, app)
        told = asked.assemble_argument_collection(parse_docstring=True)
        what = next(one.parameter.help or "" for one in told if one.name == name)
        if not error.argument.field_info.is_keyword_only:
            name = name.lstrip("-").upper()  # as --help has it
        words = f"{command} needs {name}, {what[:1].lower()}{what[1:]}"
    return f"{words}\nSee {command} --help."
