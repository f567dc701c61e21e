"""What is to be said of captions; what a person may well write is not among it."""

from pathlib import Path

import pytest

from core.data import wording
from core.data.scan import Picture
from core.data.wording import caption_findings


def told(text: str, *, guessed: bool = False) -> list[str]:
    found = caption_findings(Picture(Path("a.png"), 64, 64, text, guessed))
    assert all(f.usable and f.hint and f.path == Path("a.png") for f in found)
    return [f.message for f in found]


@pytest.mark.parametrize(
    "text", ["", "  \n", ", , ,", "...", "\u200b", "\ufeff\ufeff", "-_-", "\u3002\u3001", "| | |"]
)
def test_marks_alone_are_no_caption(text: str) -> None:
    assert told(text) == ["It has no caption."]


@pytest.mark.parametrize("text", ["1girl", "7", "\u732b", "\U0001f431", "caf\u00e9", "\u2665"])
def test_a_word_a_number_or_a_pictograph_is_a_caption(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a cat <|endoftext|> on a red mat", "<|endoftext|>"),
        ("<|startoftext|>a cat", "<|startoftext|>"),
        ("a cat</s>", "</s>"),
        ("a <|im_start|> cat", "<|im_start|>"),
        ("a <extra_id_0> cat", "<extra_id_0>"),
    ],
)
def test_control_tokens_are_told(text: str, shown: str) -> None:
    (message,) = told(text)
    assert shown in message
    assert "text encoders" in message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"hatsune miku \(vocaloid\)", r"\("),
        ("(masterpiece:1.3), a cat", "(masterpiece:1.3)"),
        ("(a very long hat:.8)", "(a very long hat:.8)"),
        ("[cat:dog:0.5]", ":0.5]"),
        ("a cat <lora:x:0.8>", "<lora:x:0.8>"),
        ("a cat <LyCO:x:1>", "<LyCO:x:1>"),
    ],
)
def test_a_prompts_signs_are_told(text: str, shown: str) -> None:
    (message,) = told(text)
    assert shown in message
    assert "letter by letter" in message


def test_a_choice_is_told_with_the_setting_that_makes_it() -> None:
    (message,) = told("a {red|blue} cat")
    assert "{red|blue}" in message
    assert "dataset.wildcards" in message


NOT_TOLD = [
    "a cat (asleep), on a mat",
    "at noon (12:30)",
    "a film still (ratio 16:9)",
    "smiling :) and sad :(",
    "a <b>bold</b> sign",
    "a sign: open (10:00 to 18:00)",
    "1 < 2 > 0, |_|",
    "a set {of all} things",
    "C:\\pictures\\cats",
]


@pytest.mark.parametrize("text", NOT_TOLD)
def test_what_a_person_may_write_is_not_told(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(
    "text", ["(" + "a" * 10**6, "{" + "a|" * 10**6, "(a:" * 10**5, "<|a" * 10**5]
)
def test_a_bracket_that_nothing_closes_ends_soon(text: str) -> None:
    """It would be searched for minutes if the time grew with the square of the length."""
    assert told(text) == []


def test_several_lines_are_told_and_a_blank_one_is_none() -> None:
    (message,) = told("a cat\na dog\n\na bird")
    assert "3 lines" in message
    assert "2 lines" in told("a cat\na dog")[0]
    assert told("\na cat\n\n") == []


def test_an_encoding_that_was_guessed_is_told_beside_the_rest() -> None:
    first, second = told(r"\(x\)", guessed=True)
    assert "not UTF-8" in first
    assert "letter by letter" in second


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r"hatsune miku \(vocaloid\), singing", "hatsune miku (vocaloid), singing"),
        ("(masterpiece:1.3), a cat", "masterpiece, a cat"),
        ("((long hair:1.2), red dress:1.1), [hat:.5]", "long hair, red dress, hat"),
        (r"(hatsune \(vocaloid\):1.2)", "hatsune (vocaloid)"),
        ("a cat, <lora:x:0.8>, on a mat", "a cat, on a mat"),
        ("a cat, <lora:x:0.8>", "a cat"),
        ("<LoRA:x>", ""),
        ("{red|blue} hat", "{red|blue} hat"),
        ("[cat:dog:0.5]", "[cat:dog:0.5]"),
        ("a\r\n(b:1.1)\n\nc ", "a\r\nb\n\nc "),
    ],
)
def test_the_signs_of_a_prompt_are_taken_out(text: str, words: str) -> None:
    assert wording.plain(text) == words


@pytest.mark.parametrize("text", NOT_TOLD)
def test_what_is_not_told_is_not_changed(text: str) -> None:
    assert wording.plain(text) == text
