"""Whatever a file holds, its reader gives a value or a sentence: no traceback, no hang.

A few hundred altered files a door in the default run; `-m fuzz` tries 20,000 (of whole bases, whose
loading takes a quarter of a second, 2,000).
"""

import contextlib
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from PIL import Image
from transformers import CLIPTextModel, Qwen3Model, T5EncoderModel

from core.adapters import injection
from core.adapters.changes import Place
from core.base.captioners import open_captioner
from core.base.opening import open_base
from core.base.words import in_words
from core.captioning import reader
from core.config import files
from core.config.facts import SD1
from core.errors import UserError
from core.families import loading
from core.families.device import whole_cpu
from core.families.registry import load
from core.project.layout import Project, create
from core.protocol import wire
from core.protocol.commands import Draw, ExportJob, SampleJob, TrainJob
from core.protocol.events import RunStarted, StepDone, StyleMeasured, Warned
from core.training import checkpoint, export, train
from core.training.control import Control
from tests import altered, comfy, tiny
from tests.conftest import fill, small_config
from tests.e2e.test_loss import prepared_for
from tests.e2e.test_single_files import header_file
from tests.tiny_captioners import CAPTIONERS

FEW, MANY = 250, 20_000
SLOW = ("bases", "flow bases", "captioners")  # a tenth to a fifth as often


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Project:
    """A run with a checkpoint and an adapter, half done."""
    project = create(tmp_path_factory.mktemp("doors") / "project", small_config(str(tiny_base)))
    fill(project.images, 3)
    control = Control()
    for event in train.train(project, control):
        if isinstance(event, StepDone):
            control.stop.set()
    return project


def adapter_door(project: Project, folder: Path) -> Callable[[random.Random], None]:
    out = folder / "peft"
    export.convert(project.run("").newest_adapter(), SD1, "peft", out)
    export.convert(project.run("").newest_adapter(), SD1, "diffusers", folder / "d.safetensors")
    export.convert(project.run("").newest_adapter(), SD1, "kohya", folder / "k.safetensors")
    whole = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.suffix != ".json"}
    settings = out / "unet" / "adapter_config.json"
    nets = load(open_base(Path(project.config().base)), whole_cpu()).nets(SD1.names)
    places = {Place(c, n) for c, net in nets.items() for n, _ in net.named_modules()}

    def attempt(rng: random.Random) -> None:
        path = rng.choice([*sorted(whole), settings])
        if path == settings:
            before = path.read_bytes()
            path.write_bytes(altered.json_of(before, rng))
            try:
                export.read(out, SD1)
            finally:
                path.write_bytes(before)
            return
        path.write_bytes(altered.safetensors_of(whole[path], rng))
        try:
            adapter, _ = export.read(path if path.parent == folder else out, SD1)
        finally:
            path.write_bytes(whole[path])
        export.write(folder / "again.safetensors", adapter, SD1, {}, "diffusers")
        if not adapter.keys() <= places:
            injection.place_into(nets, adapter)  # refuses before it changes anything

    return attempt


def checkpoint_door(project: Project, folder: Path) -> Callable[[random.Random], None]:
    prepared = prepared_for(project)
    there = project.run("").newest_checkpoint()
    shutil.copytree(there, folder / there.name)
    names = ["adapter.safetensors", "optimizer.safetensors", "state.json"]
    whole = {folder / there.name / name: (there / name).read_bytes() for name in names}

    def attempt(rng: random.Random) -> None:
        path = rng.choice(list(whole))
        alter = altered.json_of if path.suffix == ".json" else altered.safetensors_of
        path.write_bytes(alter(whole[path], rng))
        try:
            for _ in checkpoint.load(path.parent, prepared):
                pass
        finally:
            path.write_bytes(whole[path])

    return attempt


ALTERED = {".safetensors": altered.safetensors_of, ".json": altered.json_of}


def base_door(project: Project, folder: Path) -> Callable[[random.Random], None]:
    return altered_base(Path(shutil.copytree(project.config().base, folder / "base")))


def flow_door(project: Project, folder: Path) -> Callable[[random.Random], None]:
    """Of flow models, whose large parts are read late."""
    del project
    doors = [altered_base(write(folder / name)) for name, write in tiny.FLOWS.items()]
    return lambda rng: rng.choice(doors)(rng)


def altered_base(base: Path) -> Callable[[random.Random], None]:
    whole = {p: p.read_bytes() for p in sorted(base.rglob("*")) if p.is_file()}

    def attempt(rng: random.Random) -> None:
        path = rng.choice(list(whole))
        alter = ALTERED.get(path.suffix, altered.bytes_of)
        path.write_bytes(alter(whole[path], rng))
        try:
            load(open_base(base), whole_cpu())
        finally:
            path.write_bytes(whole[path])

    return attempt


def captioner_door(project: Project, folder: Path) -> Callable[[random.Random], None]:
    """Each kind in turn: loaded, and asked of a picture."""
    del project
    there = [write(folder / name) for name, write in CAPTIONERS.items()]
    whole = {p: p.read_bytes() for one in there for p in sorted(one.iterdir())}

    def attempt(rng: random.Random) -> None:
        one = rng.choice(there)
        path = rng.choice([path for path in whole if path.parent == one])
        alter = ALTERED.get(path.suffix, altered.bytes_of)
        path.write_bytes(alter(whole[path], rng))
        try:
            reader.load(open_captioner(one)).read([Image.new("RGB", (40, 24), "red")])
        finally:
            path.write_bytes(whole[path])

    return attempt


def index_door(project: Project, folder: Path) -> Callable[[random.Random], None]:
    base = Path(shutil.copytree(project.config().base, folder / "base"))
    configs = [p for p in sorted(base.rglob("*config.json")) if "tokenizer" not in str(p)]
    whole = {p: p.read_bytes() for p in [base / "model_index.json", *configs]}

    def attempt(rng: random.Random) -> None:
        path = rng.choice(list(whole))
        path.write_bytes(altered.json_of(whole[path], rng))
        try:
            open_base(base)
        finally:
            path.write_bytes(whole[path])

    return attempt


def single_file_door(project: Project, folder: Path) -> Callable[[random.Random], None]:
    unet = "model.diffusion_model."
    names = {
        f"{unet}input_blocks.0.0.weight": (320, 4, 3, 3),
        f"{unet}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
        "cond_stage_model.transformer.text_model.final_layer_norm.bias": (768,),
        "first_stage_model.quant_conv.bias": (8,),
    }
    path = header_file(folder / "model.safetensors", names)
    whole = path.read_bytes()
    assert open_base(path).facts == SD1

    def attempt(rng: random.Random) -> None:
        path.write_bytes(altered.safetensors_of(whole, rng))
        in_words(open_base(path))

    return attempt


def text_file_door(project: Project, folder: Path) -> Callable[[random.Random], None]:
    """Files of text encoders: T5 in fp8 with scales, CLIP, Qwen."""
    del project
    kinds = {"chroma": T5EncoderModel, "flux": CLIPTextModel, "zimage": Qwen3Model}
    doors = []
    for name, kind in kinds.items():
        base = tiny.FLOWS[name](folder / name)
        tensors = comfy.file_of(loading.net(open_base(base), "text_encoder", kind, torch.float32))
        tensors = comfy.scaled(tensors)[0] if name == "chroma" else tensors
        doors.append((base, kind, safetensors.torch.save(tensors)))

    def attempt(rng: random.Random) -> None:
        base, kind, whole = rng.choice(doors)
        path = base / "text.safetensors"
        path.write_bytes(altered.safetensors_of(whole, rng))
        there = open_base(base, texts=[path])
        loading.net(there, "text_encoder", kind, torch.float32)

    return attempt


def settings_door(project: Project, folder: Path) -> Callable[[random.Random], None]:
    whole = project.config_file.read_bytes()
    path = folder / "project.toml"

    def attempt(rng: random.Random) -> None:
        content = altered.bytes_of(whole, rng)
        if rng.random() < 0.1:
            content += b"\na = " + b"[" * 3000 + b"{a=" * 3000
        files.decode(content, path)

    return attempt


def change_door(project: Project, folder: Path) -> Callable[[random.Random], None]:
    config = project.config()
    names = ["training.steps", "base", "preview.prompts", "adapter", "schema", "dataset.folders"]
    texts = [
        *map(json.dumps, altered.ODD_VALUES),
        "1e999",
        "[" * 100_000,
        "\ud800",
        "'",
        '"',
        "1_0",
    ]

    def attempt(rng: random.Random) -> None:
        text = f"{rng.choice(names)}={rng.choice(texts)}"
        if rng.random() < 0.5:
            text = altered.bytes_of(text.encode(errors="replace"), rng).decode(errors="replace")
        files.with_changes(config, [text])

    return attempt


def log_door(project: Project, folder: Path) -> Callable[[random.Random], None]:
    """What the window does with a log."""
    run = Project(Path(shutil.copytree(project.root, folder / "p"))).run("")
    lines = run.log_file.read_bytes().splitlines()

    def attempt(rng: random.Random) -> None:
        some = [altered.json_of(x, rng) if rng.random() < 0.3 else x for x in lines]
        run.log_file.write_bytes(b"\n".join(some) + b"\n")
        train._cut_log(run, 1)

    return attempt


def wire_door(project: Project, folder: Path) -> Callable[[random.Random], None]:
    messages = [
        RunStarted(run="r", steps=3, first_step=1, trainable=1, total=2, pictures=3, device="CPU"),
        StepDone(step=1, loss=0.1, lr=1e-4, grad_norm=1.0, seconds=1.0, seconds_left=2.0),
        StyleMeasured(before=2.0, after=1.0, check=0.9), Warned(message="é", path="a"),
        TrainJob(project="p"), SampleJob(base="b"), Draw(prompt="p", out="o"),
        ExportJob(source="s", format="kohya", out="o"),
    ]  # fmt: skip
    lines = [wire.to_line(message) for message in messages]

    def attempt(rng: random.Random) -> None:
        line = altered.json_of(rng.choice(lines), rng)
        with contextlib.suppress(wire.WireError):
            event = wire.event_from(line)
            if isinstance(event, StyleMeasured):
                assert event.change
        with contextlib.suppress(wire.WireError):
            wire.command_from(line)

    return attempt


DOORS = {
    "adapters": adapter_door,
    "checkpoints": checkpoint_door,
    "bases": base_door,
    "flow bases": flow_door,
    "captioners": captioner_door,
    "configs of bases": index_door,
    "single files": single_file_door,
    "text encoder files": text_file_door,
    "settings": settings_door,
    "--set": change_door,
    "logs": log_door,
    "the wire": wire_door,
}


def knock(door, project: Project, count: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        attempt = door(project, Path(folder))
        refused = 0
        for number in range(count):
            rng = random.Random(f"{seed}/{number}")
            try:
                attempt(rng)
            except UserError as error:
                refused += bool(error.message)
            except Exception as error:  # noqa: BLE001 - none may come
                pytest.fail(f"input {seed}/{number}: {type(error).__name__}: {str(error)[:300]}")
        assert refused or door is wire_door or door is log_door


@pytest.mark.parametrize("name", DOORS)
def test_a_door_gives_a_value_or_a_sentence(stopped: Project, name: str) -> None:
    knock(DOORS[name], stopped, FEW // 5 if name in SLOW else FEW, seed=1)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", DOORS)
def test_a_door_holds_for_long(stopped: Project, name: str) -> None:
    knock(DOORS[name], stopped, MANY // 10 if name in SLOW else MANY, seed=2)
