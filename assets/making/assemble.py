"""Put a checkpoint, text encoder, VAE and tokenizer together as a base in diffusers' form."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from checkpoint import weights
from diffusers import AutoencoderKL, StableDiffusionPipeline
from nets import new_scheduler, new_unet
from pack import read
from transformers import CLIPTextModel, CLIPTokenizer

HERE = Path(__file__).parent


def main() -> None:
    """Write the folder, in half precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True, help="of train_text.py")
    parser.add_argument("--vae", type=Path, default=HERE.parent / "demo-base" / "vae")
    parser.add_argument("--tokenizer", type=Path, default=HERE / "tokenizer")
    parser.add_argument("--pack", type=Path, required=True, help="what the base has learnt from")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    tokenizer = CLIPTokenizer.from_pretrained(args.tokenizer)
    unet = new_unet()
    unet.load_state_dict(weights(args.checkpoint))
    vae = AutoencoderKL.from_pretrained(args.vae)
    vae.register_to_config(_name_or_path="")  # no path of this machine in what is shipped
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel.from_pretrained(args.text),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.to(dtype=torch.float16)
    pipe.save_pretrained(args.out)
    rows = [row for row in read(args.pack)[1] if row.part != "held"]
    words = [*sorted({row.word for row in rows}), *sorted({f"{row.style} style" for row in rows})]
    (args.out / "words.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")


if __name__ == "__main__":
    main()
