"""Measure VAEs: how far OpenMoji's drawings, which none learnt from, come back from themselves."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from pack import read
from PIL import Image
from train_vae import returned

HERE = Path(__file__).parent
SHOWN = 10


def main() -> None:
    """Print the mean difference of 255 for each VAE; perhaps show drawings and what came back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True, help="openmoji.pack")
    parser.add_argument("--vae", type=Path, nargs="+", default=[HERE.parent / "demo-base" / "vae"])
    parser.add_argument("--every", type=int, default=1, help="picture")
    parser.add_argument("--sheet", type=Path, help="where to write a picture: as drawn, and back")
    args = parser.parse_args()
    pictures, rows = read(args.pack)
    pictures = pictures[[row.part == "train" for row in rows]][:: args.every]  # as they were drawn
    white = pictures.min(axis=-1) >= 250
    shown = slice(0, SHOWN * (len(pictures) // SHOWN), len(pictures) // SHOWN)
    lines = [np.concatenate(list(pictures[shown]), axis=1)]
    for folder in args.vae:
        vae = AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32)
        mean, back = returned(vae, pictures)
        error = np.abs(back.astype(np.int16) - pictures)
        print(
            f"{folder}: {mean:.2f} of 255 over {len(pictures)} drawings; "
            f"white {error[white].mean():.2f}, the rest {error[~white].mean():.2f}",
            flush=True,
        )
        lines.append(np.concatenate(list(back[shown]), axis=1))
    if args.sheet:
        Image.fromarray(np.concatenate(lines)).save(args.sheet, optimize=True)


if __name__ == "__main__":
    main()
