"""What a run will need of the memory, told before it begins: its own steps, counted by shapes.

A base's weights are not read and nothing is computed (see `counting`): the run's own code encodes
a picture, reads a caption, takes a step and draws a preview, on tensors that are nowhere. What a
library takes inside one operation, and what is lost between tensors, is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from typing_extensions import override

from core.data import batches, buckets
from core.data.batches import Item, Sample
from core.data.cache import Cache
from core.families import registry, streaming
from core.families.counting import Counter, counting
from core.families.device import Device
from core.training import loop, optimizers, preview, setup
from core.training.conditions import Conditions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from core.base.value import Base
    from core.config.options import RunConfig
    from core.families.family import Model
    from core.training.setup import Prepared

CAPTION = "a drawing of an old house by the sea, with a red roof, two trees and a boat, at dusk"
_PASSES = 2  # of a preview: later ones are like the second
_SMALL = 100_000  # numbers of a schedule, which a drawing looks at


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a run needs, in bytes.

    While it trains, the sum of `nets`, `adapter`, `gradients`, `optimizer`, `average` and
    `activations`; while pictures are encoded, captions read and previews drawn, `encoding`,
    `reading` and `drawing`, each with all that is in the memory then.
    """

    nets: Mapping[str, int]  # of the base, which stay while it trains
    adapter: int
    gradients: int
    optimizer: int
    average: int
    activations: int  # what is kept for the way back, and what is worked with
    encoding: int
    reading: int
    drawing: int  # 0: no previews are drawn
    cache: int  # encoded pictures, which lie in the main memory

    @property
    def training(self) -> int:
        """The most of a step."""
        learnt = self.adapter + self.gradients + self.optimizer + self.average
        return sum(self.nets.values()) + learnt + self.activations

    @property
    def phases(self) -> dict[str, int]:
        """The most of each part of a run, in the order in which they come."""
        return {
            "encoding": self.encoding,
            "reading": self.reading,
            "training": self.training,
            "drawing": self.drawing,
        }

    @property
    def peak(self) -> int:
        """The most of the whole run, on the device that computes."""
        return max(self.phases.values())


def need(
    base: Base,
    config: RunConfig,
    place: Device,
    *,
    at_once: int = 0,
    pictures: int = 1,
    caption: str = CAPTION,
) -> Need:
    """What a run of `config` needs.

    Args:
        base: Its base model, whose weights are not read.
        config: Its settings.
        place: Where it would run; see `a_gpu` for one that is not here.
        at_once: How many pictures of a batch are taken at a time; 0 is the whole batch.
        pictures: How many there are.
        caption: As long as the longest.

    Raises:
        BaseModelError: The base is not whole.
        AdapterError, RunError: The settings do not fit the base.
    """
    # what is on the meta device is not counted
    shapes = replace(place, device=torch.device("cpu"), like=place.kind, main="meta")
    on_a_cpu = place.kind == "cpu"
    counter, fake = Counter(on_a_cpu=on_a_cpu), FakeTensorMode(allow_non_fake_inputs=True)
    setup.check_targets(base.facts, config.adapter)
    with counting(counter, fake, on_a_gpu=not on_a_cpu):
        counted = _Counted(base.unread(), config, shapes, counter)
        return counted.need(at_once or config.training.batch_size, pictures, caption)


def a_gpu(config: RunConfig) -> Device:
    """A GPU that need not be here, and computes in bfloat16 unless the settings say otherwise."""
    compute = {"float32": torch.float32, "float16": torch.float16}
    chosen = compute.get(config.training.precision, torch.bfloat16)
    held, streamed = config.training.base_precision, config.training.stream_base
    return Device(torch.device("cpu"), chosen, held, like="cuda", streamed=streamed)


@dataclass(frozen=True, slots=True)
class _Remembered(Cache):
    """A cache that lies in no folder."""

    kept: dict[tuple[str, str], dict[str, Tensor]] = field(default_factory=dict)

    @override
    def get(self, make: Callable[..., dict[str, Tensor]], **inputs: Any) -> dict[str, Tensor]:
        name = (inputs["part"], inputs["text"])
        if name not in self.kept:
            self.kept[name] = make(**inputs)
        return self.kept[name]

    @override
    def has(self, make: Callable[..., dict[str, Tensor]], **inputs: Any) -> bool:
        return (inputs["part"], inputs["text"]) in self.kept


@dataclass(frozen=True, slots=True)
class _Counted:
    """One run on tensors that are nowhere, part by part."""

    base: Base
    config: RunConfig
    place: Device
    counter: Counter

    def need(self, at_once: int, pictures: int, caption: str) -> Need:
        config, counter = self.config, self.counter
        rates = self.base.facts.rates(config)
        with counter.real():
            model = registry.load(self.base, self.place)
        in_pieces = config.training.vae_tiles == "always"  # else as large as it would be whole
        model = replace(model, tiles="always" if in_pieces else "never")
        heavy = [p for p, e in model.family.text_encoders.items() if e.heavy and p not in rates]
        nets = {part: self._load(model, part) for part in self.base.weights if part not in heavy}
        frame = _largest_frame(config, model.multiple_px)
        shape = self._encode(model, frame.bucket)
        encoding = counter.most()
        told = Conditions(model, rates, _Remembered(Path()))
        texts = ("", caption)
        told.make_room(texts)
        for part in heavy:
            self._load(model, part)
        for text in texts:
            told.look_up(text)
        told.give_back()
        reading = counter.most()
        self._load(model, model.facts.denoiser)
        before = counter.now
        taught = setup.to_be_taught(model, rates, config)
        trainable = setup.trainable(model, taught, config)
        kept = trainable.average.values.values() if trainable.average else ()
        average = sum(value.nbytes for value in kept)
        adapter, before = counter.now - before - average, counter.now
        optimizers.step_of_nothing(trainable.optimizer, trainable.parameters)
        optimizer = counter.now - before
        with counter.real():
            items = [_item(n, frame, caption, shape) for n in range(config.training.batch_size)]
        prepared = setup.Prepared(
            config=config,
            model=model,
            nets=taught,
            items=items,
            held_out=[],
            batch_size=len(items),
            # its losses are not numbers that could be scaled
            trainable=replace(trainable, scaler=torch.amp.GradScaler("cpu", enabled=False)),
            conditions=told,
        )
        training = self._step(prepared, min(at_once, len(items)))
        gradients = sum(p.nbytes for p in trainable.parameters.values())
        learnt = adapter + gradients + optimizer + average
        return Need(
            nets=nets,
            adapter=adapter,
            gradients=gradients,
            optimizer=optimizer,
            average=average,
            activations=max(0, training - sum(nets.values()) - learnt),
            encoding=encoding,
            reading=reading,
            drawing=self._draw(prepared, caption),
            cache=2 * items[0].mean.nbytes * pictures,
        )

    def _load(self, model: Model, part: str) -> int:
        with self.counter.real():
            net = model.parts[part]
            streams = part == model.facts.denoiser and self.place.streams
            return self.counter.add_net(net, streaming.resting(net) if streams else ())

    def _encode(self, model: Model, size: buckets.Size) -> torch.Size:
        """Encode a picture; returns the shape of its latents."""
        mean, _ = model.family.encode_picture(model, torch.zeros(1, 3, size.height, size.width))
        return mean[0].shape

    def _step(self, prepared: Prepared, at_once: int) -> int:
        """The most that is in the memory in a step."""
        samples = [Sample(number, 1.0) for number in range(len(prepared.items))]
        with self.counter.real():
            draw = batches.draw(
                prepared.items, samples, self.config, step=1, batch_size=len(samples)
            )
        if self.config.training.prior_share:  # any picture may be one of those
            with self.counter.real():
                draw = replace(draw, prior=torch.ones(len(samples), dtype=torch.bool))
        self.counter.most()
        loop.one_step(prepared, draw, 1, at_once)
        return self.counter.most()

    def _draw(self, prepared: Prepared, caption: str) -> int:
        """The most that is in the memory while previews are drawn; 0 if there are none."""
        parts = preview.parts_of(prepared)
        if not parts:
            return 0
        chosen = preview.options(
            self.config.preview, self.config.dataset.resolution_px, prepared.model.multiple_px
        )
        few, count = replace(chosen, inference_steps=_PASSES), max(map(len, parts))
        with self.counter.real(_SMALL):
            preview.pictures(prepared, [caption] * count, range(count), few, untrained=False)
        return self.counter.most()


def _largest_frame(config: RunConfig, multiple_px: int) -> buckets.Frame:
    """A picture that fits the largest of the sizes that pictures are fitted to."""
    edge = max(config.dataset.resolution_px, *config.dataset.more_resolutions_px, 0)
    sizes = buckets.sizes(edge, multiple_px)
    size = max(sizes, key=lambda size: size.width * size.height)
    return buckets.frame(size, size)


def _item(number: int, frame: buckets.Frame, caption: str, shape: torch.Size) -> Item:
    latents = torch.zeros(shape)
    return Item(str(number), frame, caption, latents, latents, Path(f"{number}.png"), (caption,))
