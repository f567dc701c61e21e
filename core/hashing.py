"""Names for content: of a file, of many values together, and files remembered by size and time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from core.config.files import write_beside
from core.errors import StorageError


def file_hash(path: Path) -> str:
    """A file's content as 32 hex digits.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def key_of(*parts: object) -> str:
    """A name for what was made from `parts`, as 32 hex digits."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=16).hexdigest()


class RememberedHashes:
    """Hashes of large files, which are read again only when their size or time has changed.

    Hashing a text encoder of 10 GB takes 10 s or more, at each start too long.
    """

    def __init__(self, memory: Path) -> None:
        """`memory` is a JSON file; lost or damaged it is made anew."""
        self._memory = memory
        self._known: dict[str, list[object]] = {}
        try:
            found = json.loads(memory.read_bytes())
        except (OSError, ValueError, RecursionError):
            return
        if isinstance(found, dict):
            self._known = {k: v for k, v in found.items() if isinstance(v, list)}

    def of(self, path: Path) -> str:
        """As `file_hash`.

        Raises:
            OSError: It cannot be read.
        """
        status = path.stat()
        stamp: list[object] = [status.st_size, status.st_mtime_ns]
        known = self._known.get(str(path))
        if known is not None and known[:-1] == stamp and isinstance(known[-1], str):
            return known[-1]
        made = file_hash(path)
        self._known[str(path)] = [*stamp, made]
        return made

    def save(self) -> None:
        """Write down what is known; where that is not possible it is found out again."""
        content = json.dumps(self._known, sort_keys=True).encode()
        try:
            write_beside(self._memory, content)
        except StorageError:
            return
