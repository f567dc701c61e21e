"""Write CLIP's vocabulary as transformers reads it, from the file that OpenCLIP ships."""

import argparse
import gzip
import json
from pathlib import Path

from transformers.models.clip.tokenization_clip import CLIPTokenizer

MERGES = 49152 - 256 - 2  # as OpenCLIP's SimpleTokenizer cuts them
START, END = "<|startoftext|>", "<|endoftext|>"
PADS = {"clip-l": END, "open-clip": "!"}  # OpenCLIP fills up with zeros


def byte_letters() -> list[str]:
    """The letters that stand for the 256 bytes, printable ones first (OpenAI's GPT-2)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = range(256 - len(printable))
    return [*map(chr, printable), *(chr(256 + number) for number in others)]


def main() -> None:
    """Both vocabularies: they differ in what texts are filled up with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="bpe_simple_vocab_16e6.txt.gz of open_clip_torch")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "bases")
    args = parser.parse_args()
    lines = gzip.decompress(args.source.read_bytes()).decode().split("\n")[1 : MERGES + 1]
    letters = byte_letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += [line.replace(" ", "") for line in lines] + [START, END]
    vocabulary = {word: number for number, word in enumerate(words)}
    for name, pad in PADS.items():
        folder = args.out / name
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":"))
        (folder / "vocab.json").write_text(text + "\n", encoding="utf-8")
        merges = "\n".join(["#version: 0.2", *lines])
        (folder / "merges.txt").write_text(merges + "\n", encoding="utf-8")
        settings = {
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": 77,
            "bos_token": START,
            "eos_token": END,
            "unk_token": END,
            "pad_token": pad,
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
        tokenizer = CLIPTokenizer.from_pretrained(folder)
        print(name, len(tokenizer), tokenizer("a photo of a cat, 4k").input_ids)


if __name__ == "__main__":
    main()
