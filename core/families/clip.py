"""CLIP text encoders: texts of any length in chunks, as ComfyUI, Forge and A1111 read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

WORD_END = "</w>"  # of CLIP's vocabulary


def chunk_size(encoder: Any) -> int:  # noqa: ANN401 - transformers' nets are untyped
    """Tokens of a chunk, its start and end left out: 75. A tokenizer may not say it."""
    return encoder.config.max_position_embeddings - 2


def token_count(tokenizer: Any, text: str) -> int:  # noqa: ANN401
    """Tokens of a text, start and end left out."""
    return len(_ids(tokenizer, text))


def chunks(tokenizer: Any, text: str, size: int) -> list[list[int]]:  # noqa: ANN401
    """Token ids of a text in chunks of `size` between start and end, at least one.

    A chunk ends with a whole word where it can, so that no word is read in two halves.
    """
    ids = _ids(tokenizer, text)
    made: list[list[int]] = []
    while True:
        cut = min(size, len(ids))
        if cut < len(ids):
            tokens = tokenizer.convert_ids_to_tokens(ids[:cut])
            ends = [place for place, token in enumerate(tokens, 1) if token.endswith(WORD_END)]
            cut = ends[-1] if ends else cut
        filled = [tokenizer.bos_token_id, *ids[:cut], tokenizer.eos_token_id]
        made.append(filled + [tokenizer.pad_token_id] * (size + 2 - len(filled)))
        ids = ids[cut:]
        if not ids:
            return made


def _ids(tokenizer: Any, text: str) -> list[int]:  # noqa: ANN401
    return tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids


def hidden_states(
    encoder: Any,  # noqa: ANN401
    tokenizer: Any,  # noqa: ANN401
    texts: Sequence[str],
    device: torch.device,
) -> list[Tensor]:
    """The last hidden state of each text, (chunks x 77, width)."""
    size = chunk_size(encoder)
    ids = [chunks(tokenizer, text, size) for text in texts]
    together = torch.tensor([chunk for of_text in ids for chunk in of_text], device=device)
    hidden = encoder(together).last_hidden_state
    return [part.flatten(0, 1) for part in hidden.split([len(of_text) for of_text in ids])]
