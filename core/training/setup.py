"""Everything a run needs before its first step: nets, encoded pictures, adapter, optimizer."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as model_replace
from typing import TYPE_CHECKING, Any

import torch
from msgspec.structs import replace

from core.adapters import injection, kinds
from core.adapters.kinds import Room
from core.config import idle
from core.config.options import AdapterConfig, RunConfig
from core.data import batches, buckets, focus, marks, variation
from core.data.batches import Item, step_seed
from core.data.cache import Cache
from core.data.catalogue import Catalogue
from core.diffusion.noise import timed
from core.errors import DatasetError, MemoryFullError, RunError, full_memory
from core.families import registry
from core.families.device import choose, let_go
from core.families.family import Model
from core.hashing import RememberedHashes, key_of
from core.project.layout import Project
from core.protocol.events import Event, Progress, Warned
from core.training import export, heldout, optimizers, pictures
from core.training.at_once import AtOnce
from core.training.conditions import Conditions
from core.training.control import Control
from core.training.step import FIRST_SCALE, Trainable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from core.adapters.changes import Adapter
    from core.config.facts import Facts
    from core.config.options import Tiles
    from core.data.buckets import Frame
    from core.data.focus import Point
    from core.data.marks import Marks
    from core.data.scan import Dataset
    from core.training.team import Team

DEFAULT_PROMPTS = 4
LEAST_RANK = 4


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that is ready for its first step."""

    config: RunConfig
    model: Model
    nets: dict[str, torch.nn.Module]  # those that carry the adapter
    items: list[Item]  # that are learnt from, class pictures last
    held_out: list[Item]  # that are not
    batch_size: int  # what the pictures allow of the config's
    trainable: Trainable
    conditions: Conditions
    at_once: AtOnce = field(default_factory=AtOnce)  # of a batch's pictures
    drawn_at_once: AtOnce = field(default_factory=AtOnce)  # of the previews
    marked: tuple[object, ...] = ()  # what marks say of these pictures
    unused: tuple[Path, ...] = ()  # pictures that are left out by their marks
    team: Team | None = None  # the other processes, where there are any

    @property
    def denoiser(self) -> Any:  # noqa: ANN401 - diffusers' nets are untyped
        """The net that is taught, whether or not text encoders are, too."""
        return self.model.parts[self.model.facts.denoiser]

    @property
    def processes(self) -> int:
        """How many take each step together."""
        return 1 if self.team is None else self.team.of

    @property
    def device(self) -> str:
        """What computes, in words."""
        several = "" if self.team is None else f", {self.processes} processes"
        return f"{self.model.place}{several}"

    def share_of(self, pictures: int) -> int:
        """How many of a step's pictures one process has to compute, at the most."""
        return math.ceil(pictures / self.processes)

    def uncompiled(self) -> AbstractContextManager[object]:
        """Within, blocks compute as they are, whether they were compiled or not."""
        if not self.config.training.compile:
            return contextlib.nullcontext()
        return torch.compiler.set_stance("force_eager")

    @property
    def own(self) -> list[Item]:
        """Those of the style."""
        return [item for item in self.items if not item.of_class]

    @property
    def dataset_key(self) -> str:
        """A fingerprint of what is learnt from: a resumed run should find the same."""
        pictures = [*self.items, *self.held_out]
        kinds = (("class", item.weight) if item.of_class else () for item in pictures)
        shown = (
            (item.key, item.caption, _shown(item.frame), *kind)
            for item, kind in zip(pictures, kinds, strict=True)
        )
        return key_of(*shown, *self.marked)  # without marks as it was before there were any

    @property
    def base_key(self) -> str:
        """A fingerprint of the base model's files."""
        return key_of(*sorted(self.model.keys.items()))


def _shown(frame: Frame) -> tuple[object, ...]:
    """The size alone where the middle is shown: so it was before there was anything else."""
    middle = frame == buckets.frame(frame.original, frame.bucket)
    return frame.bucket if middle else frame


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
    check_targets(base.facts, config.adapter)
    start = starting(project.start(config), base.facts, rates)
    points = focus.read(project.focus_file, project.root)
    said = marks.read(project.marks_file, project.root)
    dataset = yield from pictures.read(
        project.folders(config), Catalogue(project.catalogue), control
    )
    if control.stop.is_set():
        return None
    dataset, unused = yield from pictures.used(dataset, said, config.dataset)
    yield Progress(phase="Loading the base model")
    keys = base.fingerprints(RememberedHashes(project.cache / "fingerprints.json"))
    model = registry.load(
        base,
        choose(
            config.training.precision,
            config.training.base_precision,
            streamed=config.training.stream_base,
        ),
        keys,
    )
    model = model_replace(model, path=timed(model.path, config.noise))
    for note in model.notes:
        yield Warned(message=note)
    cache = Cache(project.cache)
    items, tiles = yield from _encoded(dataset, model, config, cache, control, points)
    model = model_replace(model, tiles=tiles)
    config = replace(config, training=replace(config.training, vae_tiles=tiles))
    if control.stop.is_set():
        return None
    repeats = pictures.repeats_of(dataset.pictures, config.dataset, said)
    items = [model_replace(item, repeats=repeats[item.path]) for item in items]
    items, held_out = parted(items, config.dataset.held_out, said)
    config = with_prompts(config, items)
    if folder := project.class_folder(config):
        items += yield from pictures.of_class(folder, items, model, config, cache, control)
        if control.stop.is_set():
            return None
    yield from _notes(config, items, model)
    batch_size = batches.whole_batch(items, config.training.batch_size)
    if batch_size < config.training.batch_size:
        yield Warned(message=f"No shape has more pictures: batches are of {batch_size} at most.")
    rates = {part: rates[part] for part in rates if start is None or part in parts_of(start)}
    told = Conditions(model, rates, cache, varied=variation.varies(config.dataset))
    held_texts = [item.caption for item in held_out]
    learnt_texts = texts_of(told, config, items, batch_size)
    texts = dict.fromkeys(["", *config.preview.prompts, *held_texts, *learnt_texts])
    yield from _captions_read(told, list(texts), control)
    if control.stop.is_set():
        return None
    nets = to_be_taught(model, rates, config)
    return Prepared(
        config=config,
        model=model,
        nets=nets,
        items=items,
        held_out=held_out,
        batch_size=batch_size,
        trainable=trainable(model, nets, config, start),
        conditions=told,
        marked=_marked(items, held_out, said),
        unused=unused,
    )


def _encoded(
    dataset: Dataset,
    model: Model,
    config: RunConfig,
    cache: Cache,
    control: Control,
    points: Mapping[Path, Point],
) -> Generator[Event, None, tuple[list[Item], Tiles]]:
    """The pictures' latents, and whether all went through in pieces: with all or with none."""
    tiles = config.training.vae_tiles

    def encoded() -> Generator[Event, None, list[Item]]:
        one = model_replace(model, tiles=tiles)
        return pictures.encode(dataset, one, config.dataset, cache, control, pictures.Cut(points))

    try:
        return (yield from encoded()), tiles
    except (RuntimeError, MemoryError, MemoryFullError) as error:
        if tiles != "auto" or not full_memory(error):
            raise
    let_go()
    tiles = "always"
    yield Warned(
        message="The memory is too small to encode the pictures whole: they go through the VAE in "
        "pieces (training.vae_tiles), which is a little less exact."
    )
    return (yield from encoded()), tiles


def _marked(items: Sequence[Item], held_out: Sequence[Item], said: Marks) -> tuple[object, ...]:
    """What marks say of pictures, by their contents."""
    held = sorted({i.content for i in held_out if said.of(i.path).held_out})
    times = sorted(
        {(i.content, i.repeats) for i in items if i.path.parent in said.folders and i.repeats > 1}
    )
    return (*(("held out", name) for name in held), *times)


def to_be_taught(
    model: Model, parts: Collection[str], config: RunConfig
) -> dict[str, torch.nn.Module]:
    """The nets that will carry the adapter, as they compute while it learns."""
    if config.training.recompute or model.place.streams:
        denoiser = model.parts[model.facts.denoiser]
        denoiser.enable_gradient_checkpointing()  # transformers' encoders do so in training alone
    return model.nets(parts)


def texts_of(
    told: Conditions, config: RunConfig, items: Sequence[Item], batch_size: int
) -> Iterator[str]:
    """What all steps will tell, as far as it must be known before the first one.

    Captions that vary are read when they come, but by encoders that leave the memory before.
    """
    if not told.varied:
        for item in items:
            yield item.caption
            if config.training.prior_share:
                yield variation.untriggered(item.caption, config.dataset.trigger)
    elif told.gives_back:
        plan = batches.plan(items, batch_size, config.training.seed, 1)
        for step, samples in zip(range(1, config.training.steps + 1), plan, strict=False):
            yield from batches.captions(items, samples, config, step)


def _captions_read(
    told: Conditions, texts: Sequence[str], control: Control
) -> Generator[Event, None, None]:
    """Texts through the encoders that rest, which then may leave the memory."""
    told.make_room(texts)
    for number, text in enumerate(texts, start=1):
        if control.stop.is_set():
            return
        told.look_up(text)
        yield Progress(phase="Reading the captions", done=number, total=len(texts))
    told.give_back()


def _notes(config: RunConfig, items: Sequence[Item], model: Model) -> Generator[Event, None, None]:
    texts = [item.caption for item in items]
    for words in (
        pictures.long_captions(texts, model),
        pictures.no_previews(config, texts),
        small_rank(config.adapter),
        idle.text_encoders(config, model.facts),
    ):
        if words:
            yield Warned(message=words)


def check_targets(facts: Facts, adapter: AdapterConfig) -> None:
    """Whether the family has the layers that are to learn.

    Raises:
        RunError: It has not.
    """
    if adapter.targets not in facts.targets and not adapter.pattern:
        raise RunError(
            f"No layers of {facts.title} are known as {adapter.targets} (adapter.targets).",
            hint=f"Choose one of: {', '.join(facts.targets)}.",
        )
    if adapter.conv_rank and not facts.convolutions:
        raise RunError(
            f"{facts.title} has no convolutions to change.", hint="Set adapter.conv_rank to 0."
        )


def parted(
    items: Sequence[Item], share: float, said: Marks | None = None
) -> tuple[list[Item], list[Item]]:
    """Those that are learnt from, and those held out: each of these as it is, in one size.

    These are the marked ones, with any picture of the same content, and what is missing of a share.

    Raises:
        DatasetError: There are too few pictures to hold any out.
    """
    marked = {item.content for item in items if said and said.of(item.path).held_out}
    names = heldout.chosen([item.content for item in items], share, marked)
    if marked and len(names) == len({item.content for item in items}):
        raise DatasetError(
            "All pictures are held out, and none is left to learn from.",
            hint="Take the mark from some of them on the Dataset page, or add pictures.",
        )
    if share and not names:
        raise DatasetError(
            "A single picture cannot be held out and learnt from.",
            hint="Set dataset.held_out to 0, or add pictures.",
        )
    held = {item.content: item for item in reversed(items) if item.content in names}
    return [item for item in items if item.content not in names], list(held.values())


def small_rank(adapter: AdapterConfig) -> str:
    """What is to be said of a rank that rarely holds a style; "" where it is none."""
    if adapter.start or adapter.rank >= LEAST_RANK:
        return ""
    return (
        f"A rank of {adapter.rank} seldom holds a whole style: set adapter.rank to {LEAST_RANK} or "
        "more."
    )


def with_prompts(config: RunConfig, items: Sequence[Item]) -> RunConfig:
    """Where no preview prompts are set, captions from all over the dataset stand in."""
    if config.preview.prompts:
        return config
    captions_there = list(dict.fromkeys(item.caption for item in items if item.caption))
    spread = max(1, len(captions_there) // DEFAULT_PROMPTS)
    prompts = tuple(captions_there[::spread][:DEFAULT_PROMPTS])
    return replace(config, preview=replace(config.preview, prompts=prompts))


def starting(path: Path | None, facts: Facts, rates: Mapping[str, float]) -> Adapter | None:
    """The adapter that a run goes on from.

    Raises:
        AdapterError: It cannot be read, or fits another family.
        RunError: It has a part that would not be trained.
    """
    if path is None:
        return None
    adapter, _ = export.read(path, facts)
    if left := sorted(parts_of(adapter) - rates.keys()):
        raise RunError(
            f"{path} changes the {' and '.join(left)}, too, which this run would leave alone.",
            hint="Give it a learning rate and set adapter.text_encoder, or go on from another.",
        )
    return adapter


def parts_of(adapter: Adapter) -> set[str]:
    """Which nets it changes."""
    return {place.component for place in adapter}


def trainable(
    model: Model,
    nets: dict[str, torch.nn.Module],
    config: RunConfig,
    start: Adapter | None = None,
) -> Trainable:
    """A new adapter in the nets, or `start`, and its optimizer.

    Raises:
        AdapterError: Its kind cannot change a layer, no layer fits the pattern, or `start` does not
            fit the base.
    """
    training = config.training
    torch.manual_seed(step_seed(training.seed, 0, "adapter"))
    if start is None:
        parameters = injection.inject(nets, rooms(model.facts, config, list(nets)), config.adapter)
    else:
        parameters = injection.place_into(nets, start)
    place, kind = model.place, optimizers.KINDS[training.optimizer]
    if place.streams:
        parameters = injection.brought(nets, place.device)
    return Trainable(
        parameters=parameters,
        kind=kind,
        optimizer=kind.make(groups(parameters, model.facts, config), training),
        scaler=torch.amp.GradScaler(
            place.device.type, init_scale=FIRST_SCALE, enabled=place.scales_loss
        ),
        max_grad_norm=training.max_grad_norm,
        average=optimizers.Average(parameters, training.average) if training.average else None,
    )


def rooms(facts: Facts, config: RunConfig, parts: Sequence[str]) -> dict[str, Room]:
    """Where in each part the adapter goes, and how large it is there."""
    adapter = config.adapter
    made = {}
    for part in parts:
        is_text = part in facts.text_encoders
        second = adapter.text_rank_2 if facts.is_second(part) else 0
        rank = (second or adapter.text_rank or adapter.rank) if is_text else adapter.rank
        free = "" if is_text else adapter.pattern
        made[part] = Room(
            modules=free or facts.targets[adapter.targets][part],
            convolutions=facts.convolutions.get(part, "") if adapter.conv_rank else "",
            rank=rank,
            alpha=kinds.alpha(adapter) * rank / adapter.rank,  # the strength stays the same
        )
    return made


def groups(
    parameters: Mapping[str, torch.nn.Parameter], facts: Facts, config: RunConfig
) -> optimizers.Groups:
    """The optimizer's: one for each net, and with LoRA+ one for its B's, which learn faster.

    `peak` is the highest rate, `last` the step after which the group rests.
    """
    training = config.training
    made: optimizers.Groups = []
    for part, rate in facts.rates(config).items():
        own = {name: p for name, p in parameters.items() if name.startswith(part + ".")}
        if not own:
            continue
        last = max(1, round(training.steps * facts.share(part, training)))
        ups = {name for name in own if ".lora_B." in name and training.up_rate_factor != 1}
        made.append(
            {"params": [p for n, p in own.items() if n not in ups], "peak": rate, "last": last}
        )
        if ups:
            peak = rate * training.up_rate_factor
            made.append({"params": [own[name] for name in sorted(ups)], "peak": peak, "last": last})
    return made
