"""A run's resolution: what is enlarged and what is cut off is told before it is learnt."""

from pathlib import Path

import pytest

from core.data.fit import fit_findings
from core.data.scan import Picture


def told(width: int, height: int, resolution_px: int, multiple_px: int = 64) -> list[str]:
    picture = Picture(Path("a.png"), width, height, "words")
    found = fit_findings([picture], resolution_px, multiple_px)
    assert all(f.usable and f.hint for f in found)
    return [f.message for f in found]


def test_the_factor_of_an_enlargement_is_told() -> None:
    assert told(40, 40, 256) == ["Its 40 px are enlarged 6.4 times at 256 px."]


def test_the_share_that_is_cut_off_is_told() -> None:
    (message,) = told(1600, 400, 256)
    assert message == "58% of its 1600 x 400 px are cut off."


def test_both_are_told() -> None:
    assert len(told(100, 400, 256)) == 2


@pytest.mark.parametrize("size", [(512, 512), (1920, 1080), (3000, 2000), (1200, 1600), (400, 400)])
@pytest.mark.parametrize("resolution_px", [448, 500, 512])
def test_common_pictures_are_not_worth_a_word(size, resolution_px) -> None:
    assert not told(*size, resolution_px)


def test_the_bases_multiple_counts() -> None:
    """A resolution below it is trained at the multiple itself."""
    assert told(64, 64, 64, 8) == []
    assert told(64, 64, 64, 256) == ["Its 64 px are enlarged 4.0 times at 64 px."]
