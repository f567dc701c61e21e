"""A base model in a line, for a person."""

from __future__ import annotations

from pathlib import Path

from core.config.facts import Facts
from core.config.options import DEMO_BASE, RunConfig

NONE_YET = (
    "None yet. Any Stable Diffusion 1.5 or SDXL model will do: one .safetensors file of 2 to 7 GB, "
    "from huggingface.co or civitai.com. Of Flux, Z-Image, Qwen-Image and their like the files "
    "that ComfyUI has, or a folder."
)
PREDICTIONS = {
    "auto": "as its files say",
    "epsilon": "predicts noise (epsilon)",
    "v_prediction": "predicts v",
    "v_zero_snr": "predicts v, zero terminal SNR",
}


def base_words(config: RunConfig, facts: Facts | None = None) -> str:
    """The base in a line, of which kind it is, if `facts` are given, and what is chosen beside."""
    if not config.base:
        return NONE_YET
    if config.base == DEMO_BASE:
        said = ["Demo base, only to try: it draws small emoji"]
    else:
        said = [Path(config.base).name, *([facts.title] if facts else [])]
    if config.rest:
        what = "the rest" if config.texts else "text encoders and VAE"
        said.append(f"{what} of {Path(config.rest).name}")
    if config.texts:
        said.append(f"text encoders {' and '.join(Path(path).name for path in config.texts)}")
    if config.vae:
        said.append(f"VAE {Path(config.vae).name}")
    if config.prediction != "auto":
        said.append(PREDICTIONS[config.prediction])
    return ", ".join(said)
