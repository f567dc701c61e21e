"""Encoded pictures and captions on disk, under names made of what they were made from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors
import safetensors.torch

from core.config.files import write_beside

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


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


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of tensors by key. Any file may be deleted at any time; a damaged one is remade."""

    folder: Path
    nets: str  # a fingerprint of what makes the tensors

    def get(
        self, source: tuple[object, ...], make: Callable[[], dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """The tensors made from `source`, made now if they are not there.

        Raises:
            StorageError: They cannot be written.
        """
        key = key_of(self.nets, *source)
        path = self.folder / key[:2] / f"{key}.safetensors"
        try:
            return safetensors.torch.load(path.read_bytes())
        except (OSError, safetensors.SafetensorError):
            made = {name: tensor.contiguous().cpu() for name, tensor in make().items()}
            write_beside(path, safetensors.torch.save(made))
            return made
