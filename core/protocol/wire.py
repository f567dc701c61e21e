"""Lines on the pipe: encode and decode events and commands."""

from __future__ import annotations

import msgspec

from core.protocol.commands import Command
from core.protocol.events import Event

_encoder = msgspec.json.Encoder()
_events = msgspec.json.Decoder(Event)
_NONE_OF_OURS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_commands = msgspec.json.Decoder(Command)


class WireError(ValueError):
    """A line that is not one of ours."""


def to_line(message: Event | Command) -> bytes:
    """One message as one line, newline included."""
    try:
        return _encoder.encode(message) + b"\n"
    except UnicodeEncodeError:  # a file's name that is not UTF-8, as old archives have them
        return _encoder.encode(_readable(msgspec.to_builtins(message))) + b"\n"


def _readable(tree: object) -> object:
    if isinstance(tree, dict):
        return {name: _readable(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_readable(value) for value in tree]
    return tree.encode(errors="replace").decode() if isinstance(tree, str) else tree


def event_from(line: bytes) -> Event:
    """Decode what a worker said.

    Raises:
        WireError: Not JSON, an unknown tag, or a field of the wrong type.
    """
    try:
        return _events.decode(line)
    except _NONE_OF_OURS as error:
        raise WireError(f"{error}: {line[:200]!r}") from error


def command_from(line: bytes) -> Command:
    """Decode what a worker was told.

    Raises:
        WireError: Not JSON, an unknown tag, or a field of the wrong type.
    """
    try:
        return _commands.decode(line)
    except _NONE_OF_OURS as error:
        raise WireError(f"{error}: {line[:200]!r}") from error
