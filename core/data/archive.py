"""Pictures and their captions out of a .zip file, which may be broken or meant ill."""

from __future__ import annotations

import errno
import lzma
import shutil
import struct
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from core.data.captions import SUFFIXES as CAPTIONS
from core.data.walk import JUNK
from core.data.walk import SUFFIXES as PICTURES
from core.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST_TIMES = 200  # that what is inside may be larger than the file; pictures hardly shrink at all
SMALL_BYTES = 64 * 2**20  # which harm no one, however they were packed
MOST_FILES = 1_000_000
# What zipfile raises for damaged archives and ways of packing that it does not know.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    LookupError,
    OverflowError,
    NotImplementedError,
)
SPARE_BYTES = 2**30  # that stay free on the disk


def unpack(file: Path, folder: Path, stopped: Callable[[], bool]) -> None:
    """Write the pictures and captions of `file` into `folder`, each where it lies inside.

    Nothing is written outside of `folder`, links are passed over, and no more is written than
    the file says of itself, which is looked at first. Of two files of one name the last is kept.

    Args:
        file: The archive; it stays as it is.
        folder: Is made; whatever goes wrong, it may be removed.
        stopped: Asked between two files.

    Raises:
        DatasetError: It is no archive, wants a password, is damaged, or holds far too much.
        OSError: It cannot be read, or `folder` not written.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            wanted = [one for one in archive.infolist() if _is_wanted(one)]
            _check_size(file, folder, wanted)
            for one in wanted:
                if stopped():
                    return
                archive.extract(one, folder)  # of "../x", "/x" and "C:\\x" what stays inside
    except _DAMAGED as error:
        raise _damaged(file, error) from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # a place before the file's beginning
            raise _damaged(file, error) from error
        raise
    except RuntimeError as error:  # what zipfile says of passwords
        raise DatasetError(
            f"{file.name} wants a password.", hint="Unpack it yourself, and drop the folder."
        ) from error


def _damaged(file: Path, error: Exception) -> DatasetError:
    return DatasetError(
        f"{file.name} cannot be unpacked ({error}).", hint="Get a whole copy of it."
    )


def _is_wanted(one: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(one.filename)
    hidden = any(part.startswith(".") or part.lower() in JUNK for part in path.parts)
    linked = one.external_attr >> 28 == 0xA  # noqa: PLR2004 - a symbolic link's type in Unix
    kind = path.suffix.lower()
    return not (one.is_dir() or hidden or linked) and kind in {*PICTURES, *CAPTIONS}


def _check_size(file: Path, folder: Path, wanted: list[zipfile.ZipInfo]) -> None:
    whole, packed = sum(one.file_size for one in wanted), file.stat().st_size
    hint = "Unpack it yourself, and drop the pictures that you want."
    if len(wanted) > MOST_FILES or whole > max(SMALL_BYTES, MOST_TIMES * packed):
        raise DatasetError(
            f"{file.name} would become {whole / 2**30:,.1f} GB in {len(wanted):,} files, "
            f"{whole // max(1, packed):,} times its size: it is not unpacked.",
            hint=hint,
        )
    free = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
    if whole > free - SPARE_BYTES:
        raise DatasetError(
            f"{file.name} would become {whole / 2**30:,.1f} GB, and the disk has "
            f"{free / 2**30:,.1f} GB left.",
            hint="Make room, or unpack it elsewhere.",
        )
