"""What is to be said of captions: all of it, so that `check`, `train` and the window say the same.

How many tokens a caption has is known by a model's tokenizer alone; the engine adds that finding.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from core.data import captions
from core.data.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.data.examine import Picture

# What text encoders (CLIP, T5, Qwen) read as an order, not as letters.
_CONTROL = re.compile(r"<\|\w{1,40}\|>|</?s>|<pad>|<unk>|<extra_id_\d+>")
# What drawing programs (ComfyUI, Forge, A1111) take out of a prompt. A time (12:30), a ratio (16:9)
# or a smile :( is none of it: before the colon stands a letter, after it a small number.
_SYNTAX = re.compile(
    r"""
    # hatsune miku \(vocaloid\), (masterpiece:1.3), <lora:x:0.8>
    \\[()\[\]{}]
    | [(\[][^()\[\]]{0,200}[^\W\d][^()\[\]\d:]{0,50}:\s*[-+]?\d?(\.\d+)?\s*[)\]]
    | <(lora|lyco|hypernet|embedding|wildcard):[^<>]*>
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CHOICE = re.compile(r"\{[^{}]{0,200}\|[^{}]{0,200}\}")  # {red|blue}
SIGNS = "Its caption holds a prompt's signs, which are learnt letter by letter."
_INSIDE = r"(?:\\.|[^()\[\]\\:])"  # brackets of one pair, a bracket with a backslash among it
_WEIGHED = re.compile(
    rf"[(\[]({_INSIDE}{{0,200}}[^\W\d](?:\\.|[^()\[\]\d:]){{0,50}}):\s*[-+]?\d?(?:\.\d+)?\s*[)\]]"
)
_NAMED_FILE = re.compile(r"<(?:lora|lyco|hypernet|embedding|wildcard):[^<>]*>", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([()\[\]{}])")


def caption_findings(picture: Picture) -> list[Finding]:
    """What is to be said of one picture's caption."""
    text = picture.caption
    if captions.says_nothing(text):
        hint = "Write down what it shows, so that the style is learnt apart from it."
        return [_finding(picture, "It has no caption.", hint)]
    findings: list[Finding] = []
    if picture.guessed:
        findings.append(
            _finding(
                picture,
                "Its caption is not UTF-8 and was read as Western European text.",
                "Look whether it is right; if not, save the caption's file as UTF-8.",
            )
        )
    if control := _CONTROL.search(text):
        findings.append(
            _finding(
                picture,
                f"Its caption holds {control[0]}, which text encoders read as an order.",
                "Take it out of the caption.",
                "Its caption holds a mark that text encoders read as an order.",
            )
        )
    if syntax := _SYNTAX.search(text):
        findings.append(
            _finding(
                picture,
                f"Its caption holds {_shown(syntax[0])}, which is learnt letter by letter, while "
                "drawing programs take it out of a prompt.",
                r"Write the words alone: no \( \), (word:1.3) or <lora:...>.",
                SIGNS,
            )
        )
    if choice := _CHOICE.search(text):
        findings.append(
            _finding(
                picture,
                f"Its caption leaves a choice, {_shown(choice[0])}: each step tells one of them if "
                "dataset.wildcards is set, else it is learnt letter by letter.",
                "Set dataset.wildcards, or write what the picture shows.",
                "Its caption leaves a choice, which is made if dataset.wildcards is set.",
            )
        )
    if len(filled := [line for line in text.splitlines() if line.strip()]) > 1:
        findings.append(
            _finding(
                picture,
                f"Its caption has {len(filled)} lines, which are joined into one.",
                "Nothing need be done; other programs take each line for a caption of its own.",
                "Its caption has several lines, which are joined into one.",
            )
        )
    return findings


def plain(text: str) -> str:
    """A caption without the signs of a prompt; which of {red|blue} is meant a person must say."""
    words, weighed = _NAMED_FILE.sub("", text), 1
    while weighed:  # ((a:1.2) b:1.1)
        words, weighed = _WEIGHED.subn(r"\1", words)
    words = _ESCAPED.sub(r"\1", words)
    if _NAMED_FILE.search(text):  # what stood around it
        words = re.sub(r"[ \t]*,(?:[ \t]*,)+", ",", words).strip(" \t,")
    return words


def shared_captions(pictures: Sequence[Picture]) -> list[Finding]:
    """Pictures whose names differ only in the suffix have one caption file between them."""
    first: dict[tuple[str, str], Path] = {}
    findings: list[Finding] = []
    for picture in pictures:
        sidecar = picture.sidecar or captions.caption_file(picture.path).name
        folder = os.path.dirname(picture.path)  # noqa: PTH120 - of 100,000 paths
        other = first.setdefault((folder, sidecar), picture.path)
        if other != picture.path:
            message = f"It shares its caption file with {other.name}."
            hint = "Rename one of the two, so that each has a caption of its own."
            summary = "It shares its caption file with another picture."
            findings.append(_finding(picture, message, hint, summary))
    return findings


def _finding(picture: Picture, message: str, hint: str, summary: str = "") -> Finding:
    return Finding(picture.path, message, hint, usable=True, summary=summary)


def _shown(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004 - letters
