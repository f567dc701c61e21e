"""What must hold for every family: each row of tests/tiny.py, from pictures to another program."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ChromaPipeline, DiffusionPipeline
from PIL import Image

from core.base.opening import open_base
from core.config import files
from core.project.layout import Project, create
from core.protocol.events import Finished, StepDone, Warned
from core.training.control import Control
from core.training.train import train
from tests.conftest import export_to, fill, small_config

CLOSE = 2.0  # of 255, on average


TOLD = {  # of pipelines that take another empty prompt, or another guidance, by themselves
    "StableDiffusionXLPipeline": {"negative_prompt": ""},
    "QwenImagePipeline": {"negative_prompt": "", "true_cfg_scale": 3.0},
}


def as_meant(pipe: Any) -> Any:
    """Diffusers' Chroma adds its mask to what is seen, as 0 and 1, and so hides nothing."""
    if isinstance(pipe, ChromaPipeline):
        padded = pipe._get_t5_prompt_embeds

        def trimmed(*args: object, **options: object) -> tuple[torch.Tensor, torch.Tensor]:
            text, mask = padded(*args, **options)
            kept = mask[0].bool()
            return text[:, kept], mask[:, kept].bool()

        pipe._get_t5_prompt_embeds = trimmed
    return pipe


@pytest.fixture
def begun(tmp_path: Path, any_base: Path) -> Project:
    config = small_config(
        str(any_base), steps=6, learning_rate=0.05, text_encoder_learning_rate=0.05
    )
    project = create(tmp_path / "project", config)
    fill(project.images, 4)
    fill(project.images / "wide", 2, (120, 60))
    return project


@pytest.mark.parametrize("changes", [(), ("adapter.text_encoder=false", "adapter.dropout=0.3")])
def test_a_stopped_run_goes_on_bit_for_bit(
    begun: Project, tmp_path: Path, changes: tuple[str, ...]
) -> None:
    begun.save(files.with_changes(begun.config(), list(changes)))
    again = Project(shutil.copytree(begun.root, tmp_path / "again"))
    list(train(begun, Control()))
    control = Control()
    for event in train(again, control):
        if isinstance(event, StepDone) and event.step == 3:
            control.stop.set()
    resumed = list(train(again, Control(), ""))
    assert not [event for event in resumed if isinstance(event, Warned)]
    assert resumed[-1] == Finished()
    whole, stopped = (p.run("").adapter_file("Small", 6) for p in (begun, again))
    assert whole.read_bytes() == stopped.read_bytes()


@pytest.mark.parametrize("layout", ["usual", "diffusers"])
def test_plain_diffusers_draws_our_preview(begun: Project, tmp_path: Path, layout) -> None:
    if layout == open_base(Path(begun.config().base)).facts.layout:
        pytest.skip("that is the usual one")
    list(train(begun, Control()))
    run, config = begun.run(""), begun.config()
    pipe = as_meant(DiffusionPipeline.from_pretrained(config.base, dtype=torch.float32))
    pipe.set_progress_bar_config(disable=True)

    def drawn() -> np.ndarray:
        made = pipe(
            prompt=config.preview.prompts[0],
            **TOLD.get(type(pipe).__name__, {}),
            width=64,
            height=64,
            num_inference_steps=config.preview.inference_steps,
            guidance_scale=config.preview.guidance,
            generator=torch.Generator().manual_seed(config.preview.seed),
        )
        return np.asarray(made.images[0], dtype=np.float64)

    def ours(step: int) -> np.ndarray:
        return np.asarray(Image.open(run.preview_file(step, 0)), dtype=np.float64)

    assert np.abs(drawn() - ours(0)).mean() < CLOSE
    learnt = np.abs(drawn() - ours(6)).mean()
    pipe.load_lora_weights(export_to(run.root, layout, tmp_path / "adapter.safetensors"))
    apart = np.abs(drawn() - ours(6)).mean()
    assert apart < CLOSE
    assert apart < learnt / 4
