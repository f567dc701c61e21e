"""How many tokens a base reads a caption as, without torch: the window says it while one types."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import BaseModelError

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

    from core.base.value import Base

_CLIP_MARKS = 2  # tokens of its own, at the beginning and the end
_END = "<|endoftext|>"
_CLIP_ENCODER = "text_encoder"
# As transformers' CLIPTokenizer cuts a text into words; a test compares every piece.
_CLIP_WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Of a base's first text encoder."""

    tokenizer: Tokenizer
    at_once: int  # tokens that are read together; 0 is all of them

    def count(self, text: str) -> int:
        """Tokens of a caption, without those that every text has."""
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)


def vocabulary_of(base: Base) -> Vocabulary:
    """As the base's files say it.

    Raises:
        BaseModelError: One cannot be read.
    """
    from tokenizers import Tokenizer  # no start has need of it

    folder = base.folders[base.facts.tokenizers[0]]
    try:
        if (folder / "tokenizer.json").exists():
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            tokenizer.no_truncation()
            tokenizer.no_padding()
        else:
            tokenizer = _clip(folder)
    except Exception as error:  # the library raises its own, of no kind
        raise BaseModelError(
            f"The vocabulary of {base.path} cannot be read: {error}.",
            hint="Get a whole copy of the base model.",
        ) from error
    config = base.configs.get(_CLIP_ENCODER, {})
    longest = config.get("max_position_embeddings") if _is_clip(config) else None
    return Vocabulary(tokenizer, longest - _CLIP_MARKS if longest else 0)


def _is_clip(config: object) -> bool:
    return isinstance(config, dict) and str(config.get("model_type", "")).startswith("clip")


def _clip(folder: Path) -> Tokenizer:
    """CLIP's, of the two files that its makers gave out."""
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import BPE

    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
    merges = [(one, other) for one, _, other in (line.partition(" ") for line in lines) if other]
    model = BPE(
        vocab=json.loads((folder / "vocab.json").read_bytes()),
        merges=merges if not lines[0].startswith("#version") else merges[1:],
        end_of_word_suffix="</w>",
        unk_token=_END,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLIP_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.add_special_tokens(["<|startoftext|>", _END])
    return tokenizer
