"""Train the demo base's VAE (8x, 4 latent channels) on every icon of the three base styles."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import AutoencoderKL
from pictures import everything
from torch import Tensor

KL_WEIGHT = 1e-5
COLOUR_WEIGHT = 3  # with 1 the shapes were right long before the colours
PALETTE_WEIGHT = 3
LEVELS = 4


def new_vae() -> AutoencoderKL:
    """Stable Diffusion 1's VAE, narrow enough for two cores."""
    return AutoencoderKL(
        block_out_channels=(32, 64, 96, 128),
        down_block_types=("DownEncoderBlock2D",) * LEVELS,
        up_block_types=("UpDecoderBlock2D",) * LEVELS,
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=4,
        sample_size=128,
        mid_block_add_attention=False,
    )


def edges(pictures: Tensor) -> Tensor:
    """Differences between neighbours in both directions, (B, C, H-1, W-1) twice, joined."""
    here = pictures[..., :-1, :-1]
    return torch.cat([pictures[..., 1:, :-1] - here, pictures[..., :-1, 1:] - here], dim=1)


def reconstruction_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """L1 on pixels, on edges (sharp outlines) and on 4 px means (right colours)."""
    pixel = F.l1_loss(made, wanted)
    edge = F.l1_loss(edges(made), edges(wanted))
    pooled = F.l1_loss(F.avg_pool2d(made, 4), F.avg_pool2d(wanted, 4))
    return pixel + edge + COLOUR_WEIGHT * pooled


def crops(pictures: Tensor, count: int, edge_px: int, rng: torch.Generator) -> Tensor:
    """Random crops at random scale, half of them flipped, a few with other colours.

    Many small crops teach more per second than few whole pictures: the net is convolutional.
    """
    batch = []
    while len(batch) < count:
        picture = pictures[torch.randint(len(pictures), (1,), generator=rng)].permute(0, 3, 1, 2)
        x = picture.float() / 127.5 - 1
        if edge_px < x.shape[-1]:
            zoom = 0.7 + torch.rand(1, generator=rng).item() * 0.6
            x = F.interpolate(x, scale_factor=zoom, mode="bicubic", antialias=True).clamp(-1, 1)
            room = x.shape[-1] - edge_px
            top, left = torch.randint(room + 1, (2,), generator=rng).tolist()
            x = x[..., top : top + edge_px, left : left + edge_px]
            if x.std() < 0.1 and torch.rand(1, generator=rng) > 0.1:
                continue  # nearly blank: a tenth of them is enough
        dice = torch.rand(3, generator=rng)
        if dice[0] < 0.5:
            x = x.flip(-1)
        if dice[1] < 0.05:
            x = x[:, torch.randperm(3, generator=rng)]
        if dice[2] < 0.03:
            x = -x
        batch.append(x)
    return torch.cat(batch)


def main() -> None:
    """Train for a given number of steps; the last tenth on whole pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--icons", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--start", type=Path, help="continue from this VAE folder")
    parser.add_argument("--decoder-only", action="store_true", help="leave the latents as they are")
    parser.add_argument("--noise", type=float, default=0.0, help="on latents, in deviations")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--whole", type=float, default=0.1, help="share of steps on whole pictures")
    args = parser.parse_args()

    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    pictures = torch.from_numpy(everything(args.icons, 128))
    vae = (
        AutoencoderKL.from_pretrained(args.start, torch_dtype=torch.float32)
        if args.start
        else new_vae()
    )
    if args.decoder_only:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    # A straight line from the latent to its 8 px square's mean colour: without it green and purple
    # came out grey for thousands of steps, since outlines pay better. It is not part of the model.
    palette = torch.nn.Conv2d(4, 3, 1)
    params = [p for net in (vae, palette) for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=args.rate, betas=(0.9, 0.98), weight_decay=0.01)
    average = [p.detach().clone() for p in params]
    losses: list[float] = []
    began = time.monotonic()
    for step in range(args.steps):
        done = step / args.steps
        rate = args.rate * min(1, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * done))
        for group in optimizer.param_groups:
            group["lr"] = rate
        whole = done >= 1 - args.whole
        x = crops(pictures, 4 if whole else 12, 128 if whole else 64, rng)
        with torch.autocast("cpu", torch.bfloat16):
            latent = vae.encode(x).latent_dist
            z = latent.sample()
            # What a UNet draws is a little off: the decoder should not make a texture of that.
            level = args.noise * torch.rand(len(z), 1, 1, 1) * z.detach().std()
            made = vae.decode(z + level * torch.randn_like(z)).sample
            colours = palette(z)
        loss = reconstruction_loss(made.float(), x) + KL_WEIGHT * latent.kl().mean()
        loss = loss + PALETTE_WEIGHT * F.l1_loss(colours.float(), F.avg_pool2d(x, 8))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        keep = min(0.998, (step + 1) / (step + 10))
        torch._foreach_lerp_(average, [p.detach() for p in params], 1 - keep)
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            print(
                f"{step + 1} loss {np.mean(losses[-100:]):.4f} {time.monotonic() - began:.0f} s",
                flush=True,
            )
        if (step + 1) % 1000 == 0 or step + 1 == args.steps:
            kept = [p.detach().clone() for p in params]
            torch._foreach_copy_([p.data for p in params], average)
            vae.save_pretrained(args.out)
            torch._foreach_copy_([p.data for p in params], kept)


if __name__ == "__main__":
    main()
