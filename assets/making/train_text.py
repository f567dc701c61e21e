"""Train the demo base's text encoder first, by telling pictures from their captions.

As CLIP was (Radford et al. 2021, arXiv:2103.00020): of a batch of pictures and captions, which
belong together. A UNet that is then taught heeds captions after 3,000 pictures; with an encoder
that learns beside it, none was heeded after 47,000.
"""

from __future__ import annotations

import argparse
import math
import time
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import AutoencoderKL
from lessons import Lessons, lessons
from nets import WIDTH, new_text_encoder
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

SEED = 1
SMALL_PX = 64  # a thing is known at that size, too
WIDTHS = (48, 96, 160, 256)
FIRST_SCALE, MOST_SCALE = 10.0, 60.0  # of the products: the inverse of CLIP's temperature
SHIFT = 2  # places of the latents


class Pairs(nn.Module):
    """Both sides: pictures (B, 4, 16, 16) and captions (B, T) to unit vectors (B, WIDTH)."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.text_encoder: CLIPTextModel = new_text_encoder(vocabulary)
        self.text_last = nn.Linear(WIDTH, WIDTH)
        stages = [_stage(4, WIDTHS[0], 1), *(_stage(a, b, 2) for a, b in pairwise(WIDTHS))]
        self.picture = nn.Sequential(*stages, nn.Flatten(), nn.Linear(4 * WIDTHS[-1], WIDTH))
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def forward(self, latents: Tensor, ids: Tensor) -> Tensor:
        """How well each picture and each caption go together, (B, B), before a softmax."""
        seen = F.normalize(self.picture(latents).float(), dim=1)
        said = F.normalize(self.text_last(self.text_encoder(ids).pooler_output).float(), dim=1)
        return self.log_scale.exp().clamp(max=MOST_SCALE) * seen @ said.T


def _stage(inside: int, outside: int, stride: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b, by in ((inside, outside, stride), (outside, outside, 1)):
        layers += [nn.Conv2d(a, b, 3, by, 1, bias=False), nn.GroupNorm(8, b), nn.SiLU()]
    return nn.Sequential(*layers)


def pairs_loss(scores: Tensor, ids: Tensor) -> Tensor:
    """Cross entropy both ways; equal captions in a batch are equally right."""
    same = (ids[:, None] == ids[None]).all(dim=-1).float()
    right = same / same.sum(dim=1, keepdim=True)
    both = (scores.log_softmax(dim=1), scores.T.log_softmax(dim=1))
    return -sum((right * side).sum(dim=1).mean() for side in both) / 2


def main() -> None:
    """Train for some minutes; writes the text encoder's folder at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--vae", type=Path, default=Path(__file__).parents[1] / "demo-base" / "vae")
    parser.add_argument("--tokenizer", type=Path, default=Path(__file__).parent / "tokenizer")
    parser.add_argument("--out", type=Path, required=True, help="the text encoder's folder")
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--batch", type=int, default=192)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--bf16", action="store_true", help="where a processor has it")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.manual_seed(SEED)
    vae = AutoencoderKL.from_pretrained(args.vae).to(args.device)
    tokenizer = CLIPTokenizer.from_pretrained(args.tokenizer)
    data = lessons(args.pack, vae, tokenizer, args.out.with_name("latents"), SMALL_PX)
    net = Pairs(len(tokenizer)).to(args.device)
    train(net, data, args)
    net.text_encoder.save_pretrained(args.out)


def train(net: Pairs, data: Lessons, args: argparse.Namespace) -> None:
    """Until the time is up."""
    longest = (
        int((data.ids != data.empty[-1]).sum(dim=1).max()) + 1
    )  # what follows is not looked at
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=args.rate, betas=(0.9, 0.98), weight_decay=0.05, fused=True
    )
    began, step, told = time.monotonic(), 0, []
    while (done := (time.monotonic() - began) / 60 / args.minutes) < 1:
        rng = torch.Generator(args.device).manual_seed(SEED + step)
        rate = min(1.0, (step + 1) / 100) * max(0.02, 0.5 * (1 + math.cos(math.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = args.rate * rate
        chosen, latents = data.draw(args.batch, rng)
        shift = torch.randint(-SHIFT, SHIFT + 1, (2,), generator=rng, device=args.device).tolist()
        ids = data.ids[chosen, :longest]
        half = args.bf16 or args.device == "cuda"
        with torch.autocast(torch.device(args.device).type, torch.bfloat16, enabled=half):
            scores = net(latents.roll(shift, (2, 3)), ids)
        loss = pairs_loss(scores, ids)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        right = scores.argmax(dim=1) == torch.arange(len(ids), device=args.device)
        told.append(torch.stack([loss.detach(), right.float().mean()]))
        step += 1
        if step % 50 == 0:
            mean, share = torch.stack(told).mean(dim=0).tolist()
            told.clear()
            seconds = time.monotonic() - began
            print(f"{step} loss {mean:.3f} right {share:.1%} {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
