"""Remembers what was found of each picture, on the disk too, so that a file is decoded once.

A project's catalogue is one SQLite file in its cache. Nothing in it is a person's: lost, damaged,
or of another version it is made anew.
"""

from __future__ import annotations

import json
import logging
import os
import struct
import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.data import examine as examining
from core.data import masks
from core.data.examine import Picture, with_caption
from core.data.findings import Finding
from core.data.measures import SKETCH_EDGE, Measures

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

log = logging.getLogger(__name__)
VERSION = 1  # one more whenever `examine` finds other things in the same file
SETTLED_NS = 2_000_000_000  # what was written just now may be written again with the same time
_WAIT_SECONDS = 2.0  # for another program that writes the file
_TABLE = """
    CREATE TABLE IF NOT EXISTS pictures (
        path BLOB PRIMARY KEY, changed INTEGER, touched INTEGER, bytes INTEGER,
        width INTEGER, height INTEGER, said TEXT, fingerprint INTEGER, measures BLOB,
        caption TEXT, guessed INTEGER, sidecar BLOB,
        caption_changed INTEGER, caption_touched INTEGER, caption_bytes INTEGER
    ) WITHOUT ROWID
"""
_COLUMNS = 15
_NUMBERS = f"<5d{3 * SKETCH_EDGE**2}s"  # sharpness, what is inside of bars, the sketch
_LARGEST = 2**63  # SQLite's numbers; a file may be dated thousands of years ahead

Stamp = tuple[int, int, int]  # when the content and the file were changed, ns; bytes
_NOT_THERE: Stamp = (0, 0, -1)


@dataclass(slots=True)
class _Entry:
    stamp: Stamp
    found: Picture | Finding  # a picture with the caption that was read last
    caption: Stamp | None  # of that; None is to be read again


class Catalogue:
    """For one thread at a time."""

    def __init__(self, file: Path | None = None) -> None:
        """`file` need not be there, nor its folder; without one nothing outlasts this object."""
        self._file = file
        self._entries: dict[str, _Entry] = {}
        self._altered: set[str] = set()  # since it was saved
        self._loaded = file is None

    def load(self) -> None:
        """Read the file, once; done by itself where something is asked."""
        if self._loaded or self._file is None:
            return
        self._loaded = True
        if self._file.exists():
            self._entries = _read(self._file)

    def below(self, folders: Sequence[Path]) -> list[Picture | Finding]:
        """What was found in these folders before, in a walk's order; the disk is not looked at."""
        self.load()
        found: list[Picture | Finding] = []
        for folder in folders:
            start = os.path.join(folder, "")  # noqa: PTH118 - with a slash at its end
            keys = [key for key in self._entries if key.startswith(start)]
            found += [self._entries[key].found for key in sorted(keys, key=_walked)]
        return found

    def knows(self, path: Path) -> bool:
        """Whether the file is as it was when it was decoded."""
        self.load()
        entry = self._entries.get(str(path))
        return entry is not None and entry.stamp == _stamp(path)

    def examine(
        self, path: Path, caption: str | None = None, *, masked: bool | None = None
    ) -> Picture | Finding:
        """As `examine`; what has not changed is neither decoded nor read again.

        Args:
            path: Of the picture.
            caption: The name of its caption's file, as a walk found it; "" for none, None unknown.
            masked: Whether a mask lies beside it, likewise; it is not written down.
        """
        self.load()
        key = str(path)
        try:
            stamp = _stamp_of(os.stat(path))  # noqa: PTH116 - twice as fast, 100,000 times
            entry = self._entries.get(key)
            if entry is None or entry.stamp != stamp:
                found = examining.of_pixels(path, decode=True)
                self._entries[key] = entry = _Entry(stamp, found, None)
                self._altered.add(key)
        except OSError as error:  # which may be otherwise in a moment
            return examining.out_of_reach(path, error)
        if isinstance(entry.found, Finding):
            return entry.found
        if masked is None:
            masked = masks.mask_file(path) is not None
        if entry.found.masked != masked:
            entry.found = replace(entry.found, masked=masked)
        return self._captioned(key, entry, entry.found, caption)

    def _captioned(
        self, key: str, entry: _Entry, picture: Picture, caption: str | None
    ) -> Picture | Finding:
        name = caption if caption is not None else ""
        beside = os.path.join(os.path.dirname(key), name) if name else ""  # noqa: PTH118, PTH120
        stamp = _stamp(beside) if beside else _NOT_THERE
        same = not name or name == picture.sidecar
        if caption is not None and entry.caption == stamp and same:
            return picture
        began = time.time_ns()
        found = with_caption(picture, Path(beside) if beside else None)
        if isinstance(found, Picture):
            entry.found = found
            settled = max(stamp[0], stamp[1]) < began - SETTLED_NS
            entry.caption = stamp if settled and caption is not None else None
            self._altered.add(key)
        return found

    def keep_only(self, paths: Iterable[Path]) -> None:
        """Forget all other files."""
        there = {str(path) for path in paths}
        for key in [key for key in self._entries if key not in there]:
            del self._entries[key]
            self._altered.add(key)

    def save(self) -> None:
        """Write down what is new; where that is not possible it is found out again."""
        if self._file is None or not self._altered:
            return
        kept = (key for key in self._altered if key in self._entries)
        gone = [(os.fsencode(key),) for key in self._altered if key not in self._entries]
        try:
            _write(self._file, (_row(key, self._entries[key]) for key in kept), gone)
        except (OSError, ValueError, _sqlite().Error) as error:
            log.info("the catalogue %s is not written: %s", self._file, error)
            return
        self._altered.clear()


def _stamp(path: Path | str) -> Stamp:
    try:
        return _stamp_of(os.stat(path))  # noqa: PTH116
    except OSError:
        return _NOT_THERE


def _stamp_of(status: os.stat_result) -> Stamp:
    """With the time of the file's own change: who may read it leaves no other trace."""
    return (status.st_mtime_ns % _LARGEST, status.st_ctime_ns % _LARGEST, status.st_size)


def _walked(key: str) -> tuple[list[str], str]:
    """By this a walk meets files: those of a folder before those of folders in it."""
    folder, _, name = key.rpartition(os.sep)
    return folder.split(os.sep), name  # noqa: PTH206 - of a text, 100,000 times


def _sqlite():  # noqa: ANN202 - a module
    import sqlite3  # in the scan's thread, not while the window starts

    return sqlite3


def _open(file: Path) -> sqlite3.Connection:
    return _sqlite().connect(file, timeout=_WAIT_SECONDS, isolation_level=None)


def _read(file: Path) -> dict[str, _Entry]:
    """Everything a file remembers; nothing where it is damaged or of another version."""
    try:
        with closing(_open(file)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                return {}
            rows = db.execute("SELECT * FROM pictures")
            return {os.fsdecode(row[0]): _entry(row) for row in rows}
    except (OSError, ValueError, TypeError, struct.error, _sqlite().Error) as error:
        log.info("the catalogue %s is made anew: %s", file, error)
        return {}


def _write(file: Path, rows: Iterator[tuple], gone: Sequence[tuple[bytes]]) -> None:
    """Put rows in the place of those of their names, and take some out, all or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        _put(file, rows, gone)
    except _sqlite().OperationalError:  # locked, full, or read-only: it is whole
        raise
    except _sqlite().DatabaseError:  # no database: ours is written by the next scan
        with suppress(OSError):
            file.unlink()
        raise


def _put(file: Path, rows: Iterator[tuple], gone: Sequence[tuple[bytes]]) -> None:
    with closing(_open(file)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute("BEGIN IMMEDIATE")
        if version != VERSION:
            db.execute("DROP TABLE IF EXISTS pictures")
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute(_TABLE)
        db.executemany("DELETE FROM pictures WHERE path = ?", gone)
        marks = ", ".join("?" * _COLUMNS)
        db.executemany(f"INSERT OR REPLACE INTO pictures VALUES ({marks})", rows)  # noqa: S608
        db.execute("COMMIT")


def _row(key: str, entry: _Entry) -> tuple:
    found = entry.found
    caption = entry.caption or (None, None, None)
    name = os.fsencode(key)  # which need not be UTF-8
    if isinstance(found, Finding):
        said = _said([found])
        return (name, *entry.stamp, None, None, said, None, None, None, None, None, *caption)
    sidecar = os.fsencode(found.sidecar)
    return (
        *(name, *entry.stamp, found.width_px, found.height_px, _said(found.remarks)),
        *_measures_row(found.measures),
        *(found.caption, found.guessed, sidecar, *caption),
    )


def _measures_row(measures: Measures | None) -> tuple[int | None, bytes | None]:
    if measures is None:
        return None, None
    rest = struct.pack(_NUMBERS, measures.sharpness, *measures.inside, measures.sketch)
    return measures.fingerprint, rest


def _measures(fingerprint: int | None, rest: bytes | None) -> Measures | None:
    if fingerprint is None or rest is None:
        return None
    sharpness, left, top, right, bottom, sketch = struct.unpack(_NUMBERS, rest)
    return Measures(fingerprint, sketch, sharpness, (left, top, right, bottom))


def _said(findings: Sequence[Finding]) -> str | None:
    told = [[finding.message, finding.hint, finding.summary] for finding in findings]
    return json.dumps(told) if told else None


def _entry(row: tuple) -> _Entry:
    name, *stamp = row[:4]
    width, height, said, fingerprint, measures, text, guessed, sidecar = row[4:12]
    path = Path(os.fsdecode(name))
    usable = width is not None
    told = tuple(
        Finding(path, message, hint, usable, summary)
        for message, hint, summary in (json.loads(said) if said else ())
    )
    caption = None if row[12] is None else (row[12], row[13], row[14])
    if not usable:
        return _Entry((stamp[0], stamp[1], stamp[2]), told[0], None)
    said_of = (text, bool(guessed), os.fsdecode(sidecar), told, _measures(fingerprint, measures))
    found = Picture(path, width, height, *said_of, size_bytes=stamp[2])
    return _Entry((stamp[0], stamp[1], stamp[2]), found, caption)
