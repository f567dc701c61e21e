"""Searching among pictures."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.examine import Picture
from core.data.query import QueryError, parse
from core.data.tags import tags_of

PICTURES = [
    Picture(Path("a/fox.png"), 1024, 768, "a red fox, forest, Night"),
    Picture(Path("a/Whale.jpg"), 400, 300, "blue whale, sea"),
    Picture(Path("b/10_x/plain.png"), 512, 512, ""),
    Picture(Path("b/10_x/long.png"), 2000, 500, "a long sentence of eight words and more"),
]


def found(text: str) -> list[str]:
    fits = parse(text)
    return [p.path.stem for p in PICTURES if fits is None or fits(p)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ["fox", "Whale", "plain", "long"]),
        ("   ", ["fox", "Whale", "plain", "long"]),
        ("fox", ["fox"]),
        ("FOX night", ["fox"]),
        ("whale", ["Whale"]),
        ("fox whale", []),
        ("fox OR whale", ["fox", "Whale"]),
        ("fox AND forest", ["fox"]),
        ("-fox", ["Whale", "plain", "long"]),
        ("NOT fox", ["Whale", "plain", "long"]),
        ("NOT NOT fox", ["fox"]),
        ("a -fox", ["Whale", "plain", "long"]),  # "a" is in "sea", "plain" and "a long"
        ('"red fox"', ["fox"]),
        ('"fox red"', []),
        ('-"red fox" sea', ["Whale"]),
        ("tag:sea", ["Whale"]),
        ("tag:night", ["fox"]),
        ("tag:fox", []),
        ('tag:"a red fox"', ["fox"]),
        ("name:fox", ["fox"]),
        ("name:red", []),
        ("folder:10_x", ["plain", "long"]),
        ("missing:caption", ["plain"]),
        ("size<512", ["Whale", "long"]),
        ("size<=512", ["Whale", "plain", "long"]),
        ("width>1000", ["fox", "long"]),
        ("height=768", ["fox"]),
        ("aspect>=4", ["long"]),
        ("words>4 words<9", ["fox", "long"]),
        ("tags=2", ["Whale"]),
        ("(fox OR whale) -sea", ["fox"]),
        ("fox OR whale -sea", ["fox"]),  # side by side is closer than OR
        ("((fox))", ["fox"]),
    ],
)
def test_what_is_found(text: str, wanted: list[str]) -> None:
    assert found(text) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(fox", "not closed"),
        ("fox)", "not opened"),
        ("fox OR", "missing"),
        ("OR fox", "missing"),
        ("NOT", "missing"),
        ("()", "missing"),
        ('"red fox', "not closed"),
        ("missing:tags", "missing:caption"),
        ("(" * 60 + "fox" + ")" * 60, "too many brackets"),
    ],
)
def test_what_cannot_be_understood_is_said(text: str, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        parse(text)


@given(st.text(alphabet='abfox ()-"<>=:ORANDT,1', max_size=40))
def test_anything_is_found_or_refused(text: str) -> None:
    try:
        fits = parse(text)
    except QueryError:
        return
    assert all(fits is None or fits(p) in (True, False) for p in PICTURES)


@given(st.text(max_size=60))
def test_tags_are_not_empty_and_hold_no_comma(text: str) -> None:
    assert all(tag and tag == tag.strip() and "," not in tag for tag in tags_of(text))
