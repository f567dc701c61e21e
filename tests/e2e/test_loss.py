"""The loss and its gradient against plain diffusers and torch: no function of ours on that side."""

import math
import statistics
from dataclasses import replace as with_fields
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from core.base.value import ASSETS
from core.config import files
from core.config.options import TrainingConfig
from core.data import batches
from core.diffusion.path import Flow
from core.diffusion.times import Times
from core.project.demo import STYLE
from core.project.layout import Project, create
from core.training import setup
from core.training.control import Control
from core.training.step import denoising_losses
from tests import tiny
from tests.conftest import fill, made, small_config

RANK, ALPHA = 4, 2.0
PICTURE = (100, 64)  # px, width and height
# height and width; top and left of the crop; height and width shown, of 80 x 51 px
SEEN = (64.0, 100.0, 1.0, 0.0, 48.0, 80.0)


def prepared_for(project: Project) -> setup.Prepared:
    preparing = setup.prepare(project, project.config(), Control())
    while True:
        try:
            next(preparing)
        except StopIteration as done:
            return done.value


def draw_of(prepared: setup.Prepared, step: int, count: int, *changes: str) -> batches.Draw:
    return batches.draw(
        prepared.items,
        [batches.Sample(n, 1 / (1 + n)) for n in range(count)],
        files.with_changes(
            prepared.config, ["training.seed=3", "dataset.caption_dropout=0", *changes]
        ),
        step=step,
        batch_size=count,
    )


class Reference:
    """The demo's or tiny nets as plain diffusers and transformers load them."""

    def __init__(self, base: Path, adapter: dict[str, torch.Tensor]) -> None:
        self.unet = UNet2DConditionModel.from_pretrained(base / "unet", torch_dtype=torch.float32)
        self.text_encoder = CLIPTextModel.from_pretrained(
            base / "text_encoder", attn_implementation="eager", dtype=torch.float32
        )
        self.tokenizer = CLIPTokenizer.from_pretrained(base / "tokenizer")
        self.xl = (base / "text_encoder_2").exists()
        if self.xl:
            self.text_encoder_2 = CLIPTextModelWithProjection.from_pretrained(
                base / "text_encoder_2", attn_implementation="eager", dtype=torch.float32
            )
            self.tokenizer_2 = CLIPTokenizer.from_pretrained(base / "tokenizer_2")
        self.scheduler = DDPMScheduler.from_pretrained(base / "scheduler")
        self.matrices: dict[str, torch.Tensor] = {}
        for name in [n for n in adapter if n.endswith(".lora_A.weight")]:
            place = name.removesuffix(".lora_A.weight")
            a = adapter[name].clone().requires_grad_()
            b = adapter[f"{place}.lora_B.weight"].clone().requires_grad_()
            self.matrices |= {name: a, f"{place}.lora_B.weight": b}
            part, _, module = place.partition(".")
            self._add(getattr(self, part).get_submodule(module), a, b)

    @staticmethod
    def _add(layer: torch.nn.Linear, a: torch.Tensor, b: torch.Tensor) -> None:
        """y = W x + alpha / rank * B A x."""
        layer.register_forward_hook(lambda _, x, y: y + ALPHA / RANK * (x[0] @ a.T @ b.T))

    def texts(self, draw: batches.Draw) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """As diffusers' text-to-image scripts say them."""

        def ids(tokenizer: CLIPTokenizer) -> torch.Tensor:
            texts = list(draw.captions)
            return tokenizer(
                texts, padding="max_length", truncation=True, return_tensors="pt"
            ).input_ids

        if not self.xl:
            return self.text_encoder(ids(self.tokenizer))[0], {}
        first = self.text_encoder(ids(self.tokenizer), output_hidden_states=True)
        second = self.text_encoder_2(ids(self.tokenizer_2), output_hidden_states=True)
        sizes = torch.tensor([SEEN]).repeat(len(draw.captions), 1)
        text = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        return text, {"text_embeds": second.text_embeds, "time_ids": sizes}

    def loss(self, draw: batches.Draw, config: TrainingConfig) -> torch.Tensor:
        schedule = self.scheduler
        count = schedule.config.num_train_timesteps
        t = torch.tensor([min(count - 1, math.floor(u * count)) for u in draw.u.tolist()])
        text, told = self.texts(draw)
        noisy = schedule.add_noise(draw.latents, draw.input_noise, t)
        said = self.unet(noisy, t, text, added_cond_kwargs=told).sample
        v = schedule.config.prediction_type == "v_prediction"
        wanted = schedule.get_velocity(draw.latents, draw.noise, t) if v else draw.noise
        total = torch.zeros(())
        for n in range(len(t)):
            share = schedule.alphas_cumprod[t[n]]
            snr = share / (1 - share)
            weight = 1.0
            of_x0 = snr.item() + 1 if v else snr.item()
            if gamma := config.min_snr_gamma:  # as diffusers' text-to-image script
                weight = min(snr.item(), gamma) / of_x0
            if config.debiased:
                weight = math.sqrt(snr.item()) / of_x0
            error = torch.nn.functional.mse_loss(said[n], wanted[n])
            if config.loss == "huber":  # the same, of numbers that are measured in c
                c = config.huber_c
                ours, theirs = said[n] / c, wanted[n] / c
                error = 2 * c**2 * ((1 + (ours - theirs) ** 2) ** 0.5 - 1).mean()
            total = total + error * weight * draw.weights[n]
        return total / len(t)


@pytest.mark.parametrize(("shift", "spread"), [(1.0, 0.0), (3.0, 1.0)])
@pytest.mark.parametrize("gamma", [0.0, 5.0])
def test_a_flows_loss_is_the_reference(
    tmp_path: Path, tiny_base: Path, gamma: float, shift: float, spread: float
) -> None:
    """On a net of another kind, since what counts is what is asked of it and when."""
    project = create(tmp_path / "p", small_config(str(tiny_base), precision="float32"))
    fill(project.images, 3)
    prepared = prepared_for(project)
    model = with_fields(prepared.model, path=Flow(Times(shift=shift, logit_spread=spread)))
    draw = draw_of(prepared, 1, 3)
    unet = model.parts["unet"]
    ours = denoising_losses(model, draw, prepared.conditions, TrainingConfig(min_snr_gamma=gamma))
    for n, u in enumerate(draw.u.tolist()):
        odds = statistics.NormalDist(sigma=spread).inv_cdf(u) if spread else math.log(u / (1 - u))
        t = 1 / (1 + math.exp(-odds))
        t = shift * t / (1 + (shift - 1) * t)
        x_0, noise = draw.latents[n], draw.noise[n]
        text = prepared.conditions.of([draw.captions[n]], [draw.frames[n]])["text"]
        said = unet(((1 - t) * x_0 + t * noise)[None], torch.tensor([t]), text).sample[0]
        expected = ((said - (noise - x_0)) ** 2).mean() * draw.weights[n]
        if gamma:
            expected = expected * min(((1 - t) / t) ** 2, gamma) * t**2
        torch.testing.assert_close(ours[n], expected, rtol=1e-3, atol=1e-6)


LOSSES = (
    {},
    {"min_snr_gamma": 5.0},
    {"debiased": True},
    {"loss": "huber", "huber_c": 0.3},
)


@pytest.mark.parametrize("options", LOSSES, ids=lambda options: "-".join(options) or "plain")
@pytest.mark.parametrize("row", [row for row in tiny.ROWS if row not in tiny.FLOWS])
def test_loss_and_gradient_are_the_reference(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, row: str, options: dict
) -> None:
    """Those of flow models: test_flows.py."""
    any_base = made(row, tmp_path_factory)
    config = small_config(str(any_base), precision="float32", **options)
    config = files.with_changes(config, [f"adapter.rank={RANK}", f"adapter.alpha={ALPHA}"])
    project = create(tmp_path / "p", config)
    fill(project.images, 3, PICTURE)
    prepared = prepared_for(project)
    rng = torch.Generator().manual_seed(5)
    with torch.no_grad():  # B is zero at first, and then A has no gradient
        for name, parameter in prepared.trainable.parameters.items():
            if "lora_B" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=rng))
    adapter = {n: p.detach().clone() for n, p in prepared.trainable.parameters.items()}
    reference = Reference(any_base, adapter)
    for step in (1, 2):
        draw = draw_of(prepared, step, 3, "noise.perturbation=0.2", "noise.offset=0.1")
        training = prepared.config.training
        ours = denoising_losses(prepared.model, draw, prepared.conditions, training).sum() / 3
        theirs = reference.loss(draw, training)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
        ours.backward()
        theirs.backward()
    assert reference.matrices.keys() == prepared.trainable.parameters.keys()
    for name, parameter in prepared.trainable.parameters.items():
        assert parameter.grad is not None
        torch.testing.assert_close(
            parameter.grad, reference.matrices[name].grad, rtol=1e-3, atol=1e-6
        )


def test_the_demo_bases_loss_is_what_plain_diffusers_says(tmp_path: Path) -> None:
    """0.194 on these eight; unscaled latents give 3.01, colours BGR 0.238."""
    base = ASSETS / "demo-base"
    paths = sorted(STYLE.glob("*.png"))[:8]
    vae = AutoencoderKL.from_pretrained(base / "vae", torch_dtype=torch.float32)
    project = create(
        tmp_path / "p",
        files.with_changes(
            small_config("demo", precision="float32"),
            ["dataset.resolution_px=128", "dataset.trigger="],
        ),
    )
    for path in paths:
        (project.images / path.name).write_bytes(path.read_bytes())
        caption = path.with_suffix(".txt")
        (project.images / caption.name).write_bytes(caption.read_bytes())
    prepared = prepared_for(project)
    draws = [draw_of(prepared, step, 8) for step in range(1, 5)]
    draws = [replace_weights(draw) for draw in draws]
    reference = Reference(base, {})
    with torch.no_grad():
        for n, path in enumerate(paths):
            with Image.open(path) as image:
                flat = Image.new("RGBA", image.size, "white")
                flat.alpha_composite(image.convert("RGBA"))
                small = flat.convert("RGB").resize((128, 128), Image.Resampling.LANCZOS)
                pixels = torch.tensor(small.get_flattened_data()).float()
            pixels = pixels.view(1, 128, 128, 3).permute(0, 3, 1, 2) / 127.5 - 1
            latent = vae.encode(pixels).latent_dist
            scale = vae.config.scaling_factor
            torch.testing.assert_close(
                prepared.items[n].mean, latent.mean[0] * scale, rtol=1e-3, atol=1e-4
            )
            torch.testing.assert_close(
                prepared.items[n].std, latent.std[0] * scale, rtol=1e-3, atol=1e-4
            )
        ours = [
            denoising_losses(prepared.model, d, prepared.conditions, TrainingConfig()).mean().item()
            for d in draws
        ]
        theirs = [reference.loss(draw, TrainingConfig()).item() for draw in draws]
    assert ours == pytest.approx(theirs, rel=1e-4)
    assert sum(ours) / len(ours) == pytest.approx(0.194, abs=0.02)


def replace_weights(draw: batches.Draw) -> batches.Draw:
    return with_fields(draw, weights=torch.ones(len(draw.u)))
