"""Who holds a run or a project: two programs at once would write over each other."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from core.errors import RunError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from core.project.layout import Project, Run

LOCK = ".lock"
OWNER = ".owner.json"
_WITHOUT = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}  # a drive without locks


@contextlib.contextmanager
def held(folder: Path, busy: str, hint: str) -> Iterator[None]:
    """Hold a folder; the system gives it back when the process ends, however it ends.

    Some network drives know no locks: there nobody is refused.

    Args:
        folder: Of a run or a project.
        busy: What to say if another holds it: "The run 001 is being trained already".
        hint: And what to do about it.

    Raises:
        RunError: Another process holds it; it is named.
        StorageError: The folder cannot be written.
    """
    # a soft lock, in the place of one that is missing, would stay after a crash
    lock = FileLock(folder / LOCK, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise RunError(f"{busy} ({_owner(folder)}).", hint=hint) from error
    except OSError as error:
        if error.errno not in _WITHOUT:
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
        return f"process {int(said['pid'])} on {str(said['host'])[:80]}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another program"


def training(run: Run) -> AbstractContextManager[None]:
    """Hold a run while it is trained; raises as `held`."""
    busy = f"The run {run.root.name} is being trained already"
    return held(run.root, busy, "Wait until it ends, or stop it there.")


def working_on(project: Project) -> AbstractContextManager[None]:
    """Hold a project while a window shows it; raises as `held`."""
    busy = f"{project.root.name} is open in another window, too"
    return held(project.root, busy, "What is changed there appears here, and the other way round.")
