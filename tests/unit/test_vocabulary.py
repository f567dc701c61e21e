"""Tokens of a caption, counted without torch, against transformers' own tokenizers."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from core.base.value import BUNDLED
from core.base.vocabulary import _clip, vocabulary_of
from core.families import registry
from core.families.device import whole_cpu
from core.project.layout import named_base

TEXTS = [
    "",
    "a fox, red, ink style",
    "It's the artist's 2nd  picture\n\twith 1234 words",
    "ネコ と 犬 🦊👨‍👩‍👧 naïve Ünïcode ﬁ",
    "<|endoftext|> (masterpiece:1.3), <lora:x:0.8>",
    "supercalifragilisticexpialidocious " * 30,
]
CLIP = CLIPTokenizer.from_pretrained(BUNDLED / "clip-l")
OURS = _clip(BUNDLED / "clip-l")


@pytest.mark.parametrize("text", TEXTS)
def test_clip_is_cut_as_transformers_cuts_it(text: str) -> None:
    theirs = CLIP(text, add_special_tokens=False).input_ids
    assert OURS.encode(text, add_special_tokens=False).ids == theirs


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_so_is_any_text(text: str) -> None:
    theirs = CLIP(text, add_special_tokens=False).input_ids
    assert OURS.encode(text, add_special_tokens=False).ids == theirs


def test_every_base_counts_as_its_engine_does(any_base: Path) -> None:
    base = named_base(str(any_base), Path())
    vocabulary = vocabulary_of(base)
    model = registry.load(base, whole_cpu())
    first = next(iter(model.family.text_encoders.values()))
    text = "a red ball and a blue box"
    if first.tokens is not None:
        used, at_once = first.tokens(model, text)
        assert (vocabulary.count(text), vocabulary.at_once or at_once) == (used, at_once)


def test_the_demo_base() -> None:
    vocabulary = vocabulary_of(named_base("demo", Path()))
    assert vocabulary.count("a fox, noto style") > 3
    assert vocabulary.at_once > 20
