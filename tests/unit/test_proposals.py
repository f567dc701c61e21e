"""What becomes of a caption when a machine has told what its picture shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data import captions
from core.data.proposals import Rules, proposal, taken, told_text, without, words_of
from core.data.tags import tags_of
from core.protocol.events import Captioned, Tag

FOX = Captioned(path="a.png", text="A fox runs through snow.")
TAGS = Captioned(
    path="a.png",
    tags=[
        Tag("fox", 0.9), Tag("snow", 0.6), Tag("night", 0.35), Tag("tree", 0.2),
        Tag("reynard", 0.86, character=True), Tag("bruin", 0.6, character=True),
    ],
)  # fmt: skip


def of(merge: str, **more: object) -> Rules:
    return Rules(merge=merge, **more)


@pytest.mark.parametrize(
    ("old", "merge", "new"),
    [
        ("", "leave", "A fox runs through snow."),
        (" ,\n.", "leave", "A fox runs through snow."),  # says nothing
        ("an owl", "leave", "an owl"),
        ("an owl", "replace", "A fox runs through snow."),
        ("an owl", "before", "A fox runs through snow. an owl"),
        ("an owl", "after", "an owl, A fox runs through snow."),
        ("An owl.", "after", "An owl. A fox runs through snow."),
        ("an owl,", "after", "an owl, A fox runs through snow."),
        ("an owl\na tree", "replace", "A fox runs through snow.\na tree"),
        ("an owl\na tree", "before", "A fox runs through snow. an owl\na tree"),
        ("an owl\na tree", "after", "an owl, A fox runs through snow.\na tree"),
        ("Yes: a fox runs through snow.\nb", "after", "Yes: a fox runs through snow.\nb"),
    ],
)
def test_a_sentence_and_what_stands_there(old: str, merge: str, new: str) -> None:
    assert proposal(old, FOX, of(merge)) == new


@pytest.mark.parametrize(
    ("old", "merge", "new"),
    [
        ("", "leave", "fox, reynard, snow"),
        ("Fox, owl", "after", "Fox, owl, reynard, snow"),
        ("Fox, owl", "before", "reynard, snow, Fox, owl"),
        ("Fox, owl", "replace", "fox, reynard, snow"),
        ("snow,fox , reynard", "after", "snow,fox , reynard"),  # to the blank
        ("owl\nsnow, b", "after", "owl, fox, reynard\nsnow, b"),
        ("An owl. Snow.", "after", "An owl. Snow. fox, reynard"),
    ],
)
def test_tags_are_never_doubled(old: str, merge: str, new: str) -> None:
    assert proposal(old, TAGS, of(merge)) == new


@pytest.mark.parametrize(
    ("old", "merge", "new"),
    [
        ("inkstyle, owl", "before", "inkstyle, fox, reynard, snow, owl"),
        ("Inkstyle owl", "before", "Inkstyle, fox, reynard, snow, owl"),
        ("inkstyle, owl", "replace", "inkstyle, fox, reynard, snow"),
        ("inkstyle, owl", "after", "inkstyle, owl, fox, reynard, snow"),
        ("inkstyles, owl", "before", "fox, reynard, snow, inkstyles, owl"),
        ("owl, inkstyle", "before", "fox, reynard, snow, owl, inkstyle"),
        ("owl", "before", "fox, reynard, snow, owl"),  # a run puts it in front
    ],
)
def test_a_trigger_in_front_stays_in_front(old: str, merge: str, new: str) -> None:
    assert proposal(old, TAGS, of(merge, trigger="inkstyle")) == new


def test_thresholds_are_those_above_which_a_tag_is_taken() -> None:
    assert told_text(TAGS, Rules()) == "fox, reynard, snow"  # 0.35 is not above 0.35
    assert told_text(TAGS, Rules(threshold=0.19)) == "fox, reynard, snow, night, tree"
    assert told_text(TAGS, Rules(character_threshold=0.5)) == "fox, reynard, snow, bruin"
    assert told_text(TAGS, Rules(threshold=0.95, character_threshold=1)) == ""
    assert told_text(TAGS, Rules(most=2)) == "fox, reynard"


def test_what_is_to_be_left_out() -> None:
    rules = Rules(leave_out=words_of("SNOW, night\nreynard"))
    assert told_text(TAGS, rules) == "fox"
    long_hair = Captioned(path="a", tags=[Tag("long hair", 0.9)])
    assert told_text(long_hair, Rules(leave_out=("long_hair",))) == ""
    twice = [Tag("Fox", 0.5), Tag("fox", 0.9)]
    assert [tag.score for tag in taken(twice, Rules())] == [0.9]


@pytest.mark.parametrize(
    ("text", "words", "made"),
    [
        ("a drawing of a fox", ("a drawing of",), "a fox"),
        ("A drawing of a fox.", ("a drawing of",), "A fox."),
        ("arafed fox, arafed snow", ("arafed",), "fox, snow"),
        ("a fox, drawing, in snow", ("drawing",), "a fox, in snow"),
        ("a foxy fox", ("fox",), "a foxy"),
        ("a drawing  of a fox in ink", ("ink", "a drawing of"), "a fox in"),
        ("the image", ("the image", ""), ""),
        ("nothing  of it", ("a",), "nothing  of it"),
    ],
)
def test_words_are_taken_out_of_a_sentence(text: str, words: tuple[str, ...], made: str) -> None:
    assert without(text, words) == made


def test_nothing_told_changes_nothing() -> None:
    silent = Captioned(path="a", text=" \u200b. ")
    for merge in ("leave", "replace", "before", "after"):
        assert proposal("an owl", silent, of(merge)) == "an owl"
        assert proposal(" ,", silent, of(merge)) == " ,"


LINES = st.text("aAb ,.", max_size=12)
WORDS = st.sampled_from(["a", "ab", "fox", "inkstyle"])
TOLD = st.one_of(
    st.builds(Captioned, path=st.just("x"), text=LINES),
    st.builds(
        Captioned,
        path=st.just("x"),
        tags=st.lists(st.builds(Tag, WORDS, st.floats(0, 1), st.booleans()), max_size=4),
    ),
)


@given(
    st.lists(LINES, min_size=1, max_size=3).map("\n".join),
    TOLD,
    st.sampled_from(["leave", "replace", "before", "after"]),
    st.sampled_from(["", "a", "inkstyle"]),
)
def test_whatever_there_is(old: str, told: Captioned, merge: str, trigger: str) -> None:
    rules = Rules(merge=merge, trigger=trigger)
    new = proposal(old, told, rules)
    assert proposal(new, told, rules) == new  # once more changes nothing
    silent = captions.says_nothing(old)
    if merge == "leave" and not silent:
        assert new == old
    if not silent:
        assert new.split("\n")[1:] == old.split("\n")[1:]  # further lines
        if merge in ("before", "after"):
            assert set(tags_of(old)) - {""} <= {*tags_of(new), *tags_of(old.partition("\n")[0])}
    if trigger and old.startswith(trigger + ","):
        assert new.startswith(trigger)
