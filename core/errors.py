"""The failures that a person can act on; every other exception is a bug."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Of what torch raises, on a CPU and on a GPU; it has a type of its own for the latter alone.
_FULL_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


class UserError(Exception):
    """What failed, naming the file or setting, and what to do next.

    Attributes:
        code: Stable slug for tests and logs.
        message: One or two plain sentences.
        hint: One imperative sentence, or "".
    """

    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigError(UserError):
    """A project or run file that cannot be used as it is."""

    code = "config"


class NewerVersionError(UserError):
    """A file written by a later version of the program."""

    code = "newer-version"


class DatasetError(UserError):
    """No picture can be trained on."""

    code = "dataset"


class BaseModelError(UserError):
    """The base model is missing a part, or is of a kind that is not supported."""

    code = "base-model"


class TextsMissingError(BaseModelError):
    """The weights of a text encoder are nowhere: a file of it would do."""


class RestMissingError(BaseModelError):
    """A file holds only a part of a model; another place is to be named for the rest."""


class AdapterError(UserError):
    """An adapter file that cannot be read or does not fit the base."""

    code = "adapter"


class CaptionerError(UserError):
    """A captioner's files cannot be used, or are of a kind that is not read."""

    code = "captioner"


class RunError(UserError):
    """A run that cannot be started, resumed or found."""

    code = "run"


class DivergedError(UserError):
    """The loss or a gradient is no longer a finite number."""

    code = "diverged"


class ProcessLostError(UserError):
    """One of the processes that take a run's steps together is gone."""

    code = "process-lost"


class MemoryFullError(UserError):
    """The device has no room for what was asked."""

    code = "memory"


def full_memory(error: Exception) -> bool:
    """Whether that is what `error` means."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in _FULL_MEMORY)


@contextlib.contextmanager
def naming_full_memory(hint: str = "Close other programs, and try again.") -> Iterator[None]:
    """Say in words that memory ran out, and what to do.

    Raises:
        MemoryFullError: In the place of what torch or Python raises.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if full_memory(error):
            raise MemoryFullError("There is not enough memory for this.", hint=hint) from error
        raise


class StorageError(UserError):
    """A folder or file that cannot be written."""

    code = "storage"

    @classmethod
    def writing(cls, path: Path, error: OSError) -> StorageError:
        """Say why `path` could not be written, in words."""
        reason = os.strerror(error.errno) if error.errno else str(error)
        return cls(
            f"Could not write {path}: {reason}.",
            hint="Check that the folder may be written to and that the disk has room.",
        )
