"""Checkpoints: a folder with the adapter, the optimizer and the step, there whole or not at all."""

from __future__ import annotations

import io
import os
import pickle
import shutil
from typing import TYPE_CHECKING

import msgspec
import torch

from core.adapters import files, formats, lora
from core.adapters.lora import Place
from core.config.files import write_beside
from core.errors import AdapterError, NewerVersionError, RunError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from core.project.layout import Run
    from core.training.setup import Prepared

STATE_VERSION = 1


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`state.json`. No random state: every number of a step comes from the seed and the step."""

    version: int = STATE_VERSION
    step: int
    dataset: str  # Prepared.dataset_key


def save(run: Run, prepared: Prepared, step: int) -> Path:
    """Write the checkpoint of `step` under another name, then rename the folder.

    Raises:
        StorageError: The run's folder cannot be written.
    """
    folder = run.checkpoint(step)
    if (folder / "state.json").exists():
        return folder  # the same step of the same run holds the same numbers
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    tensors = formats.to_kohya(lora.take(prepared.nets), dict(prepared.family.names))
    files.write(beside / "adapter.safetensors", tensors, {})
    optimizer = io.BytesIO()
    torch.save(prepared.trainable.optimizer.state_dict(), optimizer)
    write_beside(beside / "optimizer.pt", optimizer.getvalue())
    state = State(step=step, dataset=prepared.dataset_key)
    write_beside(beside / "state.json", msgspec.json.encode(state))
    try:
        if folder.exists():  # without its state.json it is of no use
            shutil.rmtree(folder)
        beside.rename(folder)
        _flush(folder.parent)
        _forget_old(run, prepared.config.training.keep_checkpoints)
    except OSError as error:
        raise StorageError.writing(folder, error) from error
    return folder


def _flush(folder: Path) -> None:
    """Make a rename last through a power cut, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _forget_old(run: Run, keep: int) -> None:
    cut_short = list(run.checkpoints.glob(".step*.part"))  # by a kill or a full disk
    for folder in run.complete_checkpoints()[:-keep] + cut_short:
        shutil.rmtree(folder, ignore_errors=True)  # one that is open elsewhere goes the next time


def load(folder: Path, prepared: Prepared) -> State:
    """Put a checkpoint's numbers into a prepared run.

    Raises:
        RunError: A file of it is missing or damaged.
        NewerVersionError: A later version of the program wrote it.
        AdapterError: It was made with another base model.
    """
    try:
        state = msgspec.json.decode((folder / "state.json").read_bytes(), type=State)
        if state.version > STATE_VERSION:
            raise NewerVersionError(
                f"The checkpoint {folder} was written by a newer version of Stylewright.",
                hint="Update Stylewright to go on with this run.",
            )
        content = torch.load(folder / "optimizer.pt", map_location="cpu", weights_only=True)
        tensors, metadata = files.read(folder / "adapter.safetensors")
    except (
        AdapterError,
        OSError,
        EOFError,
        msgspec.MsgspecError,
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
    ) as error:
        raise RunError(
            f"The checkpoint {folder} cannot be read: {error}.",
            hint="Move that folder away to resume from the one before it.",
        ) from error
    places: list[Place] = [place for place, _ in lora.layers(prepared.nets)]
    adapter = formats.from_tensors(tensors, metadata, dict(prepared.family.names), places)
    lora.put(prepared.nets, adapter)
    trainable = prepared.trainable.optimizer
    settings = [{n: v for n, v in g.items() if n != "params"} for g in trainable.param_groups]
    trainable.load_state_dict(content)
    for group, setting in zip(trainable.param_groups, settings, strict=True):
        group.update(setting)  # rates are run.toml's to say, not the checkpoint's
    return state
