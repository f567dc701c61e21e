"""A run's resolution: what is enlarged and what is cut off is told before it is learnt."""

from pathlib import Path

import pytest

from core.data.buckets import sizes
from core.data.fit import fit_findings, shape_findings
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


def test_shapes_with_fewer_pictures_than_a_batch_are_told() -> None:
    shapes = [(64, 64)] * 5 + [(64, 128)] * 2 + [(128, 64)]
    pictures = [Picture(Path(f"{n}.png"), *size, "words") for n, size in enumerate(shapes)]
    once = {one.path: 1 for one in pictures}
    found = shape_findings(pictures, sizes(256, 64), 4, once)
    assert [(one.path.stem, one.message) for one in found] == [
        ("5", "At 192 x 320 px there are 2 pictures: fewer than a batch of 4."),
        ("6", "At 192 x 320 px there are 2 pictures: fewer than a batch of 4."),
        ("7", "At 320 x 192 px there is this one picture: fewer than a batch of 4."),
    ]
    assert len({one.summary for one in found}) == 1
    assert all(one.usable and one.hint for one in found)
    twice = {**once, Path("5.png"): 2, Path("6.png"): 2}
    assert [one.path.stem for one in shape_findings(pictures, sizes(256, 64), 4, twice)] == ["7"]
    assert "a batch of 5" in shape_findings(pictures, sizes(256, 64), 99, once)[0].message
    assert not shape_findings([], sizes(256, 64), 4, {})
