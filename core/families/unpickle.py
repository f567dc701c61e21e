"""Pickled checkpoints as safetensors: the only place that opens a pickle of a person's."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import safetensors
import safetensors.torch
import torch

from core.errors import BaseModelError, StorageError, naming_full_memory

if TYPE_CHECKING:
    from pathlib import Path


@naming_full_memory("Close other programs.")
def unpickle(source: Path, out: Path) -> int:
    """Write a checkpoint's tensors as .safetensors; no code in it is run. Returns how many.

    Raises:
        BaseModelError: It cannot be read, or holds more than numbers.
        MemoryFullError: It does not fit.
        StorageError: `out` cannot be written.
    """
    other = "Get the model as .safetensors from where you got it."
    try:
        found = torch.load(source, map_location="cpu", mmap=True, weights_only=True)
    except RuntimeError:  # older than zip files, which cannot be mapped
        found = _in_memory(source, other)
    except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise _not_opened(source, error, other) from error
    inner = found.get("state_dict", found) if isinstance(found, dict) else {}
    tensors = {
        str(name): tensor.contiguous().clone()
        for name, tensor in inner.items()
        if isinstance(tensor, torch.Tensor)
    }
    if not tensors:
        raise BaseModelError(f"{source} holds no tensors.", hint=other)
    part = out.with_name(f".writing-{out.name}.part")
    try:
        safetensors.torch.save_file(tensors, part, {"format": "pt"})
        part.replace(out)
    except OSError as error:
        raise StorageError.writing(out, error) from error
    except safetensors.SafetensorError as error:
        raise BaseModelError(f"{source} cannot be written anew: {error}.", hint=other) from error
    finally:
        part.unlink(missing_ok=True)
    return len(tensors)


def _in_memory(source: Path, other: str) -> object:
    try:
        return torch.load(source, map_location="cpu", weights_only=True)
    except (OSError, EOFError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
        raise _not_opened(source, error, other) from error


def _not_opened(source: Path, error: Exception, hint: str) -> BaseModelError:
    words = str(error).partition("\n")[0][:200].rstrip(".")
    if "weights_only" in str(error) or isinstance(error, pickle.UnpicklingError):
        words = "it holds more than numbers, or is damaged"
    return BaseModelError(f"{source} was not opened: {words}.", hint=hint)
