"""One run of a full-size net with random weights, and the most memory that it takes.

`python -m tests.bench.measured_run sd1 --set dataset.resolution_px=256`, in a process of its own.
What counts are the pages that the process has filled itself (RssAnon), over those of the program
without a model: nothing of ours is asked, and no file that is mapped counts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import threading
from pathlib import Path

import numpy
import torch
from PIL import Image

from core.base.value import Base
from core.config import facts, files, presets
from core.config.options import PreviewConfig, RunConfig
from core.data import batches
from core.families import loading
from core.families.counting import AsOnAGpu
from core.families.device import Device, choose
from core.project.layout import Project, create
from core.training import loop, preview, setup
from core.training.control import Control
from tests import full_size

PICTURES = 2
CAPTION = "a drawing of an old house by the sea, with a red roof, two trees and a boat, at dusk"


def settings(family: str, changes: list[str]) -> RunConfig:
    """The usual ones of a base for a style, one preview of few passes."""
    row = getattr(facts, family.upper())
    plain = RunConfig(name="Measured", base="", preview=PreviewConfig(prompts=(CAPTION,)))
    config = presets.apply(presets.PRESETS[0], presets.on_base(plain, "x", facts.SD1, row), row)
    return files.with_changes(config, ["preview.inference_steps=2", *changes])


def place(config: RunConfig, *, as_a_gpu: bool) -> Device:
    """The CPU by its own rules, or computing as a GPU would, in half precision."""
    training = config.training
    if as_a_gpu:
        return Device(torch.device("cpu"), torch.bfloat16, training.base_precision, like="cuda")
    return choose(training.precision, training.base_precision)


class Watch(threading.Thread):
    """Looks at the process every few milliseconds."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.before = self.peak = self.now()
        self.phases: dict[str, int] = {}
        self.over = threading.Event()

    @staticmethod
    def now() -> int:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(x.split()[1]) * 1024 for x in lines if x.startswith("RssAnon"))

    def run(self) -> None:
        while not self.over.wait(0.003):
            self.peak = max(self.peak, self.now())

    def ended(self, phase: str) -> None:
        """What the phase took at the most, over what there was before any model."""
        self.phases[phase] = self.peak - self.before
        self.peak = self.now()
        print(phase, round(self.phases[phase] / 1e6), "MB", flush=True)


def random_net(
    base: Base, part: str, kind: object, dtype: torch.dtype, **options: object
) -> object:
    """In place of `loading.net`: small random weights, of which every page is written."""
    net = loading.empty_net(base, part, kind, **options).to(dtype)
    with torch.no_grad():
        for module in net.modules():
            for name, weight in module._parameters.items():
                if weight is not None:
                    own = torch.empty(weight.shape, dtype=dtype).uniform_(-0.01, 0.01)
                    module._parameters[name] = torch.nn.Parameter(own, requires_grad=False)
    return net.eval()


def project(folder: Path, config: RunConfig) -> Project:
    """Pictures of noise, as large as the run wants them."""
    made = create(folder / "project", config)
    rng = numpy.random.default_rng(0)
    edge = config.dataset.resolution_px
    for number in range(PICTURES):
        noise = rng.integers(0, 255, (edge, edge, 3), dtype=numpy.uint8)
        Image.fromarray(noise).save(made.images / f"{number}.png")
        (made.images / f"{number}.txt").write_text(CAPTION, encoding="utf-8")
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("family")
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--as-a-gpu", action="store_true")
    told = parser.parse_args()
    torch.set_num_threads(1)
    config = settings(told.family, told.set)
    where = place(config, as_a_gpu=told.as_a_gpu)
    base = full_size.base(getattr(facts, told.family.upper()), Path())
    loading.net = random_net
    Project.base = lambda self, config: base
    Base.fingerprints = lambda self, remembered: dict.fromkeys(self.facts.parts, "")
    setup.choose = lambda _precision, _held: where
    watch = Watch()
    watch.start()
    mode = AsOnAGpu() if told.as_a_gpu else contextlib.nullcontext()
    with tempfile.TemporaryDirectory() as folder, mode:
        preparing = setup.prepare(project(Path(folder), config), config, Control())
        while True:
            try:
                next(preparing)
            except StopIteration as done:
                prepared = done.value
                break
        watch.ended("preparing")
        count = prepared.batch_size
        samples = [batches.Sample(number, 1.0) for number in range(count)]
        for step in (1, 2):
            for _ in loop.taken(prepared, samples, step):
                pass
        watch.ended("training")
        chosen = preview.options(
            config.preview, config.dataset.resolution_px, prepared.model.multiple_px
        )
        preview.pictures(prepared, [CAPTION], [0], chosen, untrained=False)
        watch.ended("drawing")
    watch.over.set()
    print(json.dumps(watch.phases))


if __name__ == "__main__":
    main()
