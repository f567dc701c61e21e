"""What the demo base was taught is known to the window, and nothing else."""

import pytest

from app.models.demo_words import unknown_in_words, unknown_words
from core.project.demo import STYLE, demo_config


def test_the_demo_itself_asks_for_nothing_unknown() -> None:
    config = demo_config()
    captions = [file.read_text(encoding="utf-8") for file in STYLE.glob("*.txt")]
    for prompt in (*config.preview.prompts, *captions):
        assert unknown_words(prompt, config.dataset.trigger) == []


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("a Fox, ink style", []),
        ("palm tree and umbrella", []),
        ("my dragon, inkstyle", ["my", "dragon"]),
        ("a na\u00efve wizard, a wizard", ["na\u00efve", "wizard"]),
        ("", []),
    ],
)
def test_other_words_are_named_once(prompt: str, unknown: list[str]) -> None:
    assert unknown_words(prompt, "inkstyle") == unknown


def test_many_words_are_not_all_listed() -> None:
    assert unknown_in_words(["a", "b", "c", "d"]) == "the demo base does not know a, b, c ..."
    assert unknown_in_words([]) == ""
