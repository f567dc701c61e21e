"""Everything a run needs before its first step: nets, encoded pictures, adapter, optimizer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from msgspec.structs import replace
from peft import LoraConfig

from core.adapters import lora
from core.config.options import RunConfig
from core.data import batches
from core.data.batches import Item, step_seed
from core.data.buckets import Frame
from core.data.cache import Cache
from core.errors import RunError
from core.families import registry
from core.families.device import choose
from core.families.family import Model
from core.hashing import RememberedHashes, key_of
from core.project.layout import Project
from core.protocol.events import Event, Progress, Warned
from core.training import optimizers, pictures
from core.training.conditions import conditions
from core.training.control import Control
from core.training.step import FIRST_SCALE, Trainable

if TYPE_CHECKING:
    from core.families.condition import Condition

DEFAULT_PROMPTS = 4


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that is ready for its first step."""

    config: RunConfig
    model: Model
    nets: dict[str, torch.nn.Module]  # those that carry the adapter
    items: list[Item]
    batch_size: int  # what the pictures allow of the config's
    trainable: Trainable
    condition: Callable[[Sequence[str], Sequence[Frame]], Condition]

    @property
    def dataset_key(self) -> str:
        """A fingerprint of what is learnt from: a resumed run should find the same."""
        return key_of(*((i.key, i.caption, i.frame.bucket) for i in self.items))


def prepare(
    project: Project, config: RunConfig, control: Control
) -> Generator[Event, None, Prepared | None]:
    """Load, encode and inject; yields progress. Returns None if it was asked to stop.

    Raises:
        BaseModelError, DatasetError, RunError, StorageError: Each names its file or setting.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)  # noqa: FBT003 - torch's signature
    torch.set_flush_denormal(True)
    base = project.base(config)  # at once: reading the pictures takes longer
    rates = base.facts.rates(config)
    if not rates:
        raise RunError(
            "Nothing would be learnt: every learning rate is 0.",
            hint="Set training.learning_rate, or a text encoder's.",
        )
    dataset = yield from pictures.read(project.folders(config), control)
    if control.stop.is_set():
        return None
    yield Progress(phase="Loading the base model")
    keys = base.fingerprints(RememberedHashes(project.cache / "fingerprints.json"))
    model = registry.load(base, choose(config.training.precision), keys)
    for note in model.notes:
        yield Warned(message=note)
    cache = Cache(project.cache)
    items = yield from pictures.encode(dataset, model, config, cache, control)
    if control.stop.is_set():
        return None
    config = with_prompts(config, items)
    yield from _notes(config, items, model)
    batch_size = batches.whole_batch([i.bucket for i in items], config.training.batch_size)
    if batch_size < config.training.batch_size:
        yield Warned(message=f"No shape has more pictures: batches are of {batch_size} at most.")
    nets = model.nets(rates)
    return Prepared(
        config=config,
        model=model,
        nets=nets,
        items=items,
        batch_size=batch_size,
        trainable=trainable(model, nets, config),
        condition=conditions(model, rates, cache),
    )


def _notes(config: RunConfig, items: Sequence[Item], model: Model) -> Generator[Event, None, None]:
    texts = [item.caption for item in items]
    for words in (pictures.long_captions(texts, model), pictures.no_previews(config, texts)):
        if words:
            yield Warned(message=words)


def with_prompts(config: RunConfig, items: Sequence[Item]) -> RunConfig:
    """Where no preview prompts are set, captions from all over the dataset stand in."""
    if config.preview.prompts:
        return config
    captions_there = list(dict.fromkeys(item.caption for item in items if item.caption))
    spread = max(1, len(captions_there) // DEFAULT_PROMPTS)
    prompts = tuple(captions_there[::spread][:DEFAULT_PROMPTS])
    return replace(config, preview=replace(config.preview, prompts=prompts))


def trainable(model: Model, nets: dict[str, torch.nn.Module], config: RunConfig) -> Trainable:
    """A new adapter in the nets, and its optimizer: a group for each net, at its own peak rate."""
    adapter, training = config.adapter, config.training
    torch.manual_seed(step_seed(training.seed, 0, "adapter"))
    targets = model.facts.targets[adapter.targets]

    def settings(modules: str) -> LoraConfig:
        return LoraConfig(
            r=adapter.rank,
            lora_alpha=adapter.alpha,  # pyright: ignore[reportArgumentType] - floats work
            lora_dropout=adapter.dropout,
            target_modules=modules,
        )

    parameters = lora.inject(nets, {part: targets[part] for part in nets}, settings)
    rates = model.facts.rates(config)
    groups = [
        {
            "params": [p for name, p in parameters.items() if name.startswith(part + ".")],
            "peak": rates[part],
        }
        for part in nets
    ]
    place = model.place
    return Trainable(
        parameters=parameters,
        kind=optimizers.ADAMW,
        optimizer=optimizers.ADAMW.make(groups, training),
        scaler=torch.amp.GradScaler(
            place.device.type, init_scale=FIRST_SCALE, enabled=place.scales_loss
        ),
        max_grad_norm=training.max_grad_norm,
    )
