"""Who holds a run: two programs that train the same one would write over each other."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from core.errors import RunError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = ".lock"
OWNER = ".owner.json"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a run's folder; the system gives it back when the process ends, however it ends.

    Raises:
        RunError: Another process holds it; it is named.
        StorageError: The folder cannot be written.
    """
    try:
        lock = FileLock(folder / LOCK)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise RunError(
            f"The run {folder.name} is being trained already{_owner(folder)}.",
            hint="Wait until it ends, or stop it there.",
        ) from error
    except OSError as error:
        raise StorageError.writing(folder / LOCK, error) from error
    owner = folder / OWNER
    try:
        with contextlib.suppress(OSError):  # it only tells who; the lock itself is held
            owner.write_text(json.dumps({"pid": os.getpid(), "host": platform.node()}))
        yield
    finally:
        with contextlib.suppress(OSError):
            owner.unlink(missing_ok=True)
        lock.release()


def _owner(folder: Path) -> str:
    try:
        said = json.loads((folder / OWNER).read_text())
        return f" by process {int(said['pid'])} on {str(said['host'])[:80]}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return " by another program"
