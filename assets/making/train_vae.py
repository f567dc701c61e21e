"""Train the demo base's VAE: 4x, 4 latent channels (32 x 32 for a picture of 128 px).

Mostly on whole pictures: its group norms look at all of a picture, so that a net that had seen
only crops of 48 px drew white grounds grey and got worse on whole pictures while its loss fell.
"""

from __future__ import annotations

import argparse
import math
import re
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import AutoencoderKL
from muon import Muon
from pack import read
from torch import Tensor, nn

KL_WEIGHT = 5e-4  # of the mean over all latent numbers
CROP_PX = 96
BF16_UNTIL = 0.85  # of the time: bfloat16's last step is half of one in 255, which the rest removes
CROPPED_UNTIL = 0.5  # of the time half of the steps see crops: more drawing, less white ground
COLOUR_WEIGHT = 2  # with 1 the shapes were right long before the colours
PALETTE_WEIGHT = 1
LATENT_PX = 4
CHANNELS = 4
WHITE = 0.99


def new_vae() -> AutoencoderKL:
    """Stable Diffusion 1's VAE with two downsamplings, narrow enough for two cores."""
    vae = AutoencoderKL(
        block_out_channels=(32, 48, 96),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=CHANNELS,
        sample_size=128,
        mid_block_add_attention=False,
    )
    for name, module in vae.named_modules():
        if name.endswith(".conv2"):  # each block begins as doing nothing (arXiv:1901.09321)
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    return vae


def edges(pictures: Tensor) -> Tensor:
    """Differences between neighbours in both directions, (B, 2 C, H-1, W-1)."""
    here = pictures[..., :-1, :-1]
    return torch.cat([pictures[..., 1:, :-1] - here, pictures[..., :-1, 1:] - here], dim=1)


def reconstruction_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """L1 on pixels, on edges (sharp outlines) and on 4 px means (right colours).

    Whiter than white and blacker than black are right, since pictures are clamped.
    """
    beyond = made.detach()
    wanted = torch.where(wanted > WHITE, torch.maximum(wanted, beyond), wanted)
    wanted = torch.where(wanted < -WHITE, torch.minimum(wanted, beyond), wanted)
    pixel = F.l1_loss(made, wanted)
    edge = F.l1_loss(edges(made), edges(wanted))
    pooled = F.l1_loss(F.avg_pool2d(made, 4), F.avg_pool2d(wanted, 4))
    return pixel + edge + COLOUR_WEIGHT * pooled


def crops(pictures: np.ndarray, count: int, edge_px: int, rng: torch.Generator) -> Tensor:
    """Random crops (count, 3, edge, edge), -1 to 1: at random scale, mirrored, in other colours."""
    batch: list[Tensor] = []
    while len(batch) < count:
        row = torch.randint(len(pictures), (1,), generator=rng).item()
        x = torch.from_numpy(pictures[row]).permute(2, 0, 1)[None].float() / 127.5 - 1
        if edge_px < x.shape[-1]:
            if torch.rand(1, generator=rng) < 0.5:  # the other half at its own scale, as drawn
                zoom = 0.8 + torch.rand(1, generator=rng).item() * 0.6
                x = F.interpolate(x, scale_factor=zoom, mode="bicubic", antialias=True)
                x = x.clamp(-1, 1)
            room = x.shape[-1] - edge_px
            top, left = torch.randint(room + 1, (2,), generator=rng).tolist()
            x = x[..., top : top + edge_px, left : left + edge_px]
            if x.std() < 0.1 and torch.rand(1, generator=rng) > 0.1:
                continue  # nearly blank: a tenth of them is enough
        dice = torch.rand(3, generator=rng)
        if dice[0] < 0.5:
            x = x.flip(-1)
        if dice[1] < 0.4:  # all colours alike: with less of it green came out brown for long
            x = x[:, torch.randperm(3, generator=rng)]
        if dice[2] < 0.03:
            x = -x
        batch.append(x)
    return torch.cat(batch)


@torch.no_grad()
def returned(vae: AutoencoderKL, pictures: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean absolute difference of 255 after encoding and decoding, and the pictures made."""
    device = next(vae.parameters()).device
    made = []
    for start in range(0, len(pictures), 16):
        x = torch.from_numpy(pictures[start : start + 16]).permute(0, 3, 1, 2).to(device)
        y = vae.decode(vae.encode(x / 127.5 - 1).latent_dist.mean).sample
        made.append(((y / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu())
    back = torch.cat(made).numpy()
    return float(np.abs(back.astype(np.int16) - pictures.astype(np.int16)).mean()), back


@torch.no_grad()
def deviation(vae: AutoencoderKL, pictures: np.ndarray) -> float:
    """Of the latents of pictures (N, H, W, 3), over all numbers."""
    device = next(vae.parameters()).device
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).to(device) / 127.5 - 1
    return torch.cat([vae.encode(part).latent_dist.mean for part in x.split(16)]).std().item()


def main() -> None:
    """Train until the time is up, saving every five minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--watch", type=Path, help="openmoji.pack: say how it comes back")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--start", type=Path, help="continue from this VAE folder")
    parser.add_argument("--decoder-only", action="store_true", help="leave the latents as they are")
    parser.add_argument("--muon", type=float, default=0.02, help="rate of convolutions")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="of everything else")
    parser.add_argument("--bf16", action="store_true", help="where the processor has it: 1.7x")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()

    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    pictures, rows = read(*args.pack)
    held = np.array([row.part == "held" for row in rows])
    test, pictures = pictures[held][:64], pictures[~held]
    if args.watch:
        test, rows = read(args.watch)
        test = test[[row.part == "train" for row in rows]][::8]  # as they were drawn
    vae = AutoencoderKL.from_pretrained(args.start) if args.start else new_vae()
    vae.to(args.device)
    if args.decoder_only:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    # A straight line from the latent to its square's mean colour: without it green and purple
    # came out grey for thousands of steps, since outlines pay better. It is not part of the model.
    palette = nn.Conv2d(CHANNELS, 3, 1, device=args.device)
    params = [p for net in (vae, palette) for p in net.parameters() if p.requires_grad]
    inner = [
        p
        for name, p in vae.named_parameters()
        if p.ndim == 4 and p.requires_grad and not re.search("conv_in|conv_out|quant", name)
    ]
    muon = Muon(inner, args.muon)
    others = [p for p in params if not any(p is q for q in inner)]
    optimizer = torch.optim.AdamW(others, lr=args.rate, betas=(0.9, 0.98), weight_decay=0.01)
    average = [p.detach().clone() for p in params]

    def save() -> float:
        """Write the averaged weights; returns how far held pictures come back from themselves."""
        kept = [p.detach().clone() for p in params]
        torch._foreach_copy_([p.data for p in params], average)
        vae.register_to_config(scaling_factor=1 / deviation(vae, pictures[:: len(pictures) // 256]))
        vae.save_pretrained(args.out)
        difference, _ = returned(vae, test)
        torch._foreach_copy_([p.data for p in params], kept)
        return difference

    losses: list[float] = []
    began = saved = time.monotonic()
    done, step = 0.0, 0
    while done < 1:
        done = min(1.0, (time.monotonic() - began) / 60 / args.minutes)
        share = min(1, (step + 1) / 20) * 0.5 * (1 + math.cos(math.pi * done))
        for group in optimizer.param_groups:
            group["lr"] = args.rate * share
        if step % 2 and done < CROPPED_UNTIL:
            x = crops(pictures, 2 * args.batch, CROP_PX, rng).to(args.device)
        else:
            x = crops(pictures, args.batch, pictures.shape[1], rng).to(args.device)
        half = args.bf16 and done < BF16_UNTIL
        with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            latent = vae.encode(x).latent_dist
            z = latent.sample()
            made = vae.decode(z).sample.float()
        loss = reconstruction_loss(made, x)
        loss = loss + KL_WEIGHT * latent.kl().mean() / z[0].numel()
        loss = loss + PALETTE_WEIGHT * F.l1_loss(palette(z.float()), F.avg_pool2d(x, LATENT_PX))
        loss.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        muon.step(share)
        for p in params:
            p.grad = None
        keep = min(0.99, (step + 1) / (step + 10))
        torch._foreach_lerp_(average, [p.detach() for p in params], 1 - keep)
        losses.append(loss.item())
        step += 1
        now = time.monotonic()
        if step % 100 == 0:
            print(f"{step} loss {np.mean(losses[-100:]):.4f} {now - began:.0f} s", flush=True)
        if now - saved > 300 or done == 1:
            print(f"{step}: held pictures within {save():.2f} of 255", flush=True)
            saved = now


if __name__ == "__main__":
    main()
