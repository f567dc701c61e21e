"""Everything a run needs before its first step: nets, encoded pictures, adapter, optimizer."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from msgspec.structs import replace
from peft import LoraConfig

from core.adapters import lora
from core.config.options import RunConfig
from core.data import buckets, captions, pixels
from core.data.batches import Item, step_seed
from core.data.cache import Cache, file_hash, key_of
from core.data.scan import Dataset, Finding, Picture, dataset_of, examine, picture_files
from core.errors import DatasetError
from core.families.family import Components, ModelFamily
from core.families.registry import family_of
from core.project.layout import Project
from core.protocol.events import Event, Progress, Warned
from core.training import device as devices
from core.training.control import Control
from core.training.device import Device
from core.training.step import Trainable

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_PROMPTS = 4
SHOWN_FINDINGS = 20  # more are counted


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that is ready for its first step."""

    config: RunConfig
    device: Device
    family: ModelFamily
    parts: Components
    nets: dict[str, torch.nn.Module]  # those that carry the adapter
    items: list[Item]
    trainable: Trainable
    condition: Callable[[tuple[str, ...]], Tensor]

    @property
    def dataset_key(self) -> str:
        """A fingerprint of what is learnt from: a resumed run should find the same."""
        return key_of(*((i.key, i.caption, i.bucket) for i in self.items))


def prepare(
    project: Project, config: RunConfig, control: Control
) -> Generator[Event, None, Prepared | None]:
    """Load, encode and inject; yields progress. Returns None if it was asked to stop.

    Raises:
        BaseModelError, DatasetError, StorageError: Each names its file.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)  # noqa: FBT003 - torch's signature
    torch.set_flush_denormal(True)
    device = devices.choose(config.training.precision)
    dataset = yield from _read(project.folders(config), control)
    if control.stop.is_set():
        return None
    yield Progress(phase="Loading the base model")
    path = project.base_path(config)
    family = family_of(path)
    parts = family.load(path, device.device, device.weights)
    cache = Cache(project.cache, family.fingerprint(path))
    items = yield from _encode(dataset, (family, parts), config, cache, control)
    if control.stop.is_set():
        return None
    config = with_prompts(config, items)
    nets = parts.nets(text_encoders=config.adapter.text_encoder)
    torch.manual_seed(step_seed(config.training.seed, 0, "adapter"))
    targets = family.targets[config.adapter.targets]
    settings = LoraConfig(
        r=config.adapter.rank,
        lora_alpha=config.adapter.alpha,  # pyright: ignore[reportArgumentType] - floats work
        lora_dropout=config.adapter.dropout,
    )
    lora.inject(nets, {name: targets[name] for name in nets}, settings)
    return Prepared(
        config=config,
        device=device,
        family=family,
        parts=parts,
        nets=nets,
        items=items,
        trainable=_trainable(nets, parts, config),
        condition=_condition((family, parts), config, device, cache),
    )


def with_prompts(config: RunConfig, items: list[Item]) -> RunConfig:
    """Where no preview prompts are set, captions from all over the dataset stand in."""
    if config.preview.prompts:
        return config
    captions_there = list(dict.fromkeys(item.caption for item in items if item.caption))
    spread = max(1, len(captions_there) // DEFAULT_PROMPTS)
    prompts = tuple(captions_there[::spread][:DEFAULT_PROMPTS])
    return replace(config, preview=replace(config.preview, prompts=prompts))


def _read(folders: list[Path], control: Control) -> Generator[Event, None, Dataset]:
    """The dataset, whole unless asked to stop, and what is to be said of it."""
    paths = list(picture_files(folders))
    found: list[Picture | Finding] = []
    for number, path in enumerate(paths):
        yield Progress(phase="Reading the pictures", done=number, total=len(paths))
        if control.stop.is_set():
            return dataset_of(found)
        found.append(examine(path))
    dataset = dataset_of(found, folders)
    yield from _warnings(dataset)
    check_not_empty(dataset, folders)
    return dataset


def _warnings(dataset: Dataset) -> Generator[Event, None, None]:
    for finding in dataset.findings[:SHOWN_FINDINGS]:
        yield Warned(message=str(finding), path=str(finding.path))
    if (more := len(dataset.findings) - SHOWN_FINDINGS) > 0:
        yield Warned(message=f"{more} more pictures have findings.")


def check_not_empty(dataset: Dataset, folders: list[Path]) -> None:
    """Refuse to train on nothing.

    Raises:
        DatasetError: No usable picture.
    """
    if dataset.pictures:
        return
    where = ", ".join(str(folder) for folder in folders)
    left_out = f" {len(dataset.findings)} could not be used." if dataset.findings else ""
    raise DatasetError(
        f"There is no picture to train on in {where}.{left_out}",
        hint="Drop pictures on the Dataset page, or copy them into that folder.",
    )


def _encode(
    dataset: Dataset,
    model: tuple[ModelFamily, Components],
    config: RunConfig,
    cache: Cache,
    control: Control,
) -> Generator[Event, None, list[Item]]:
    """The pictures' latents, from the cache where they are there; some, if asked to stop."""
    family, parts = model
    choices = buckets.sizes(config.dataset.resolution_px, parts.multiple_px)
    items: list[Item] = []
    total = len(dataset.pictures)
    for number, picture in enumerate(dataset.pictures, start=1):
        if control.stop.is_set():
            break
        bucket = buckets.nearest(buckets.Size(picture.width_px, picture.height_px), choices)
        caption = captions.for_training(picture.caption, config.dataset.trigger)
        try:
            content = file_hash(picture.path)
            made = cache.get(
                ("latents", pixels.RECIPE, content, bucket),
                lambda path=picture.path, bucket=bucket: latents_of(model, path, bucket),
            )
        except OSError as error:  # it was whole a moment ago
            yield Warned(
                message=f"{picture.path.name} was left out: {error}", path=str(picture.path)
            )
            continue
        used, limit = family.tokens(parts, caption)
        if used > limit:
            yield Warned(
                message=f"{picture.path.name}: its caption has {used} tokens; the last "
                f"{used - limit} are not read. Shorten it.",
                path=str(picture.path),
            )
        items.append(Item(content, bucket, caption, made["mean"], made["std"], picture.path))
        yield Progress(phase="Encoding the pictures", done=number, total=total)
    if not items and not control.stop.is_set():
        raise DatasetError(
            f"None of the {total} pictures could be read any more.",
            hint="Check that the disk they are on is still there.",
        )
    return items


def latents_of(
    model: tuple[ModelFamily, Components], path: Path, bucket: buckets.Size
) -> dict[str, Tensor]:
    """Mean and deviation of one picture's latents, (C, h, w) each."""
    family, parts = model
    image = pixels.fitted(pixels.open_rgb(path), bucket)
    mean, std = family.encode_picture(parts, pixels.to_tensor(image)[None])
    return {"mean": mean[0], "std": std[0]}


def _trainable(nets: dict[str, torch.nn.Module], parts: Components, config: RunConfig) -> Trainable:
    """Two groups: the denoiser's matrices and the text encoders', each with its peak rate."""
    rates = {
        name: config.training.learning_rate
        if name == parts.denoiser_name
        else config.training.text_encoder_learning_rate
        for name in nets
    }
    groups = [
        {"params": [p for p in net.parameters() if p.requires_grad], "peak": rates[name]}
        for name, net in nets.items()
    ]
    optimizer = torch.optim.AdamW(
        groups, lr=0.0, weight_decay=config.training.weight_decay, fused=True
    )
    parameters = [p for group in groups for p in group["params"]]
    return Trainable(parameters, optimizer, config.training.max_grad_norm)


def _condition(
    model: tuple[ModelFamily, Components], config: RunConfig, device: Device, cache: Cache
) -> Callable[[tuple[str, ...]], Tensor]:
    """How captions become the denoiser's condition: computed, or looked up while frozen."""
    family, parts = model
    if config.adapter.text_encoder:
        return lambda texts: family.encode_text(parts, texts)

    def embedding(text: str) -> Tensor:
        made = cache.get(
            ("text", text, device.device.type, device.compute),
            lambda: {"text": family.encode_text(parts, [text])[0]},
        )
        return made["text"].to(parts.device)

    @torch.no_grad()
    def looked_up(texts: tuple[str, ...]) -> Tensor:
        for text in texts:
            if text not in known:
                known[text] = embedding(text)
        return torch.stack([known[text] for text in texts])

    known: dict[str, Tensor] = {}
    return looked_up
