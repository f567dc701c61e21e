"""Notices what other programs change in a dataset's folders, with no more than looks at the disk.

What systems tell of changes is not enough here: of a folder they tell which files came and went and
not which were written anew in their place, a file each they have no room for 100,000 of, and
network drives tell nothing. So folders are looked at by their times, and the files in them one
after the other, as many as a small share of the time allows; those of a folder that changed at
once.

Of a file one number is kept, which takes half the room of a pair.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from typing import TYPE_CHECKING

from core.data import captions
from core.data.walk import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from pathlib import Path

Stamp = int  # when a file was changed, in ns, and below that its bytes
BYTES_BITS = 44
READ = (*sorted(SUFFIXES), *captions.SUFFIXES)  # files of other kinds are of no interest
SLACK_NS = 2_000_000_000  # a drive's clock may be that coarse
AT_ONCE = 64  # files between two looks at the clock


class Watch:
    """Knows files as they were; for one thread, but for `know`."""

    def __init__(self) -> None:
        self._folders: dict[str, int | None] = {}  # their times; None is not there
        self._files: dict[str, dict[str, Stamp | None]] = {}  # by folder; None is not known yet
        self._ours: dict[str, Stamp | None] = {}
        self._guard = threading.Lock()
        self._since = 0
        self._round: Generator[bool, None, None] | None = None

    def know(self, files: Iterable[Path]) -> None:
        """We have written these: as they are now they are no news."""
        for file in files:
            stamp = _stamp(str(file))
            with self._guard:
                self._ours[str(file)] = stamp

    def begin(self, folders: Sequence[Path], since_ns: int) -> None:
        """Watch these: what was seen in them is as it was at `since_ns`, or was known before."""
        wanted = [str(folder) for folder in folders]
        self._since = since_ns - SLACK_NS
        self._files = {folder: self._files.get(folder, {}) for folder in wanted}
        self._folders = {folder: self._folders.get(folder, -1) for folder in wanted}
        self._round = None

    def look(self, seconds: float) -> bool:
        """Look for about `seconds`; whether anything changed that we have not written."""
        until = time.monotonic() + seconds
        changed = False
        for folder, known in self._folders.items():
            now = _time(folder)
            if now == known:
                continue
            self._folders[folder] = now
            if now is None or known is None:  # it went, or came back
                changed = True
                self._files[folder] = {}
                self._folders[folder] = None if now is None else -1  # to be gone through
            else:
                changed |= any(self._listed(folder, first=known == -1))
        if self._round is None:
            self._round = self._all()
        while time.monotonic() < until:
            found = next(self._round, None)
            if found is None:
                self._round = None
                break
            changed |= found
        return changed

    def _all(self) -> Generator[bool, None, None]:
        """Once around all files."""
        for folder in list(self._files):
            yield from self._stamped(folder, list(self._files[folder]))

    def _listed(self, folder: str, *, first: bool) -> Generator[bool, None, None]:
        """A folder that is new here, or whose time is another: its names, then its files."""
        try:
            with os.scandir(folder) as entries:
                names = {
                    entry.name
                    for entry in entries
                    if not entry.name.startswith(".")
                    and (entry.name.lower().endswith(READ) or entry.is_dir())
                }
        except OSError:
            self._folders[folder] = None
            yield True
            return
        before = self._files[folder]
        self._files[folder] = {name: before.get(name) for name in names}
        if first:
            yield (self._folders[folder] or 0) >= self._since and not before
        else:
            yield names != before.keys()
            yield from self._stamped(folder, names)

    def _stamped(self, folder: str, names: Iterable[str]) -> Generator[bool, None, None]:
        """Whether files are others than they were, some at a time."""
        files = self._files[folder]
        changed = False
        for number, name in enumerate(names):
            path = os.path.join(folder, name)  # noqa: PTH118 - of 100,000
            now, before = _stamp(path), files.get(name)
            if self._ours:
                with self._guard:
                    before = self._ours.pop(path, before)
            if now is not None and before is None:  # the first look at it
                changed |= now >> BYTES_BITS >= self._since
            elif now != before:
                changed = True
            files[name] = now
            if not number % AT_ONCE:
                yield changed
                changed = False
        yield changed


def _time(folder: str) -> int | None:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - of thousands
    except OSError:
        return None


def _stamp(path: str) -> Stamp | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - of 100,000
    except (OSError, ValueError):
        return None
    if stat.S_ISDIR(status.st_mode):  # its own time is looked at
        return 0
    return (status.st_mtime_ns << BYTES_BITS) + status.st_size
