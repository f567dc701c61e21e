"""Checkpoints: a folder with the adapter, the optimizer and the step, there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

import msgspec
import torch

from core.adapters import files
from core.config.files import write_beside
from core.config.options import AdapterConfig
from core.errors import AdapterError, NewerVersionError, RunError, StorageError
from core.protocol.events import Event, Warned
from core.training import optimizers

if TYPE_CHECKING:
    from pathlib import Path

    from core.project.layout import Run
    from core.training.setup import Prepared

STATE_VERSION = 2  # 1 held the optimizer as a pickle
ADAPTER_FILE, OPTIMIZER_FILE, AVERAGE_FILE, STATE_FILE = (
    "adapter.safetensors",
    "optimizer.safetensors",
    "average.safetensors",
    "state.json",
)
_STATE_BYTES = 2**20
_FIXED = (  # of the adapter's options, those that say which numbers there are
    "kind", "rank", "init", "dora_norm", "targets", "pattern", "conv_rank", "text_encoder",
    "text_encoders", "text_rank", "text_rank_2", "start",
)  # fmt: skip


class LossScale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a float16 run."""

    scale: float
    steps_without_overflow: int


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`state.json`. No random state: every number of a step comes from the seed and the step."""

    version: int = STATE_VERSION
    step: int
    planned: bool  # due by steps, not because time had gone by
    dataset: str  # Prepared.dataset_key
    base: dict[str, str]  # fingerprints of its parts
    device: str
    adapter: AdapterConfig
    optimizer: str = "adamw"
    slowed: float = 1.0  # of the learning rates, since the run has diverged
    parts: list[str]  # that carry the adapter
    groups: list[dict[str, float]]  # what the optimizer has learnt beside its tensors
    resting: list[str] | None = None  # parameters of which it holds nothing; None is not known
    loss_scale: LossScale | None = None


def save(run: Run, prepared: Prepared, step: int, *, planned: bool) -> Path:
    """Write the checkpoint of `step` under another name, then rename the folder.

    Raises:
        StorageError: The run's folder cannot be written.
    """
    folder = run.checkpoint(step)
    if (folder / STATE_FILE).exists():
        return folder  # the same step of the same run holds the same numbers
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    trainable = prepared.trainable
    adapter = {name: p.detach().cpu() for name, p in trainable.parameters.items()}
    files.write(beside / ADAPTER_FILE, adapter, {})
    tensors, groups = optimizers.state_of(trainable.kind, trainable.optimizer, trainable.parameters)
    files.write(beside / OPTIMIZER_FILE, tensors, {})
    if trainable.average is not None:
        files.write(beside / AVERAGE_FILE, trainable.average.values, {})
    state = State(
        step=step,
        planned=planned,
        dataset=prepared.dataset_key,
        base=dict(prepared.model.keys),
        device=prepared.device,
        adapter=prepared.config.adapter,
        optimizer=prepared.config.training.optimizer,
        slowed=slowed(prepared),
        parts=list(prepared.nets),
        groups=groups,
        resting=optimizers.resting(trainable.optimizer, trainable.parameters),
        loss_scale=_loss_scale(trainable.scaler),
    )
    write_beside(beside / STATE_FILE, msgspec.json.encode(state))
    try:
        if folder.exists():  # without its state.json it is of no use
            shutil.rmtree(folder)
        beside.rename(folder)
        _flush(folder.parent)
        _forget_old(run, prepared.config.training.keep_checkpoints)
    except OSError as error:
        raise StorageError.writing(folder, error) from error
    return folder


def _loss_scale(scaler: torch.amp.GradScaler) -> LossScale | None:
    if not scaler.is_enabled():
        return None
    state = scaler.state_dict()
    return LossScale(scale=state["scale"], steps_without_overflow=state["_growth_tracker"])


def _flush(folder: Path) -> None:
    """Make a rename last through a power cut, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _forget_old(run: Run, keep: int) -> None:
    """Keep the newest of the planned ones, and the newest of all."""
    there = run.complete_checkpoints()
    planned = [folder for folder in there if _is_planned(folder)]
    for folder in there[:-1]:
        if folder not in planned[-keep:]:
            shutil.rmtree(folder, ignore_errors=True)  # open elsewhere? it goes the next time


def _is_planned(folder: Path) -> bool:
    try:
        return _read_state(folder).planned
    except RunError:  # a damaged one is left for the person to see
        return True


def _read_state(folder: Path) -> State:
    """The one door to `state.json`.

    Raises:
        RunError: It is none of this version; its message has no subject.
    """
    try:
        content = (folder / STATE_FILE).read_bytes()
        if len(content) > _STATE_BYTES:
            raise RunError("its state.json is too large")
        version = msgspec.json.decode(content, type=_Version).version
        if version > STATE_VERSION:
            raise NewerVersionError(
                f"The checkpoint {folder} was written by a newer version of Stylewright.",
                hint="Update Stylewright to go on with this run.",
            )
        if version < STATE_VERSION:
            raise RunError("an older version of Stylewright wrote it")
        return msgspec.json.decode(content, type=State)
    except (OSError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise RunError(f"its state.json: {error}") from error


class _Version(msgspec.Struct, frozen=True):
    version: int = 1


def load(folder: Path, prepared: Prepared) -> Generator[Event, None, State]:
    """Put a checkpoint's numbers into a prepared run; tells what is not as it was.

    Raises:
        RunError: A file of it is missing or damaged, or run.toml asks for another adapter.
        NewerVersionError: A later version of the program wrote it.
    """
    try:
        state = _read_state(folder)
        _check_same_adapter(state, prepared)
        adapter, _ = files.read(folder / ADAPTER_FILE)
        tensors, _ = files.read(folder / OPTIMIZER_FILE)
        _put(prepared, adapter, tensors, state)
        _put_average(prepared, folder / AVERAGE_FILE)
    except NewerVersionError:
        raise
    except (AdapterError, RunError) as error:
        if error.hint and isinstance(error, RunError):
            raise
        raise RunError(
            f"The checkpoint {folder} cannot be used: {error.message.rstrip('.')}.",
            hint="Move that folder away to resume from the one before it."
            if len(list(folder.parent.glob("step*"))) > 1
            else "There is none before it: start a new run.",
        ) from error
    slow(prepared, state.slowed)
    for words in _differences(state, prepared):
        yield Warned(message=words)
    return state


def slowed(prepared: Prepared) -> float:
    """What is left of the learning rates; 1 is all."""
    return prepared.trainable.optimizer.param_groups[0].get("slowed", 1.0)


def slow(prepared: Prepared, share: float) -> None:
    """Leave so much of the learning rates."""
    for group in prepared.trainable.optimizer.param_groups:
        group["slowed"] = share


def _check_same_adapter(state: State, prepared: Prepared) -> None:
    """Of all settings these alone cannot change in the middle of a run."""
    ours = msgspec.structs.asdict(prepared.config.adapter)
    for name, value in msgspec.structs.asdict(state.adapter).items():
        if name in _FIXED and ours[name] != value:
            raise RunError(
                f"run.toml says adapter.{name} = {ours[name]}, but this run was begun with "
                f"{value}.",
                hint=f"Put adapter.{name} = {value} back into run.toml, or start a new run.",
            )
    if state.optimizer != prepared.config.training.optimizer:
        raise RunError(
            f"run.toml says training.optimizer = {prepared.config.training.optimizer}, but this "
            f"run was begun with {state.optimizer}.",
            hint=f"Put training.optimizer = {state.optimizer} back into run.toml, or start a new "
            "run.",
        )
    if state.parts != list(prepared.nets):
        raise RunError(
            f"This run was begun with {' and '.join(state.parts)} being trained.",
            hint="Put its learning rates back into run.toml, or start a new run.",
        )


@torch.no_grad()
def _put(
    prepared: Prepared,
    adapter: dict[str, torch.Tensor],
    tensors: dict[str, torch.Tensor],
    state: State,
) -> None:
    trainable = prepared.trainable
    _check_values(adapter, trainable.parameters, "adapter")
    optimizers.restore(
        trainable.kind,
        trainable.optimizer,
        trainable.parameters,
        tensors,
        state.groups,
        resting=state.resting,
    )
    for name, parameter in trainable.parameters.items():
        parameter.copy_(adapter[name])
    if trainable.scaler.is_enabled() and state.loss_scale:
        trainable.scaler.load_state_dict(
            {
                **trainable.scaler.state_dict(),
                "scale": state.loss_scale.scale,
                "_growth_tracker": state.loss_scale.steps_without_overflow,
            }
        )


def _check_values(
    there: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor], what: str
) -> None:
    if odd := sorted(there.keys() ^ wanted.keys()):
        raise RunError(f"its {what}'s {odd[0]} has no partner")
    for name, model in wanted.items():
        if there[name].shape != model.shape or not there[name].isfinite().all():
            raise RunError(f"its {what}'s {name} has another shape or is not finite")


def _put_average(prepared: Prepared, path: Path) -> None:
    """What the adapter was on average; one that was not kept so far begins here."""
    average = prepared.trainable.average
    if average is None:
        return
    parameters = prepared.trainable.parameters
    values = files.read(path)[0] if path.exists() else parameters
    _check_values(values, average.values, "average")
    for name, value in average.values.items():
        value.copy_(values[name].detach())


def _differences(state: State, prepared: Prepared) -> list[str]:
    """What is not as it was, in words."""
    said: list[str] = []
    keys = prepared.model.keys
    if changed := [part for part, key in state.base.items() if keys.get(part) != key]:
        said.append(
            f"The base model has changed since this run began (its {', '.join(changed)}); the "
            "adapter goes on with what is there now."
        )
    if state.dataset != prepared.dataset_key:
        said.append(
            "Pictures, captions or their order have changed since this run began; it goes on with "
            "what is there now."
        )
    device = prepared.device
    if state.device != device:
        said.append(
            f"This run began on {state.device} and goes on on {device}; its last digits will "
            "differ from those of a run on one device."
        )
    return said
