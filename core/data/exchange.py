"""Puts a file in another's place and loses nothing that someone else writes at that moment."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import sys
from functools import cache
from pathlib import Path

from core.config.files import set_mode, write_beside
from core.errors import StorageError

_AT_CWD = -100
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux' renameat2
_WITHOUT = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}  # the system or its disk cannot do it


def put(path: Path, content: bytes) -> Path | None:
    """Write `content` to `path`; returns where that lies now which was there, None for nothing.

    It is the very file, so that a program which was writing it goes on there (a copy of the same
    time where the disk knows no second names). Whoever reads `path` sees the old content or the new
    one. The caller does away with what is returned.

    Linux exchanges both names at once. Elsewhere a second name is given to the old file first; a
    program that renames its own into place between that and our renaming is written over, some
    hundredths of a millisecond.

    Raises:
        StorageError: It cannot be written; `path` is unchanged.
    """
    path = path.resolve() if path.is_symlink() else path  # the link stays a link
    beside, other = _beside(path), _beside(path)
    write_beside(beside, content)
    try:
        if path.exists():
            set_mode(beside, path.stat().st_mode)
        if _exchange(beside, path):
            return beside
        _second_name(path, other)
        beside.replace(path)
    except OSError as error:
        for made in (beside, other):
            with contextlib.suppress(OSError):
                made.unlink(missing_ok=True)
        raise StorageError.writing(path, error) from error
    return other if other.exists() else None


def free(folder: Path, name: str) -> Path:
    """`name` in a folder, which is made; numbered where a file has it, whatever its suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    stems = {path.stem.lower() for path in folder.iterdir()}
    stem, suffix = Path(name).stem, Path(name).suffix
    found, number = stem, 1
    while found.lower() in stems:
        number += 1
        found = f"{stem}-{number}"
    return folder / f"{found}{suffix}"


def keep(file: Path, folder: Path, name: str) -> Path:
    """Move a file into `folder` as `name`, numbered where that is taken; returns where it is.

    Raises:
        StorageError: The folder cannot be written; the file is where it was.
    """
    try:
        target = free(folder, name)
        shutil.move(file, target)
    except OSError as error:
        raise StorageError.writing(folder, error) from error
    return target


def content_of(file: Path) -> bytes | None:
    """What a file holds.

    Raises:
        OSError: It cannot be read, or its folder is not there.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        file.parent.stat()
        return None


def lay(content: bytes, folder: Path, name: str) -> Path:
    """Write what finds no place into `folder` as `name`, numbered where that is taken.

    Raises:
        OSError, StorageError: It cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    beside = _beside(folder / name)
    beside.write_bytes(content)
    return keep(beside, folder, name)


def swap(file: Path, wanted: bytes | None, known: bytes | None, bin_folder: Path) -> Path | None:
    """Put `wanted` in the place of `known`; where that lies which was there instead, if so.

    None is no file.

    Raises:
        OSError, StorageError: It cannot be written.
    """
    if wanted is None:
        there = _beside(file)
        file.rename(there)
    else:
        there = put(file, wanted)
    if there is None:
        return None
    if there.read_bytes() != known:  # written in this very moment
        return keep(there, bin_folder, file.name)
    there.unlink()
    return None


def _beside(path: Path) -> Path:
    return path.with_name(f".writing-{secrets.token_hex(8)}.part")


def _second_name(path: Path, other: Path) -> None:
    """Give the file at `path`, if there is one, the name `other` too."""
    try:
        os.link(path, other)
    except FileNotFoundError:
        pass
    except OSError:  # this disk knows no second names
        times = path.stat()
        shutil.copyfile(path, other)
        os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))


def _exchange(first: Path, second: Path) -> bool:
    """Let both names change places; False where that cannot be done, or `second` is not there.

    Raises:
        OSError: For any other reason.
    """
    rename = _renameat2()
    if rename is None:
        return False
    if rename(_AT_CWD, os.fsencode(first), _AT_CWD, os.fsencode(second), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _WITHOUT or number == errno.ENOENT:
        return False
    raise OSError(number, os.strerror(number))


@cache
def _renameat2() -> ctypes._NamedFuncPointer | None:
    """The C library's function; Python has none for it."""
    if not sys.platform.startswith("linux"):
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        function.argtypes = (
            *(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p),
            ctypes.c_uint,
        )
    return function
