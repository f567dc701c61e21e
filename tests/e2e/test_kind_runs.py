"""Whole runs of every kind of adapter: resumed, drawn with, gone on from."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image

from core.adapters import files as adapter_files
from core.base.opening import open_base
from core.config import files
from core.config.facts import SD1, SDXL
from core.errors import AdapterError, RunError
from core.project.layout import Project, create
from core.protocol.events import CheckpointSaved, Warned
from core.training import export, sample
from core.training.control import Control
from core.training.train import train
from tests.conftest import fill, made, small_config

CASES = {
    "lora": [],
    "pissa": ["adapter.kind=lora", "adapter.init=pissa"],
    "dora": [],
    "dora-output": ["adapter.kind=dora", "adapter.dora_norm=output"],
    "loha": ["adapter.rank_dropout=0.2"],
    "lokr": ["adapter.module_dropout=0.2"],
    "oft": ["adapter.conv_rank=0", "adapter.dropout=0.3"],
}


def project_of(folder: Path, base: Path, case: str, *changes: str) -> Project:
    own = CASES[case]
    kind = [] if any(c.startswith("adapter.kind") for c in own) else [f"adapter.kind={case}"]
    config = small_config(str(base), steps=6, checkpoint_every=2, learning_rate=0.02)
    more = ["adapter.targets=transformer", "training.text_encoder_learning_rate=0.02"]
    has_conv = "adapter.conv_rank=0" not in own and open_base(base).facts.convolutions
    conv = ["adapter.conv_rank=2"] if has_conv else []
    project = create(folder, files.with_changes(config, [*kind, *conv, *more, *own, *changes]))
    fill(project.images, 4)
    return project


def adapter_bytes(project: Project) -> bytes:
    path = project.run("").newest_adapter()
    assert path is not None
    return path.read_bytes()


RUNS = [  # every kind on one base, and on the others those that read most of a layer
    *(("sd1", case) for case in CASES),
    ("sd1-v", "oft"),
    ("sdxl", "dora"),
    ("sdxl", "lokr"),
    # flow models, whose usual form cannot hold all kinds
    ("zimage", "dora"),
    ("flux", "lokr"),
    ("chroma", "pissa"),
    ("sd3", "dora-output"),
    ("flux2", "oft"),
    ("qwen-image", "loha"),
]


@pytest.mark.parametrize(("row", "case"), RUNS)
def test_stopped_and_resumed_it_is_the_run_in_one_go(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, row: str, case: str
) -> None:
    """And with the finished file the sampler draws the run's own last preview."""
    base = made(row, tmp_path_factory)
    project = project_of(tmp_path / "one", base, case)
    again = Project(shutil.copytree(project.root, tmp_path / "again" / project.root.name))
    list(train(project, Control()))
    control = Control()
    for event in train(again, control):
        if isinstance(event, CheckpointSaved) and event.step == 2:
            control.stop.set()
    assert not again.run("").complete(files.load(again.run("").config_file))
    list(train(again, Control(), resume=""))
    assert adapter_bytes(project) == adapter_bytes(again)

    run, config = project.run(""), project.config().preview
    sampler = sample.load(project.base(project.config()))
    out = tmp_path / "drawn.png"
    wish = sample.Wish(
        prompt=config.prompts[0], seed=config.seed, width_px=64, height_px=64,
        inference_steps=config.inference_steps, guidance=config.guidance,
        adapters={run.newest_adapter(): 1.0},
    )  # fmt: skip
    sampler.draw(out, wish)
    drawn = np.asarray(Image.open(out), dtype=np.float64)
    ours = np.asarray(Image.open(run.preview_file(6, 0)), dtype=np.float64)
    assert np.abs(drawn - ours).mean() < 2


@pytest.mark.parametrize("case", ["lora", "pissa", "dora", "loha", "lokr", "oft"])
def test_another_run_goes_on_from_it(tmp_path: Path, tiny_base: Path, case: str) -> None:
    """Kind and ranks are the file's, whatever the settings say; its numbers are where it begins."""
    first = project_of(tmp_path / "first", tiny_base, case)
    list(train(first, Control()))
    start = tmp_path / "theirs.safetensors"
    shutil.copyfile(first.run("").newest_adapter(), start)
    second = create(
        tmp_path / "second",
        files.with_changes(
            small_config(str(tiny_base), steps=2, learning_rate=1e-7),
            [f"adapter.start={json.dumps(str(start))}", "adapter.rank=9",
             "training.text_encoder_learning_rate=1e-7"],
        ),
    )  # fmt: skip
    fill(second.images, 4)
    list(train(second, Control()))
    run = second.run("")
    kept = run.root / files.load(run.config_file).adapter.start
    assert (second.root / files.load(run.config_file).adapter.start).read_bytes() == (
        start.read_bytes()
    ), kept
    before, _ = export.read(start, SD1)
    after, header = export.read(run.newest_adapter(), SD1)
    assert before.keys() == after.keys()
    for place, change in before.items():
        assert type(after[place]) is type(change)
        shape = after[place].rank, after[place].scale
        assert shape == pytest.approx((change.rank, change.scale), rel=1e-3)
    sample_of = next(iter(after.values()))
    assert header["ss_network_dim"] == str(
        max({c.rank for c in after.values()}, key=[c.rank for c in after.values()].count)
    ), sample_of
    one, other = adapter_files.read(start)[0], adapter_files.read(run.newest_adapter())[0]
    for name, tensor in one.items():
        assert (tensor.float() - other[name].float()).abs().max() < 1e-3


def test_what_it_goes_on_from_is_kept_with_the_run(tmp_path: Path, tiny_base: Path) -> None:
    """The file may be moved away, and the run still be resumed to the same bytes."""
    first = project_of(tmp_path / "first", tiny_base, "lora")
    list(train(first, Control()))
    start = tmp_path / "theirs.safetensors"
    shutil.copyfile(first.run("").newest_adapter(), start)
    changes = [
        f"adapter.start={json.dumps(str(start))}",
        "training.text_encoder_learning_rate=1e-3",
    ]
    config = files.with_changes(small_config(str(tiny_base), checkpoint_every=2), changes)
    whole, broken = (create(tmp_path / name / "p", config) for name in ("whole", "broken"))
    for project in (whole, broken):
        fill(project.images, 4)
    list(train(whole, Control()))
    control = Control()
    for event in train(broken, control):
        if isinstance(event, CheckpointSaved):
            control.stop.set()
    start.unlink()
    list(train(broken, Control(), resume=""))
    assert adapter_bytes(whole) == adapter_bytes(broken)


def test_a_part_that_would_be_lost_is_named(tmp_path: Path, tiny_base: Path) -> None:
    first = project_of(tmp_path / "first", tiny_base, "lora")
    list(train(first, Control()))
    start = first.run("").newest_adapter()
    first.save(
        files.with_changes(
            first.config(),
            [f"adapter.start={json.dumps(str(start))}", "adapter.text_encoder=false"],
        )
    )
    with pytest.raises(RunError, match="changes the text_encoder, too"):
        list(train(first, Control()))
    first.save(files.with_changes(first.config(), ["adapter.start=nothing.safetensors"]))
    with pytest.raises(AdapterError, match=r"nothing\.safetensors"):
        list(train(first, Control()))


@pytest.mark.parametrize(
    ("facts", "name", "count"),
    [(SD1, "style", 8), (SD1, "content", 8), (SDXL, "style", 80), (SDXL, "content", 80)],
)
def test_style_and_content_are_one_block_each(facts, name: str, count: int) -> None:
    """Counted on the real nets' shapes: SDXL's blocks have ten transformers of eight layers."""
    import re

    from diffusers import UNet2DConditionModel

    from core.base.configs import read_json
    from core.base.value import BUNDLED

    folder = BUNDLED / facts.bundled["unet"]
    with torch.device("meta"):
        net = UNet2DConditionModel.from_config(read_json(folder / "config.json"))
    pattern = facts.targets[name]["unet"]
    found = [m for m, _ in net.named_modules() if re.fullmatch(pattern, m)]
    assert len(found) == count
    assert facts.rates(
        replace(small_config("x"), adapter=replace(small_config("x").adapter, targets=name))
    ).keys() == {"unet"}


def test_a_small_rank_is_remarked_on(tmp_path: Path, tiny_base: Path) -> None:
    project = project_of(tmp_path / "p", tiny_base, "lora", "adapter.rank=2")
    told = [e.message for e in train(project, Control()) if isinstance(e, Warned)]
    assert any("rank of 2 seldom" in words for words in told)
