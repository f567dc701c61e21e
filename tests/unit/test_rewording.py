"""Captions changed alike: only what is meant changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data import rewording
from core.data.tags import tags_of


@pytest.mark.parametrize(
    ("reword", "before", "after"),
    [
        (rewording.replacing("fox", "wolf"), "A Fox, foxes", "A wolf, wolfes"),
        (rewording.replacing("fox", "wolf", any_case=False), "A Fox, foxes", "A Fox, wolfes"),
        (rewording.replacing("a.c", "x"), "abc a.c", "abc x"),
        (rewording.replacing("a.c", "x", as_regex=True), "abc a.c", "x x"),
        (rewording.replacing(r"(\w+) fox", r"fox \1", as_regex=True), "red fox", "fox red"),
        (rewording.replacing("fox", r"\1"), "fox", r"\1"),
        (rewording.replacing("", "x"), "fox", "fox"),
        (rewording.adding("red"), "fox", "fox, red"),
        (rewording.adding(" red, "), "fox,", "fox, red"),
        (rewording.adding("red"), "fox, RED", "fox, RED"),
        (rewording.adding("red"), "", "red"),
        (rewording.adding("red", in_front=True), "fox", "red, fox"),
        (rewording.adding(""), "fox", "fox"),
        (rewording.removing("red"), "fox, Red, sea", "fox, sea"),
        (rewording.removing("red"), "red, fox", "fox"),
        (rewording.removing("red"), "fox,red", "fox"),
        (rewording.removing("red"), "red", ""),
        (rewording.removing("red"), "redder, fox", "redder, fox"),
        (rewording.removing("red"), "a, red\nred, b\nc", "a\nb\nc"),
        (rewording.renaming("red", "crimson"), "fox,  red , sea", "fox,  crimson , sea"),
        (rewording.renaming("red", "fox"), "fox, red, sea", "fox, sea"),
        (rewording.renaming("red", "x"), "red, red", "x"),
        (rewording.renaming("Red", "red"), "a, Red", "a, red"),
        (rewording.renaming("red", ""), "a, red, b", "a, b"),
        (rewording.renaming("red, crimson", "scarlet"), "a, crimson, b,red", "a, scarlet, b"),
        (rewording.renaming("red, crimson", "crimson"), "a, red, crimson", "a, crimson"),
        (rewording.renaming("red, crimson", "crimson"), "Crimson sky", "Crimson sky"),
        (rewording.removing("red, b"), "a, RED, b", "a"),
    ],
)
def test_a_caption_is_changed(reword, before: str, after: str) -> None:
    assert reword(before) == after
    assert reword(after) == after or "fox red" in after  # done twice nothing more changes


@pytest.mark.parametrize(("find", "by"), [("(", "x"), ("a", r"\1"), ("(?P<n>a)", r"\g<m>")])
def test_no_regular_expression_is_said(find: str, by: str) -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        rewording.replacing(find, by, as_regex=True)


tags = st.text(alphabet="abAB ", min_size=1, max_size=4).filter(str.strip)


@given(st.lists(tags, max_size=6), tags, tags)
def test_other_tags_stay_in_their_order(own: list[str], tag: str, to: str) -> None:
    text = ", ".join(one.strip() for one in own)
    gone = [t for t in tags_of(text) if t.casefold() != tag.strip().casefold()]
    assert tags_of(rewording.removing(tag)(text)) == gone
    renamed = tags_of(rewording.renaming(tag, to)(text))
    assert [t for t in renamed if t.casefold() != to.strip().casefold()] == [
        t for t in gone if t.casefold() != to.strip().casefold()
    ]
    added = tags_of(rewording.adding(tag)(text))
    assert [t.casefold() for t in added].count(tag.strip().casefold()) >= 1
