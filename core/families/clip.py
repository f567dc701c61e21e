"""CLIP text encoders: texts of any length in chunks, as ComfyUI, Forge and A1111 read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from core.families import loading
from core.families.device import Device, placed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from core.base.value import Base

WORD_END = "</w>"  # of CLIP's vocabulary


def load(base: Base, part: str, kind: Any, device: Device) -> Any:  # noqa: ANN401 - untyped
    """A text encoder of a base.

    Raises:
        BaseModelError: It is not whole.
        MemoryFullError: It does not fit.
    """
    net = loading.net(base, part, kind, device.weights, attn_implementation="eager")
    return placed(net, device)


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
    ids, counts = _together(encoder, tokenizer, texts, device)
    return [part.flatten(0, 1) for part in encoder(ids).last_hidden_state.split(counts)]


def penultimate_states(
    encoder: Any,  # noqa: ANN401
    tokenizer: Any,  # noqa: ANN401
    texts: Sequence[str],
    device: torch.device,
) -> list[tuple[Tensor, Tensor]]:
    """The hidden state before the last layer of each text, (chunks x 77, width), and a summary.

    The summary, (width,), is of the first chunk, as in ComfyUI and A1111; encoders without a
    projection give their pooled output, which nothing reads.
    """
    ids, counts = _together(encoder, tokenizer, texts, device)
    said = encoder(ids, output_hidden_states=True)
    states, summaries = (
        said.hidden_states[-2].split(counts),
        said[0 if "text_embeds" in said else 1],
    )
    return [
        (state.flatten(0, 1), summary[0])
        for state, summary in zip(states, summaries.split(counts), strict=True)
    ]


def summaries(
    encoder: Any,  # noqa: ANN401
    tokenizer: Any,  # noqa: ANN401
    texts: Sequence[str],
    device: torch.device,
) -> list[Tensor]:
    """The pooled output for each text's first 77 tokens, (width,), cut within a word if need be."""
    ids = tokenizer(
        list(texts),
        padding="max_length",
        max_length=chunk_size(encoder) + 2,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    return list(encoder(ids.to(device)).pooler_output)


def _together(
    encoder: Any,  # noqa: ANN401
    tokenizer: Any,  # noqa: ANN401
    texts: Sequence[str],
    device: torch.device,
) -> tuple[Tensor, list[int]]:
    """All texts' chunks, (all chunks, 77), and how many each text has."""
    ids = [chunks(tokenizer, text, chunk_size(encoder)) for text in texts]
    together = torch.tensor([chunk for of_text in ids for chunk in of_text], device=device)
    return together, [len(of_text) for of_text in ids]
