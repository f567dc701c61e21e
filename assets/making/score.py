"""Measure the demo base: does a prompt give its subject and its style, and what does it look like?

Every subject in every style with two seeds. A picture counts as right when the nearest training
picture (Euclidean distance of the VAE's latents) shows the same subject, and has the same style.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from pictures import base_pictures
from PIL import Image
from torch import Tensor

SEEDS = (1, 2)
TOGETHER = 16
SHEET_EDGE = 8


def latents(pipe: StableDiffusionPipeline, pictures: Tensor) -> Tensor:
    """Means of the posterior, (N, D); pictures (N, 3, H, W), -1 to 1."""
    parts = [pipe.vae.encode(p).latent_dist.mean for p in pictures.split(TOGETHER)]
    return torch.cat(parts).flatten(1)


@torch.no_grad()
def main() -> None:
    """Print both shares, and write the sheet of samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--icons", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=Path(__file__).parents[1] / "demo-base")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--subjects", type=int, default=0, help="only so many, evenly spread")
    args = parser.parse_args()

    torch.set_flush_denormal(True)
    pictures, words, styles = base_pictures(args.icons, 128)
    known = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    pipe = StableDiffusionPipeline.from_pretrained(args.base, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    training = latents(pipe, known)
    unique = list(dict.fromkeys(words))
    chosen = unique[:: max(1, len(unique) // args.subjects)] if args.subjects else unique
    jobs = [
        (word, style, seed) for word in chosen for style in dict.fromkeys(styles) for seed in SEEDS
    ]
    subject_right = style_right = 0
    made: dict[tuple[str, str, int], Tensor] = {}
    for start in range(0, len(jobs), TOGETHER):
        some = jobs[start : start + TOGETHER]
        with torch.autocast("cpu", torch.bfloat16):
            drawn = pipe(
                [f"{word}, {style} style" for word, style, _ in some],
                generator=[torch.Generator().manual_seed(seed) for *_, seed in some],
                num_inference_steps=25,
                guidance_scale=3.0,
                guidance_rescale=0.7,
                width=128,
                height=128,
                output_type="latent",
            ).images.float()
        # As the program does it: a decoder in bfloat16 lays a texture over flat colours.
        scale = pipe.vae.config.scaling_factor
        drawn = (pipe.vae.decode(drawn / scale).sample / 2 + 0.5).clamp(0, 1)
        nearest = torch.cdist(latents(pipe, drawn * 2 - 1), training).argmin(dim=1).tolist()
        for job, row, picture in zip(some, nearest, drawn, strict=True):
            subject_right += words[row] == job[0]
            style_right += styles[row] == job[1]
            made[job] = picture
        count = min(start + TOGETHER, len(jobs))
        shares = f"subject {subject_right / count:.1%}, style {style_right / count:.1%}"
        print(f"{count} of {len(jobs)}: {shares}", flush=True)
    if args.sheet:
        write_sheet(args.sheet, made)


def write_sheet(path: Path, made: dict[tuple[str, str, int], Tensor]) -> None:
    """64 samples, evenly spread over subjects and styles, not chosen by their looks."""
    jobs = [job for job in made if job[2] == SEEDS[0]]
    count = SHEET_EDGE**2
    spread = [jobs[i * len(jobs) // count] for i in range(min(count, len(jobs)))]
    sheet = Image.new("RGB", (SHEET_EDGE * 128, SHEET_EDGE * 128), "white")
    for place, job in enumerate(spread):
        pixels = (made[job] * 255).round().byte().permute(1, 2, 0).numpy()
        sheet.paste(Image.fromarray(pixels), (place % SHEET_EDGE * 128, place // SHEET_EDGE * 128))
    sheet.save(path, optimize=True)


if __name__ == "__main__":
    main()
