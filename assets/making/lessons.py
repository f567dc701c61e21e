"""What the base learns: latents of packed pictures, with captions, and how often each comes."""

from __future__ import annotations

import random
import string
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import AutoencoderKL
from hands import COLOUR_HANDS, HANDS, subjects
from nets import TOKENS
from pack import Row, read
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTokenizer

SHARES = {"made-up style": 0.45, "a hand's style": 0.3, "no style": 0.12, "nonsense": 0.13}
DEMO_WEIGHT = 2.0  # of a subject that the demo shows; 1 for the others
OTHERS = 60  # subjects beside the demo's: those that most hands have drawn
NONSENSE_EACH = 3
WHOLE_PX = 128


@dataclass(frozen=True, slots=True)
class Lessons:
    """A table of lessons: which picture, with which caption. All on one device."""

    mean: Tensor  # scaled latents (N, 4, h, w), half precision
    std: Tensor  # of the posterior, its mean over all pictures and places, (4,)
    pictures: Tensor  # of each lesson its row in `mean`, (L,)
    ids: Tensor  # its caption's tokens, (L, TOKENS)
    shares: Tensor  # how often it comes, by weight, (L,)
    empty: Tensor  # tokens of the empty caption, (TOKENS,)

    def draw(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """So many lessons, (count,), and their latents (count, 4, h, w), float32."""
        chosen = torch.multinomial(self.shares, count, replacement=True, generator=rng)
        mean = self.mean[self.pictures[chosen]].float()
        noise = torch.randn(mean.shape, generator=rng, device=mean.device)
        return chosen, mean + self.std.view(1, -1, 1, 1) * noise


def nonsense(rng: random.Random) -> str:
    """A word that means nothing: a style the base has not learnt should change nothing."""
    return "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9)))


def demo_subjects() -> set[str]:
    """What the demo trains on or is judged on."""
    return {subject.word for subject in subjects() if subject.role != "base"}


def taught(rows: list[Row]) -> set[str]:
    """The subjects that are learnt.

    Those of the demo and the most drawn of the others: a processor has no time for all.
    """
    demo = demo_subjects()
    drawn = Counter(row.word for row in rows if row.style == row.hand and row.part == "train")
    others = [word for word, _ in drawn.most_common() if word not in demo]
    return demo | set(others[:OTHERS])


def captions(rows: list[Row]) -> list[tuple[int, str, float]]:
    """Lessons: row, caption, how often it comes by weight. What is held back is in none."""
    rng = random.Random(0)
    hands = {hand.word for hand in HANDS}
    demo = demo_subjects()
    kinds: dict[str, list[tuple[int, str, float]]] = {kind: [] for kind in SHARES}
    for number, row in enumerate(rows):
        if row.part == "held":
            continue
        weight = DEMO_WEIGHT if row.word in demo else 1.0
        if row.part == "train":
            kind = "a hand's style" if row.style in hands else "made-up style"
            kinds[kind].append((number, f"{row.word}, {row.style} style", weight))
        if row.hand in COLOUR_HANDS and row.style == row.hand:
            kinds["no style"].append((number, row.word, weight))
            for _ in range(NONSENSE_EACH):
                caption = f"{row.word}, {nonsense(rng)} style"
                kinds["nonsense"].append((number, caption, weight))
    totals = {kind: sum(lesson[2] for lesson in lessons) for kind, lessons in kinds.items()}
    return [
        (number, caption, SHARES[kind] * weight / totals[kind])
        for kind, lessons in kinds.items()
        for number, caption, weight in lessons
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
    words = taught(rows)
    kept = [number for number, row in enumerate(rows) if row.word in words]
    latents = encoded(vae, torch.from_numpy(pictures[kept]), edge_px, cache)
    table = captions([rows[number] for number in kept])

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
