"""Adapter files: safetensors whose bytes depend on nothing but their content."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING

import safetensors
import safetensors.torch

from core.config.files import write_beside
from core.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

_LENGTH = struct.Struct("<Q")
PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")


def to_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file with a sorted header: the library itself writes metadata in any order."""
    content = safetensors.torch.save({k: t.contiguous() for k, t in tensors.items()})
    (length,) = _LENGTH.unpack_from(content)
    header = json.loads(content[_LENGTH.size : _LENGTH.size + length])
    header["__metadata__"] = dict(metadata)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensor data starts at a multiple of 8
    return _LENGTH.pack(len(text)) + text + content[_LENGTH.size + length :]


def with_hashes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """`metadata` with kohya's two hashes, by which A1111 and Forge know a file again.

    sshs_model_hash: sha256 of what follows the header. sshs_legacy_hash: the first 8 digits of
    sha256 over 64 KiB from 1 MiB on, of the file with the ss_ entries alone (sd-scripts,
    precalculate_safetensors_hashes).
    """
    training = {k: v for k, v in metadata.items() if k.startswith("ss_")}
    content = to_bytes(tensors, training)
    (length,) = _LENGTH.unpack_from(content)
    return {
        **metadata,
        "sshs_model_hash": hashlib.sha256(content[_LENGTH.size + length :]).hexdigest(),
        "sshs_legacy_hash": hashlib.sha256(content[0x100000:0x110000]).hexdigest()[:8],
    }


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write an adapter file beside `path` and rename it into place.

    Raises:
        StorageError: It cannot be written.
    """
    write_beside(path, to_bytes(tensors, metadata))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of an adapter file.

    Raises:
        AdapterError: It is missing or no safetensors file. Pickled files are not opened: they can
            run code.
    """
    if path.suffix.lower() in PICKLES:
        raise AdapterError(
            f"{path} is a pickled file, which can run code and is not opened.",
            hint="Choose a .safetensors file.",
        )
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (OSError, safetensors.SafetensorError, ValueError, TypeError, RuntimeError) as error:
        raise AdapterError(
            f"{path} cannot be read as an adapter: {error}.",
            hint="Choose a whole .safetensors file.",
        ) from error
