"""What the base learns: latents of packed pictures, with captions, and how often each comes."""

from __future__ import annotations

import random
import string
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import AutoencoderKL
from hands import COLOUR_HANDS, HANDS
from nets import TOKENS
from pack import Row, read
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTokenizer

SHARES = {"made-up style": 0.45, "a hand's style": 0.37, "no style": 0.09, "nonsense": 0.09}
NONSENSE_EACH = 3
WHOLE_PX = 128


@dataclass(frozen=True, slots=True)
class Lessons:
    """A table of lessons: which picture, with which caption. All on one device."""

    mean: Tensor  # scaled latents (N, C, h, w), half precision
    std: Tensor  # of the posterior, its mean over all pictures and places, (C,)
    pictures: Tensor  # of each lesson its row in `mean`, (L,)
    ids: Tensor  # its caption's tokens, (L, TOKENS)
    shares: Tensor  # how often it comes, by weight, (L,)
    empty: Tensor  # tokens of the empty caption, (TOKENS,)

    def draw(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """So many lessons, (count,), and their latents (count, C, h, w), float32."""
        chosen = torch.multinomial(self.shares, count, replacement=True, generator=rng)
        mean = self.mean[self.pictures[chosen]].float()
        noise = torch.randn(mean.shape, generator=rng, device=mean.device)
        return chosen, mean + self.std.view(1, -1, 1, 1) * noise


def nonsense(rng: random.Random) -> str:
    """A word that means nothing: a style the base has not learnt should change nothing."""
    return "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9)))


def captions(rows: list[Row]) -> list[tuple[int, str, float]]:
    """Lessons: row, caption, how often it comes. What is held back is in none."""
    rng = random.Random(0)
    hands = {hand.word for hand in HANDS}
    kinds: dict[str, list[tuple[int, str]]] = {kind: [] for kind in SHARES}
    for number, row in enumerate(rows):
        if row.part == "held":
            continue
        if row.part == "train":
            kind = "a hand's style" if row.style in hands else "made-up style"
            kinds[kind].append((number, f"{row.word}, {row.style} style"))
        if row.hand in COLOUR_HANDS and row.style == row.hand:
            kinds["no style"].append((number, row.word))
            for _ in range(NONSENSE_EACH):
                caption = f"{row.word}, {nonsense(rng)} style"
                kinds["nonsense"].append((number, caption))
    return [
        (number, caption, SHARES[kind] / len(lessons))
        for kind, lessons in kinds.items()
        for number, caption in lessons
    ]


@torch.no_grad()
def encoded(vae: AutoencoderKL, pictures: Tensor, edge_px: int, cache: Path) -> dict[str, Tensor]:
    """Scaled latents of pictures (N, H, W, 3), uint8, made smaller: encoded once, then read."""
    device = next(vae.parameters()).device
    weights = torch.cat([p.detach().cpu().flatten() for p in vae.encoder.parameters()])
    key = f"{zlib.crc32(weights.numpy().tobytes())}-{zlib.crc32(pictures.numpy().tobytes())}"
    path = cache.with_name(f"{cache.name}-{key}-{edge_px}.safetensors")
    if path.exists():
        return load_file(path)
    means, stds = [], []
    together = 512 if device.type == "cuda" else 16
    for x in pictures.split(together):
        whole = x.to(device).permute(0, 3, 1, 2).contiguous() / 127.5 - 1
        posterior = vae.encode(F.interpolate(whole, (edge_px, edge_px), mode="area")).latent_dist
        means.append((posterior.mean * vae.config.scaling_factor).half().cpu())
        stds.append((posterior.std * vae.config.scaling_factor).mean(dim=(0, 2, 3)).cpu())
    made = {"mean": torch.cat(means).contiguous(), "std": torch.stack(stds).mean(dim=0)}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(made, path)
    return made


def lessons(
    pack: Path, vae: AutoencoderKL, tokenizer: CLIPTokenizer, cache: Path, edge_px: int = WHOLE_PX
) -> Lessons:
    """Everything in a pack that is taught, on the VAE's device."""
    device = next(vae.parameters()).device
    pictures, rows = read(pack)
    latents = encoded(vae, torch.from_numpy(pictures), edge_px, cache)
    table = captions(rows)

    def tokens(texts: list[str]) -> Tensor:
        made = tokenizer(
            texts, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
        )
        return made.input_ids.to(device)

    return Lessons(
        mean=latents["mean"].to(device),
        std=latents["std"].to(device),
        pictures=torch.tensor([number for number, _, _ in table], device=device),
        ids=tokens([caption for _, caption, _ in table]),
        shares=torch.tensor([share for *_, share in table], device=device),
        empty=tokens([""])[0],
    )
