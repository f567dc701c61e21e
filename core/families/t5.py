"""T5 text encoders: texts of one length, cut where they are longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import T5EncoderModel

from core.families import loading
from core.families.device import Device, placed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from core.base.value import Base
    from core.families.family import Model


def load(base: Base, part: str, device: Device) -> Any:  # noqa: ANN401 - untyped
    """A T5 encoder of a base.

    Raises:
        BaseModelError: It is not whole.
        MemoryFullError: It does not fit.
    """
    return placed(loading.net(base, part, T5EncoderModel, device.weights), device)


def hidden_states(
    model: Model, texts: Sequence[str], *, encoder: str, tokenizer: str, length: int
) -> list[Tensor]:
    """The last hidden state of each text, (length, width), filled up with padding that is read."""
    ids = model.parts[tokenizer](
        list(texts), padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    ).input_ids
    return list(model.parts[encoder](ids.to(model.device)).last_hidden_state)


def trimmed_states(
    model: Model, texts: Sequence[str], *, encoder: str, tokenizer: str, length: int
) -> list[Tensor]:
    """The last hidden state of each text and of one place of padding after it, (tokens, width).

    No word sees the padding; the net that reads the text has learnt with one.
    """
    made = []
    for text in texts:
        told = model.parts[tokenizer](
            text, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        ).to(model.device)
        kept = slice(0, int(told.attention_mask.sum()) + 1)
        ids, mask = told.input_ids[:, kept], told.attention_mask[:, kept]
        made.append(model.parts[encoder](ids, attention_mask=mask).last_hidden_state[0])
    return made


def token_count(tokenizer: Any, text: str) -> int:  # noqa: ANN401
    """Tokens of a text, its end left out."""
    return len(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids)
