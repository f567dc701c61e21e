"""What chance does to captions, and what it must leave alone."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.options import DatasetConfig
from core.data import variation

TAGS = "fox, forest, evening, red fur, sitting, looking left"


def told(text: str, times: int = 200, **options) -> list[str]:
    config = DatasetConfig(**options)
    choices = variation.bodies(text, config)
    return [variation.drawn(choices, config, random.Random(n)) for n in range(times)]


def test_a_plain_caption_is_left_as_it_was_written() -> None:
    config = DatasetConfig(trigger="inkstyle")
    assert not variation.varies(config)
    (body,) = variation.bodies("a fox,  in\n the forest ,", config)
    assert variation.whole(body, config) == "inkstyle, a fox, in the forest ,"
    assert set(told("a fox,  in\n the forest ,", 3)) == {"a fox, in the forest ,"}


def test_a_prefix_and_a_suffix_stand_around() -> None:
    made = told("a fox", 1, trigger="ink", prefix="drawing of", suffix="on white")
    assert made == ["ink, drawing of, a fox, on white"]
    assert told("", 1, prefix="drawing", suffix=" ") == ["drawing"]
    # a trigger in the prefix is not put before it again
    assert told("a fox", 1, trigger="ink", prefix="in ink") == ["in ink, a fox"]


def test_shuffled_tags_are_the_same_ones_in_all_orders() -> None:
    made = told(TAGS, shuffle_tags=True)
    assert {frozenset(text.split(", ")) for text in made} == {frozenset(TAGS.split(", "))}
    firsts = Counter(text.split(", ")[0] for text in made)
    assert len(firsts) == 6
    assert max(firsts.values()) < 60  # of 200; even odds are 33


def test_the_first_tags_and_the_trigger_stay() -> None:
    made = told(
        f"{TAGS}, in inkstyle", trigger="inkstyle", shuffle_tags=True, keep_tags=2, tag_dropout=0.9
    )
    assert {tuple(text.split(", ")[:3]) for text in made} == {("in inkstyle", "fox", "forest")}
    made = told(TAGS, trigger="inkstyle", shuffle_tags=True, keep_tags=1)
    assert {tuple(text.split(", ")[:2]) for text in made} == {("inkstyle", "fox")}


def test_tags_are_left_out_as_often_as_is_said() -> None:
    made = told(TAGS, 2000, tag_dropout=0.25, keep_tags=1)
    lengths = [len(text.split(", ")) for text in made]
    assert sum(lengths) / len(lengths) == pytest.approx(1 + 5 * 0.75, abs=0.1)
    assert all(text.startswith("fox") for text in made)
    in_order = TAGS.split(", ")
    assert all(
        sorted(text.split(", "), key=in_order.index) == text.split(", ") for text in made
    )  # without shuffling they keep their order


def test_lines_can_be_captions_of_their_own() -> None:
    text = "a fox\n\n  in the  snow\n\u200b\n"
    assert variation.bodies(text, DatasetConfig(caption_lines="one")) == ("a fox", "in the snow")
    assert variation.bodies(text, DatasetConfig()) == ("a fox in the snow",)
    assert variation.bodies("\n\n", DatasetConfig(caption_lines="one")) == ("",)
    made = Counter(told(text, caption_lines="one"))
    assert made.keys() == {"a fox", "in the snow"}
    assert min(made.values()) > 70


CHOICES = "{red|blue|very green} {fox|{old|grey} cat}, in a wood{|, at night}"


def test_of_a_choice_each_step_tells_one() -> None:
    made = Counter(told(CHOICES, 3000, wildcards=True))
    animals = {"fox": 1 / 2, "old cat": 1 / 4, "grey cat": 1 / 4}
    shares = {
        f"{colour} {animal}, in a wood{end}": share / 6
        for colour in ("red", "blue", "very green")
        for animal, share in animals.items()
        for end in ("", ", at night")
    }
    assert {text: n / 3000 for text, n in made.items()} == pytest.approx(shares, abs=0.02)
    assert variation.varies(DatasetConfig(wildcards=True))
    assert set(told(CHOICES)) == {CHOICES}


def test_a_choice_is_made_before_tags_are_told_apart() -> None:
    made = told("fox, {tree, bird|lake|}, sky", shuffle_tags=True, keep_tags=1, wildcards=True)
    rest = {frozenset(text.split(", ")[1:]) for text in made}
    assert rest == {
        frozenset({"tree", "bird", "sky"}),
        frozenset({"lake", "sky"}),
        frozenset({"sky"}),
    }
    assert all(text.startswith("fox, ") for text in made)
    made = told("fox, {tree|}, sky", wildcards=True)
    assert set(made) == {"fox, tree, sky", "fox, sky"}


def test_what_must_be_one_text_takes_the_longest_choices() -> None:
    config = DatasetConfig(trigger="ink", wildcards=True)
    (body,) = variation.bodies(CHOICES, config)
    assert variation.whole(body, config) == "ink, very green grey cat, in a wood, at night"
    assert variation.whole("a {set}, , as it is,", config) == "ink, a {set}, , as it is,"


@given(
    text=st.text(max_size=60),
    trigger=st.sampled_from(["", "ink", "ink style"]),
    keep=st.integers(0, 3),
    dropout=st.floats(0, 0.9),
    seed=st.integers(0, 99),
)
def test_nothing_is_made_up(text: str, trigger: str, keep: int, dropout: float, seed: int) -> None:
    """Whatever the caption: what is told are its own tags, each at most as often as it has it."""
    config = DatasetConfig(trigger=trigger, shuffle_tags=True, keep_tags=keep, tag_dropout=dropout)
    choices = variation.bodies(text, config)
    made = variation.drawn(choices, config, random.Random(seed))
    have = Counter(t.strip() for t in f"{trigger},{choices[0]}".split(",") if t.strip())
    tells = Counter(t.strip() for t in made.split(",") if t.strip())
    assert tells <= have + Counter(t.strip() for t in trigger.split(","))
    assert not trigger or trigger.casefold() in made.casefold()


def test_what_is_shown_of_a_tag_is_what_becomes_of_it() -> None:
    """A tag is called kept, loose or the trigger exactly where a run treats it so."""
    tags = [*TAGS.split(", ")[:3], "in inkstyle", *TAGS.split(", ")[3:]]
    options = {"trigger": "inkstyle", "shuffle_tags": True, "keep_tags": 2, "tag_dropout": 0.5}
    shown = variation.roles(tags, DatasetConfig(**options))
    assert shown == ["kept", "kept", "loose", "trigger", "loose", "loose", "loose"]
    made = [text.split(", ") for text in told(", ".join(tags), 100, **options)]
    places = {tag: {text.index(tag) if tag in text else None for text in made} for tag in tags}
    fixed = {tag: place for tag, place in places.items() if len(place) == 1}
    assert fixed == {"in inkstyle": {0}, "fox": {1}, "forest": {2}}
    assert all(
        None in places[tag] for tag, role in zip(tags, shown, strict=True) if role == "loose"
    )
