"""Every message survives the wire, and junk is refused."""

import typing

import msgspec
import pytest

from core.protocol import commands, events, wire
from core.protocol.events import StyleMeasured, Warned

SAMPLES = {str: "a", int: 1, float: 0.5, bool: True}


def sample(kind: type):
    """A message with every field set."""
    values = {}
    for field in msgspec.structs.fields(kind):
        if typing.get_origin(field.type) is tuple:
            values[field.name] = ("a", "b")
            continue
        if typing.get_origin(field.type) is list:
            (of,) = typing.get_args(field.type)
            if isinstance(of, type) and issubclass(of, msgspec.Struct):
                values[field.name] = [sample(of)]
            else:
                values[field.name] = ["a", "b"] if of is str else [0.5, 0.25]
            continue
        if typing.get_origin(field.type) is dict:
            values[field.name] = {"a": 0.5}
            continue
        plain = typing.get_args(field.type)[0] if typing.get_args(field.type) else field.type
        values[field.name] = plain if isinstance(plain, str) else SAMPLES[plain]
    return kind(**values)


@pytest.mark.parametrize("kind", typing.get_args(events.Event))
def test_events_come_back(kind: type) -> None:
    event = sample(kind)
    line = wire.to_line(event)
    assert line.count(b"\n") == 1
    assert wire.event_from(line) == event


@pytest.mark.parametrize("kind", typing.get_args(commands.Command))
def test_commands_come_back(kind: type) -> None:
    command = sample(kind)
    assert wire.command_from(wire.to_line(command)) == command


@pytest.mark.parametrize("line", [b"hello\n", b'{"type": "novelty"}\n', b'{"type": "hello"}\n'])
def test_junk_is_refused(line: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.event_from(line)


def test_a_name_that_is_not_utf8_does_not_break_the_wire() -> None:
    name = b"caf\xe9.png".decode(errors="surrogateescape")
    line = wire.to_line(Warned(message=f"{name} is damaged", path=name))
    assert wire.event_from(line) == Warned(message="caf?.png is damaged", path="caf?.png")


def test_a_style_that_was_there_before_is_no_division_by_zero() -> None:
    assert StyleMeasured(before=0, after=1, check=1).change.startswith("0% nearer")
    assert StyleMeasured(before=2, after=1, check=1).change.startswith("50% nearer")
    assert StyleMeasured(before=1, after=1.5, check=1).change.startswith("50% further")
