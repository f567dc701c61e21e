"""What every test may use: small pictures, small models, and a home of its own."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
from PIL import Image, ImageDraw

from core.config.options import (
    AdapterConfig,
    DatasetConfig,
    PreviewConfig,
    RunConfig,
    TrainingConfig,
)
from core.project.layout import Project, create
from tests.tiny import ROWS


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the settings of who runs it."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.setenv("STYLEWRIGHT_HOME", str(folder / "projects"))
    return folder


def draw_picture(path: Path, number: int, size: tuple[int, int] = (64, 64)) -> Path:
    """A picture that differs from those of other numbers."""
    image = Image.new("RGB", size, ("#fff", "#fed", "#def")[number % 3])
    colour = ("#c33", "#3a3", "#33c", "#aa0", "#0aa")[number % 5]
    corner = 8 + number % 7
    ImageDraw.Draw(image).ellipse((corner, corner, size[0] - 8, size[1] - 12), fill=colour)
    image.save(path)
    return path


def fill(folder: Path, count: int, size: tuple[int, int] = (64, 64)) -> None:
    """Pictures with captions."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = draw_picture(folder / f"p{number:02}.png", number, size)
        path.with_suffix(".txt").write_text(f"a ball number {number}", encoding="utf-8")


def small_config(base: str, **training: object) -> RunConfig:
    """A run of a few quick steps."""
    settings = {"steps": 4, "batch_size": 2, "learning_rate": 1e-3, "checkpoint_every": 0}
    return RunConfig(
        name="Small",
        base=base,
        dataset=DatasetConfig(resolution_px=64, trigger="ballstyle"),
        adapter=AdapterConfig(rank=4, alpha=3.0),  # never equal: what swaps them must show
        training=TrainingConfig(**{**settings, **training}),
        preview=PreviewConfig(prompts=("a red ball",), every=0, inference_steps=2, guidance=3.0),
    )


def made(name: str, factory: pytest.TempPathFactory) -> Path:
    """A row of tests/tiny.py, once for all tests."""
    folder = factory.getbasetemp() / f"tiny-{name}"
    return folder if folder.exists() else ROWS[name](folder)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion 1 folder of random weights, small enough to train in a moment."""
    return made("sd1", tmp_path_factory)


@pytest.fixture(scope="session")
def sdxl_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of Stable Diffusion XL."""
    return made("sdxl", tmp_path_factory)


@pytest.fixture(scope="session", params=ROWS)
def any_base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each row of tests/tiny.py in turn: what holds for one family holds for all."""
    return made(request.param, tmp_path_factory)


@pytest.fixture
def project(tmp_path: Path, tiny_base: Path) -> Project:
    """A project of six small pictures on the tiny base."""
    made = create(tmp_path / "project", small_config(str(tiny_base)))
    fill(made.images, 6)
    return made


def export_to(source: Path, layout: str, out: Path) -> Path:
    """An adapter in another program's format."""
    from core.training.reworking import exported

    list(exported(source, layout, out))
    return out
