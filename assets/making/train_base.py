"""Train the demo base's text encoder and UNet on the latents of its VAE; resumable at any time."""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import string
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F  # noqa: N812
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from pictures import BASE_STYLES, base_pictures, icon_set
from PIL import Image
from renderings import RENDERINGS, placed
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from torch import Tensor, distributed, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

VOCABULARY = 2000
WIDTH = 256
TOKENS = 32  # CLIP's 77 cost far more time, and the captions are short
SEED = 1
EDGE_PX = 128
AVERAGE_EVERY = 4  # steps: the average costs as much as the optimizer


def new_tokenizer(icons: Path) -> CLIPTokenizer:
    """CLIP's tokenizer with a vocabulary of our own, learnt from the names of all icons."""
    names = [n.replace("-", " ") for f in BASE_STYLES.values() for n in icon_set(icons / f)]
    names += [f"{style} style" for style in BASE_STYLES] * 50
    names += ["a picture of a small large red green blue white black drawing in the style"] * 50
    learner = CLIPTokenizer().backend_tokenizer  # for its way to split a text into words
    trainer = BpeTrainer(vocab_size=VOCABULARY, end_of_word_suffix="</w>", show_progress=False)
    learner.train_from_iterator(names, trainer)
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    letters = sorted(ByteLevel.alphabet())
    tokens = letters + [f"{letter}</w>" for letter in letters]  # CLIP's own order
    merges = merges[: VOCABULARY - len(tokens) - 2]
    tokens += ["".join(pair) for pair in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS)


def tokenizer_of(args: argparse.Namespace) -> CLIPTokenizer:
    """The one that training began with: learnt anew, words that tie may change places."""
    for folder in filter(None, (args.out, args.start)):
        if (folder / "tokenizer").exists():
            return CLIPTokenizer.from_pretrained(folder / "tokenizer")
    return new_tokenizer(args.icons)


def new_text_encoder(vocabulary: int) -> CLIPTextModel:
    """Stable Diffusion 1's text encoder, narrow."""
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        projection_dim=WIDTH,
        max_position_embeddings=TOKENS,
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
    )
    return CLIPTextModel._from_config(config, attn_implementation="eager")


def new_unet() -> UNet2DConditionModel:
    """Stable Diffusion 1's UNet, narrow: attention on its two upper levels and in the middle."""
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(96, 192, 256),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,  # the number of heads: diffusers' old name for it
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    )


def new_scheduler() -> DDPMScheduler:
    """Velocity prediction with zero terminal SNR: so small a net ignores prompts otherwise.

    DDPM, since its fresh noise in each step washes out the first one's imprint, which DDIM leaves
    as a texture on flat colours.
    """
    return DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )


@dataclass(frozen=True, slots=True)
class Lessons:
    """What is learnt: scaled latent means and deviations (N, 4, 16, 16), captions, and shares."""

    mean: Tensor
    std: Tensor
    captions: list[str]
    shares: list[float]  # how often each comes, by weight

    def batch(self, count: int, rng: random.Random) -> tuple[Tensor, list[str]]:
        """Latents (count, 4, 16, 16) and captions, a tenth of them empty."""
        rows = rng.choices(range(len(self.captions)), self.shares, k=count)
        noise = torch.randn(self.mean[rows].shape)
        captions = ["" if rng.random() < 0.1 else self.captions[row] for row in rows]
        captions = [c.replace("*", nonsense(rng)) for c in captions]
        return self.mean[rows] + self.std[rows] * noise, captions


def nonsense(rng: random.Random) -> str:
    """A word that means nothing: a style the base has not learnt should change nothing."""
    return "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9)))


def variants(job: tuple[int, np.ndarray]) -> list[tuple[np.ndarray, str]]:
    """A picture placed elsewhere, as it is and in every rendering, each with the style's name."""
    number, picture = job
    rng = np.random.default_rng((SEED, number))
    made = [(placed(picture, rng), "")]
    made += [(render(placed(picture, rng)), name) for name, render in RENDERINGS.items()]
    return [(np.asarray(Image.fromarray(p).reduce(2)), name) for p, name in made]


def drawn(icons: Path) -> tuple[np.ndarray, list[str], list[float]]:
    """Pictures (N, edge, edge, 3), captions and shares.

    A third are the sets' own pictures with their style's name, a third placed ones in another
    rendering, a tenth each placed or own ones without a style, and own ones with a nonsense one.
    """
    pictures, words, styles = base_pictures(icons, EDGE_PX)
    captions = [f"{word}, {style} style" for word, style in zip(words, styles, strict=True)]
    captions += [*words, *(f"{word}, * style" for word in words)]
    made = [*pictures] * 3
    shares = [0.35] * len(words) + [0.1] * 2 * len(words)
    large, _, _ = base_pictures(icons, 2 * EDGE_PX)
    with mp.get_context("fork").Pool(2) as pool:
        others = pool.map(variants, enumerate(large), chunksize=8)
    for word, some in zip(words, others, strict=True):
        for picture, name in some:
            made.append(picture)
            captions.append(f"{word}, {name} style" if name else word)
            shares.append(0.35 / len(RENDERINGS) if name else 0.1)
    return np.stack(made), captions, shares


@torch.no_grad()
def lessons(icons: Path, vae: AutoencoderKL) -> Lessons:
    """Encode the pictures; sets the VAE's scaling factor so that latents have unit variance."""
    pictures, captions, shares = drawn(icons)
    means, stds = [], []
    for start in range(0, len(pictures), 16):
        x = torch.from_numpy(pictures[start : start + 16]).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.autocast("cpu", torch.bfloat16):
            posterior = vae.encode(x).latent_dist
        means.append(posterior.mean.float())
        stds.append(posterior.std.float())
    mean, std = torch.cat(means), torch.cat(stds)
    named = shares.count(shares[0])  # the sets' own pictures come first
    vae.register_to_config(scaling_factor=1 / mean[:named].std().item())
    scale = vae.config.scaling_factor
    return Lessons(mean * scale, std * scale, captions, shares)


class Net(nn.Module):
    """Both nets that learn, so that one list of parameters serves optimizer and average."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.text_encoder = new_text_encoder(vocabulary)
        self.unet = new_unet()
        self.unet.set_attn_processor(AttnProcessor())  # at 256 tokens faster than the fused kernel


def velocity_loss(net: Net, latents: Tensor, ids: Tensor, alphas: Tensor) -> Tensor:
    """Mean squared error of v = a noise - s x0 (arXiv:2202.00512), stratified in time."""
    count = len(latents)
    spread = (torch.arange(count) + torch.rand(count)) / count
    t = (spread * len(alphas)).long()
    a, s = alphas[t].sqrt().view(-1, 1, 1, 1), (1 - alphas[t]).sqrt().view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    with torch.autocast("cpu", torch.bfloat16):
        context = net.text_encoder(ids).last_hidden_state
        made = net.unet(a * latents + s * noise, t, context).sample
    return F.mse_loss(made.float(), a * noise - s * latents)


def rate_at(step: int, steps: int, peak: float) -> float:
    """Warm up over 300 steps, hold, and fall along a cosine over the last 40 %."""
    falling = max(0.0, (step / steps - 0.6) / 0.4)
    return peak * min(1.0, (step + 1) / 300) * 0.5 * (1 + math.cos(math.pi * falling))


def save(out: Path, net: Net, average: list[Tensor], parts: tuple) -> None:
    """Write the averaged model as a half-precision diffusers folder, beside and renamed."""
    vae, tokenizer, scheduler = parts
    kept = [p.detach().clone() for p in net.parameters()]
    torch._foreach_copy_([p.data for p in net.parameters()], average)
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=net.text_encoder,
        tokenizer=tokenizer,
        unet=net.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.to(dtype=torch.float16)
    pipe.save_pretrained(out)
    pipe.to(dtype=torch.float32)
    torch._foreach_copy_([p.data for p in net.parameters()], kept)


def train(rank: int, args: argparse.Namespace) -> None:
    """One of `args.processes` equal processes, each with one thread's share of every batch."""
    torch.set_flush_denormal(True)
    torch.set_num_threads(args.threads)
    if args.processes > 1:
        init = f"file://{args.out.absolute()}.meeting-{os.getppid()}"
        distributed.init_process_group(
            "gloo", init_method=init, rank=rank, world_size=args.processes
        )
    torch.manual_seed(SEED)
    vae = AutoencoderKL.from_pretrained(args.vae, torch_dtype=torch.float32)
    vae.register_to_config(_name_or_path="")  # no path of this machine in what is shipped
    data = lessons(args.icons, vae)
    tokenizer, scheduler = tokenizer_of(args), new_scheduler()
    net = Net(len(tokenizer))
    if args.start:
        for part, kind in (("unet", UNet2DConditionModel), ("text_encoder", CLIPTextModel)):
            weights = kind.from_pretrained(args.start / part, dtype=torch.float32).state_dict()
            getattr(net, part).load_state_dict(weights)
    params = list(net.parameters())
    optimizer = torch.optim.AdamW(
        params, lr=args.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
    )
    average = [p.detach().clone() for p in params]
    state_file = args.out.with_suffix(".state")
    begin = 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        average = [a.detach() for a in state["average"]]
        begin = state["step"]
    torch.manual_seed(SEED + 1000 * begin + rank)
    rng = random.Random(SEED + 1000 * begin + rank)
    losses: list[float] = []
    began = time.monotonic()
    for step in range(begin, args.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, args.steps, args.rate)
        latents, captions = data.batch(args.batch // args.processes, rng)
        ids = tokenizer(
            captions, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
        )
        loss = velocity_loss(net, latents, ids.input_ids, scheduler.alphas_cumprod)
        loss.backward()
        if args.processes > 1:
            gradients = torch.cat([p.grad.flatten() for p in params])
            distributed.all_reduce(gradients)
            gradients /= args.processes
            parts = gradients.split([p.numel() for p in params])
            torch._foreach_copy_(
                [p.grad for p in params], [g.view_as(p) for g, p in zip(parts, params, strict=True)]
            )
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % AVERAGE_EVERY == 0:
            keep = min(args.average, (step + 1) / (step + 20)) ** AVERAGE_EVERY
            torch._foreach_lerp_(average, [p.detach() for p in params], 1 - keep)
        losses.append(loss.item())
        if rank == 0 and (step + 1) % 100 == 0:
            seconds = time.monotonic() - began
            print(f"{step + 1} loss {np.mean(losses[-100:]):.4f} {seconds:.0f} s", flush=True)
        if rank == 0 and ((step + 1) % 500 == 0 or step + 1 == args.steps):
            save(args.out, net, average, (vae, tokenizer, scheduler))
            state = {
                "net": net.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average,
                "step": step + 1,
            }
            torch.save(state, state_file.with_suffix(".part"))
            state_file.with_suffix(".part").replace(state_file)


def main() -> None:
    """Start the processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--icons", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--average", type=float, default=0.9995, help="0.998 for short runs")
    parser.add_argument("--start", type=Path, help="begin with the weights of this base")
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()
    mp.spawn(train, (args,), nprocs=args.processes)


if __name__ == "__main__":
    main()
