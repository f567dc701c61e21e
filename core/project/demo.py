"""The sample project: OpenMoji's style on the shipped base model, ready to train."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from msgspec.structs import replace

from core.base.value import ASSETS
from core.config.options import (
    DEMO_BASE,
    AdapterConfig,
    DatasetConfig,
    PreviewConfig,
    RunConfig,
    TrainingConfig,
)
from core.errors import StorageError
from core.project.layout import Project, create

if TYPE_CHECKING:
    from pathlib import Path

STYLE = ASSETS / "demo-style"
TRIGGER = "openmoji style"


def preview_subjects() -> list[str]:
    """The 20 subjects that the style is judged on; none is in the dataset."""
    return (STYLE / "preview-prompts.txt").read_text(encoding="utf-8").splitlines()


def demo_config(steps: int = 300, prompts: int = 20) -> RunConfig:
    """Settings under which 300 steps change the style visibly in a few minutes without a GPU."""
    return RunConfig(
        name="OpenMoji",
        base=DEMO_BASE,
        dataset=DatasetConfig(resolution_px=128, trigger=TRIGGER),
        adapter=AdapterConfig(rank=16, alpha=16.0, text_encoder=False),
        training=TrainingConfig(
            steps=steps,
            batch_size=8,
            learning_rate=5e-4,
            prior_share=0.25,  # so small a base forgets its things otherwise
            checkpoint_every=100,
        ),
        preview=PreviewConfig(
            prompts=tuple(f"{word}, {TRIGGER}" for word in preview_subjects()[:prompts]),
            every=150,
            guidance=3.0,
            guidance_rescale=0.7,
        ),
    )


def create_demo(root: Path, config: RunConfig | None = None) -> Project:
    """Make the sample project in a new folder, with its own copy of the pictures.

    Raises:
        ConfigError: `root` holds a project already.
        StorageError: The folder cannot be written.
    """
    project = create(root, config or demo_config())
    try:
        for path in sorted(STYLE.glob("*")):
            if path.suffix in {".png", ".txt"} and path.name != "preview-prompts.txt":
                shutil.copyfile(path, project.images / path.name)
    except OSError as error:
        raise StorageError.writing(project.images, error) from error
    return project


def shortened(config: RunConfig, steps: int) -> RunConfig:
    """`config` for a run of `steps`, saving and drawing only at its end."""
    training = replace(config.training, steps=steps, checkpoint_every=0)
    preview = replace(config.preview, every=0)
    return replace(config, training=training, preview=preview)
