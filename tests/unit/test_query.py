"""Searching among pictures."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.examine import Picture
from core.data.marks import Mark
from core.data.query import QueryError, of_tags, parse, word_at
from core.data.tags import tags_of

PICTURES = [
    Picture(Path("a/fox.png"), 1024, 768, "a red fox, forest, Night", size_bytes=2_500_000),
    Picture(Path("a/Whale.jpg"), 400, 300, "blue whale, sea"),
    Picture(Path("b/10_x/plain.png"), 512, 512, ""),
    Picture(Path("b/10_x/long.png"), 2000, 500, "a long sentence of eight words and more"),
]


def found(text: str) -> list[str]:
    fits = parse(text, lambda caption: len(caption.split()))
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
        ("tag:a*", ["fox", "long"]),
        ("tag:*t", ["fox"]),
        ("tag:*re*", ["fox", "long"]),
        ('tag:"sea*"', []),
        ("folder:10_x", ["plain", "long"]),
        ("bytes>2MB", ["fox"]),
        ("bytes<=2500kB bytes>=2.5m", ["fox"]),
        ("size < 512", ["Whale", "long"]),
        ("-size<512 WIDTH >= 600", ["fox"]),
        ("NOT (size<512 OR missing:caption)", ["fox"]),
        ("tokens>4", ["fox", "long"]),
        ("-tokens>4 AND tokens>0", ["Whale"]),
        ("tags=0", ["plain"]),
        ("a fox " * 3000, ["fox"]),
        ("fox OR " * 3000 + "whale", ["fox", "Whale"]),
        ("re:zero", []),
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
        ("size<big", "size is compared with a number"),
        ("tokens<", "tokens is compared with a number"),
        ("token>75", "token cannot be compared; these can: size, width"),
        ("tag:", "After tag: something is missing"),
        ('folder:""', "After folder: something is missing"),
        ("tokens>75", "base model"),
        ("(" * 60 + "fox" + ")" * 60, "too many brackets"),
    ],
)
def test_what_cannot_be_understood_is_said(text: str, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        parse(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("rating>3", ["fox"]),
        ("rating=0", ["plain", "long"]),
        ("-rating>=2 unused", ["long"]),
        ("heldout", ["fox"]),
        ("NOT heldout rating>1", ["Whale"]),
        ('"unused"', []),  # the word
    ],
)
def test_marks_are_searched_for(text: str, wanted: list[str]) -> None:
    marks = {"fox": Mark(4, held_out=True), "Whale": Mark(2), "long": Mark(unused=True)}
    fits = parse(text, mark_of=lambda path: marks.get(path.stem, Mark()))
    assert fits is not None
    assert [p.path.stem for p in PICTURES if fits(p)] == wanted


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


@given(
    st.lists(
        st.one_of(st.text(min_size=1, max_size=12), st.text(alphabet='*"(a -', min_size=1)),
        min_size=1,
        max_size=3,
    )
)
def test_a_tag_that_is_asked_for_is_found_whatever_is_in_it(own: list[str]) -> None:
    """Quotes, blanks, brackets: what the list of tags asks for finds its pictures."""
    tags = tags_of(",".join(own))
    if not tags or any(tag.endswith("\\") for tag in tags):
        return
    fits = parse(of_tags(tags[:1]))
    assert fits is not None
    assert fits(Picture(Path("a.png"), 8, 8, f"x, {tags[0]}, y"))
    assert not fits(Picture(Path("a.png"), 8, 8, f"none of them, {tags[0]}z"))


@pytest.mark.parametrize(
    ("text", "at", "word"),
    [
        ("fox ta", 6, "ta"),
        ("fox -ta", 7, "ta"),
        ('fox tag:"red s', 14, 'tag:"red s'),
        ("(tag:r", 6, "tag:r"),
        ("fox ", 4, ""),
        ("fox tag:red sea", 8, "tag:red"),
        ("", 0, ""),
    ],
)
def test_the_word_in_which_one_types(text: str, at: int, word: str) -> None:
    begin, end = word_at(text, at)
    assert text[begin:end] == word
