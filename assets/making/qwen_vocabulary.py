"""Write Qwen's vocabulary as transformers reads it, from the ranks that its makers' SDK ships."""

import argparse
import base64
import json
from itertools import pairwise
from pathlib import Path

from clip_vocabulary import byte_letters
from transformers import Qwen2Tokenizer

# What stands after the 151,643 words, in its order (Qwen3's; earlier ones have the first of them).
MARKS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>",
    "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<tool_call>",
    "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
    "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>",
)  # fmt: skip
SPECIAL = 14  # of them are never a part of a text
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Of one who asks: what Qwen3's own says of it, with the place for thoughts closed where none are
# wanted.
CHAT = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}"
    "{%- if enable_thinking is defined and enable_thinking is false -%}"
    "{{- '<think>\\n\\n</think>\\n\\n' -}}{%- endif -%}{%- endif -%}"
)
SETTINGS = {
    "tokenizer_class": "Qwen2Tokenizer",
    "model_max_length": 131072,
    "eos_token": "<|im_end|>",
    "pad_token": "<|endoftext|>",
    "unk_token": None,
    "chat_template": CHAT,
}


def cut(token: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """The two that a token is made of: what is left of its bytes when all earlier are joined."""
    parts = [bytes([byte]) for byte in token]
    while True:
        pairs = [(ranks.get(a + b, 10**9), n) for n, (a, b) in enumerate(pairwise(parts))]
        rank, at = min(pairs)
        if rank >= ranks[token]:
            return parts
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def main() -> None:
    """Ranks to words and to what is joined, in the order of the ranks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="resources/qwen.tiktoken of dashscope")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "bases" / "qwen2")
    args = parser.parse_args()
    lines = (line.split() for line in args.source.read_bytes().splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    letters = dict(
        zip([*range(33, 127), *range(161, 173), *range(174, 256)], byte_letters(), strict=False)
    )
    others = [byte for byte in range(256) if byte not in letters]
    letters |= dict(zip(others, byte_letters()[len(letters) :], strict=True))

    def spelt(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    merges = [
        " ".join(map(spelt, cut(token, ranks)))
        for token, _ in sorted(ranks.items(), key=lambda pair: pair[1])
        if len(token) > 1
    ]
    first = len(ranks)
    marks = [
        {
            "id": first + number, "content": mark, "single_word": False, "lstrip": False,
            "rstrip": False, "normalized": False, "special": number < SPECIAL,
        }
        for number, mark in enumerate(MARKS)
    ]  # fmt: skip
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }
    tree = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": marks,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": WORDS},
                    "behavior": "Isolated",
                    "invert": False,
                },
                byte_level,
            ],
        },
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {spelt(token): rank for token, rank in ranks.items()},
            "merges": merges,
        },
    }  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
    (args.out / "tokenizer.json").write_text(text + "\n", encoding="utf-8")
    (args.out / "tokenizer_config.json").write_text(json.dumps(SETTINGS, indent=2) + "\n")
    tokenizer = Qwen2Tokenizer.from_pretrained(args.out)
    print(len(tokenizer), tokenizer("Hello, World!").input_ids)


if __name__ == "__main__":
    main()
