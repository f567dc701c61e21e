"""Encoded pictures and captions on disk, under names made of what they were made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import safetensors
import safetensors.torch

from core.config.files import write_beside
from core.hashing import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor


@runtime_checkable
class Keyed(Protocol):
    """A value too large to be part of a name: a model, a picture's file."""

    @property
    def key(self) -> str:
        """A name for all of it."""
        ...


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of tensors by key. Any file may be deleted at any time; a damaged one is remade."""

    folder: Path

    def get(self, make: Callable[..., dict[str, Tensor]], **inputs: object) -> dict[str, Tensor]:
        """`make(**inputs)`, computed now if it is not there.

        The name is made of the function's and of every input: `make` must be a function of a
        module, which can see nothing else, so that nothing that enters can be forgotten.

        Raises:
            StorageError: It cannot be written.
        """
        path = self._path(make, inputs)
        try:
            return safetensors.torch.load(path.read_bytes())
        except (OSError, safetensors.SafetensorError):
            made = {name: tensor.contiguous().cpu() for name, tensor in make(**inputs).items()}
            write_beside(path, safetensors.torch.save(made))
            return made

    def has(self, make: Callable[..., dict[str, Tensor]], **inputs: object) -> bool:
        """Whether `make(**inputs)` need not be computed; a file may be damaged all the same."""
        return self._path(make, inputs).exists()

    def _path(self, make: Callable[..., dict[str, Tensor]], inputs: Mapping[str, object]) -> Path:
        if "<" in make.__qualname__:  # <lambda>, <locals>
            raise ValueError(f"{make.__qualname__} may see more than its arguments")
        names = (f"{n}={v.key if isinstance(v, Keyed) else v!r}" for n, v in sorted(inputs.items()))
        key = key_of(make.__module__, make.__qualname__, *names)
        return self.folder / key[:2] / f"{key}.safetensors"
