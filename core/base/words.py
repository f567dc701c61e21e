"""What a base model is, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.base.single_file import precision, read_header
from core.base.value import InFile
from core.config.facts import FLOW

if TYPE_CHECKING:
    from core.base.value import Base

_PRECISIONS = {
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8",
    "F8_E5M2": "float8",
}
_PREDICTS = {"epsilon": "predicts noise", "v_prediction": "predicts v"}


def in_words(base: Base) -> str:
    """`Stable Diffusion XL, predicts v with zero terminal SNR, float16, 6.9 GB`.

    Raises:
        BaseModelError: A file cannot be read any more.
    """
    scheduler = base.configs["scheduler"]
    said = [base.facts.title]
    if base.facts.predicts != FLOW:
        zero = " with zero terminal SNR" if scheduler.get("rescale_betas_zero_snr") else ""
        said.append(_PREDICTS[scheduler.get("prediction_type", "epsilon")] + zero)
    where = base.weights[base.facts.denoiser]
    if isinstance(where, InFile):
        kind = precision(read_header(where.path), where.prefix)
        said += [_PRECISIONS.get(kind, kind), f"{where.path.stat().st_size / 1e9:.1f} GB"]
    return ", ".join(said)
