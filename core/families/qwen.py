"""Language models of the Qwen family as text encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.families import loading
from core.families.device import Device, placed

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

    from core.base.value import Base


def load(base: Base, kind: Any, device: Device) -> Any:  # noqa: ANN401 - untyped
    """The base's language model.

    Raises:
        BaseModelError: It is not whole.
        MemoryFullError: It does not fit.
    """
    return placed(loading.net(base, "text_encoder", kind, device.weights), device)


def ids(text: str, tokenizer: Any, most: int, device: torch.device) -> Tensor:  # noqa: ANN401
    """A text's tokens, (1, tokens), at most so many.

    Without padding, whose place no word sees: each looks only at those before it.
    """
    made = tokenizer(text, max_length=most, truncation=True, return_tensors="pt").input_ids
    return made.to(device)


def room(asked: Callable[[str], str], text: str, tokenizer: Any, most: int) -> tuple[int, int]:  # noqa: ANN401
    """How many tokens a text has, and for how many there is room beside the chat's words.

    Args:
        asked: Puts the chat's words around a text.
        text: What is counted.
        tokenizer: The base's.
        most: How many tokens are read in all.
    """
    whole, around = (
        len(tokenizer(asked(words), truncation=False, verbose=False).input_ids)
        for words in (text, "")
    )
    return whole - around, most - around
