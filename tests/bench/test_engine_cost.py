"""What the engine costs on top of a bare loop of forward, backward and AdamW."""

import statistics
import time
from pathlib import Path

import pytest
import torch

from core.config import files
from core.data import batches
from core.project.demo import create_demo, demo_config
from core.protocol.events import StepDone
from core.training import setup
from core.training.clock import Clock
from core.training.control import Control
from core.training.loop import steps

PAIRS, WARM_UP = 84, 4  # steps


def bare_step(prepared: setup.Prepared, draw: batches.Draw) -> None:
    """The least that trains the same adapters: no plan, no events, no checks."""
    model = prepared.model
    unet, encoder = model.parts["unet"], model.parts["text_encoder"]
    tokenizer, alpha_bars = model.parts["tokenizer"], model.path.alpha_bars
    noise = torch.randn(draw.latents.shape)
    t = torch.randint(len(alpha_bars), (len(draw.latents),))
    signal = alpha_bars[t].sqrt().view(-1, 1, 1, 1)
    spread = (1 - alpha_bars[t]).sqrt().view(-1, 1, 1, 1)
    with model.place.autocast():
        ids = tokenizer(
            list(draw.captions), padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        made = unet(signal * draw.latents + spread * noise, t, encoder(ids)[0]).sample
        wanted = signal * noise - spread * draw.latents
        loss = torch.nn.functional.mse_loss(made.float(), wanted)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(prepared.trainable.parameters.values(), 1.0)
    prepared.trainable.optimizer.step()
    prepared.trainable.optimizer.zero_grad(set_to_none=True)
    loss.item()


@pytest.mark.bench
def test_the_engine_costs_at_most_five_percent(tmp_path: Path) -> None:
    config = files.with_changes(
        demo_config(steps=PAIRS + 1),
        ["preview.every=0", "training.checkpoint_every=0", "training.checkpoint_minutes=0"],
    )
    project = create_demo(tmp_path / "demo", config)
    preparing = setup.prepare(project, config, Control())
    while True:
        try:
            next(preparing)
        except StopIteration as done:
            prepared = done.value
            break
    run = project.new_run(config)
    clock = Clock(config)
    events = steps(run, prepared, Control(), 1, clock)
    samples = [batches.Sample(number, 1.0) for number in range(8)]
    draw = batches.draw(prepared.items, samples, config, step=1, batch_size=8)
    times: dict[str, list[float]] = {"bare": [], "engine": []}
    for _ in range(PAIRS):  # by turns, so that what else the machine does hits both alike
        began = time.perf_counter()
        bare_step(prepared, draw)
        between = time.perf_counter()
        assert isinstance(next(events), StepDone)
        times["bare"].append(between - began)
        times["engine"].append(time.perf_counter() - between)
    bare, engine = (statistics.median(times[name][WARM_UP:]) for name in ("bare", "engine"))
    print(
        f"\nengine / bare loop: {engine / bare:.3f} (medians of {PAIRS - WARM_UP} steps by turns:"
    )
    print(f"{engine * 1000:.0f} ms and {bare * 1000:.0f} ms)")
    assert engine / bare < 1.05
