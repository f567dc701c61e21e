"""What a crop is to keep of each picture, where a person has said it: one file in the project."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from core.config.files import write_beside
from core.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Point = tuple[float, float]  # from the left and the top, as shares of a picture's edges
PAIR = 2


def read(file: Path, root: Path) -> dict[Path, Point]:
    """The points of a project's pictures; none where there is no file.

    Args:
        file: Names are relative to `root` where they lie in it.
        root: The project's folder.

    Raises:
        DatasetError: The file cannot be read, or holds something else.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unread(file, error) from error
    return decode(content, file, root)


def decode(content: bytes, file: Path, root: Path) -> dict[Path, Point]:
    """The same of what a file holds; `file` is for the message.

    Raises:
        DatasetError: It holds something else.
    """
    try:
        return {root / name: _point(value) for name, value in json.loads(content).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _unread(file, error) from error


def _unread(file: Path, error: Exception) -> DatasetError:
    return DatasetError(
        f"{file} does not say where pictures are to be cropped ({error}).",
        hint="Put an older copy back, or remove it: then crops keep the middle.",
    )


def _point(value: object) -> Point:
    if not isinstance(value, list) or len(value) != PAIR:
        raise ValueError(f"{value!r} is no pair of numbers")
    x, y = (float(number) for number in value)
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(f"{value!r} are no numbers")
    return (min(1.0, max(0.0, x)), min(1.0, max(0.0, y)))


def write(file: Path, points: Mapping[Path, Point], root: Path) -> None:
    """Write down all points.

    Raises:
        StorageError: The folder is not writable or the disk is full; the old file stays.
    """
    write_beside(file, encode(points, root))


def encode(points: Mapping[Path, Point], root: Path) -> bytes:
    """As the file is written."""
    said = {_name(path, root): point for path, point in points.items()}
    return json.dumps(said, indent=1, sort_keys=True).encode() + b"\n"


def _name(path: Path, root: Path) -> str:
    """As it stays right when the project is moved."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
