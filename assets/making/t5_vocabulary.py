"""Write T5's vocabulary as transformers reads it, from the tokenizer.json that DiffSynth ships."""

import argparse
import json
from pathlib import Path

from transformers import T5Tokenizer

SETTINGS = {
    "tokenizer_class": "T5Tokenizer",
    "model_max_length": 512,
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "extra_ids": 100,
}


def main() -> None:
    """The same content, without blanks between it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="tokenizer_configs/flux/tokenizer_2 of diffsynth")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "bases" / "t5")
    args = parser.parse_args()
    tree = json.loads((args.source / "tokenizer.json").read_bytes())
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
    (args.out / "tokenizer.json").write_text(text + "\n", encoding="utf-8")
    (args.out / "tokenizer_config.json").write_text(json.dumps(SETTINGS, indent=2) + "\n")
    tokenizer = T5Tokenizer.from_pretrained(args.out)
    print(
        len(tokenizer), tokenizer("translate English to German: The house is wonderful.").input_ids
    )


if __name__ == "__main__":
    main()
