"""A base model in a line, for a person."""

from __future__ import annotations

from pathlib import Path

from core.config.options import DEMO_BASE, RunConfig

DEMO_WORDS = "Stylewright demo base, Stable Diffusion 1 shape"
PREDICTIONS = {
    "auto": "as its files say",
    "epsilon": "predicts noise (epsilon)",
    "v_prediction": "predicts v",
    "v_zero_snr": "predicts v, zero terminal SNR",
}


def base_words(config: RunConfig) -> str:
    """The base in a line, and what was chosen beside it."""
    said = [DEMO_WORDS if config.base == DEMO_BASE else Path(config.base).name]
    if config.vae:
        said.append(f"VAE {Path(config.vae).name}")
    if config.prediction != "auto":
        said.append(PREDICTIONS[config.prediction])
    return ", ".join(said)
