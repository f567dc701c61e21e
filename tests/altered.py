"""Files as accidents and malice leave them: altered bytes, and altered values in a whole form."""

from __future__ import annotations

import json
import random
import struct

ODD_VALUES = (
    None, True, 0, -1, 2**31, 2**63, 10**30, 1e308, -0.0, 0.5, "", "x" * 5000, "\0", "é猫", [], {},
    [[]], [None], {"": None}, "../../etc/passwd", "NaN", [1, "a", None], {"a": {"b": [1]}},
)  # fmt: skip


def bytes_of(content: bytes, rng: random.Random) -> bytes:
    """Cut, filled, flipped, doubled or emptied somewhere."""
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.randrange(len(made) + 1)
        match rng.randrange(6):
            case 0:
                del made[place:]
            case 1:
                made[place : place + rng.randrange(1, 64)] = b""
            case 2:
                made[place:place] = rng.randbytes(rng.randrange(1, 64))
            case 3 if made:
                made[place % len(made)] ^= 1 << rng.randrange(8)
            case 4:
                made[place:place] = made[: rng.randrange(1, 64)]
            case _:
                made[place : place + 8] = bytes(8)
    return bytes(made)


def values_of(tree: object, rng: random.Random) -> object:
    """A JSON tree in which one value or name is another."""
    tree = json.loads(json.dumps(tree))
    places = list(_places(tree))
    if not places:
        return rng.choice(ODD_VALUES)
    for _ in range(rng.choice((1, 1, 3))):
        parent, key = rng.choice(places)
        try:
            match rng.randrange(5):
                case 0:
                    del parent[key]
                case 1 if isinstance(parent, dict):
                    parent[rng.choice(("", "x", str(key) + "x", "é" * 300))] = parent.pop(key)
                case 2 if isinstance(parent[key], int | float):
                    parent[key] = parent[key] * rng.choice((-1, 2, 10**9, 0.5))
                case _:
                    parent[key] = rng.choice(ODD_VALUES)
        except (KeyError, IndexError):
            continue
    return tree


def _places(tree: object):
    pairs = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    for key, value in list(pairs):
        yield tree, key
        yield from _places(value)


def json_of(content: bytes, rng: random.Random) -> bytes:
    """A JSON file, altered in its bytes or its values."""
    if rng.random() < 0.4:
        return bytes_of(content, rng)
    if rng.random() < 0.05:
        return b"[" * rng.choice((100, 100_000)) + content
    return json.dumps(values_of(json.loads(content), rng)).encode()


def safetensors_of(content: bytes, rng: random.Random) -> bytes:
    """A safetensors file, altered in its bytes, its header's values or its numbers."""
    (length,) = struct.unpack_from("<Q", content)
    header, data = content[8 : 8 + length], content[8 + length :]
    match rng.randrange(4):
        case 0:
            return bytes_of(content, rng)
        case 1:
            return content[: 8 + length] + bytes_of(data, rng)[: len(data)].ljust(
                len(data), b"\xff"
            )
        case _:
            said = json.dumps(values_of(json.loads(header), rng)).encode()
            return struct.pack("<Q", len(said)) + said + data
