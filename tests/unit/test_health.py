"""What is said of pictures beside one another."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from core.data import health, scan
from core.data.examine import Picture
from core.data.health import alike, set_findings
from core.data.measures import Measures
from tests.unit.test_measures import as_jpeg, scene

WHOLE = (0.0, 0.0, 1.0, 1.0)


def picture(
    name: str,
    bits: int = 0,
    *,
    grey: int = 100,
    sharpness: float = 0.5,
    size: int = 512,
    caption: str = "",
    inside: tuple[float, float, float, float] = WHOLE,
) -> Picture:
    looks = Measures(bits, bytes([grey]) * 192, sharpness, inside)
    return Picture(
        Path(f"/d/{name}.png"), size, size, caption or f"words of {name}", measures=looks
    )


def far_apart(count: int) -> list[int]:
    """Fingerprints that differ in more bits than alike ones do."""
    rng = np.random.default_rng(0)
    found: list[int] = []
    while len(found) < count:
        bits = int(rng.integers(0, 2**63))
        if all((bits ^ other).bit_count() > 12 for other in found):
            found.append(bits)
    return found


def others(count: int = 10) -> list[Picture]:
    return [picture(f"o{number:02}", bits) for number, bits in enumerate(far_apart(count))]


def told(pictures: list[Picture]) -> list[tuple[str, str]]:
    """Names and summaries."""
    return [(f.path.stem, f.summary or f.message) for f in set_findings(pictures)]


def test_nothing_is_to_be_said_of_unlike_pictures() -> None:
    assert told(others()) == []
    assert told([]) == []


def test_of_those_alike_the_largest_is_kept() -> None:
    first = others()
    copy = picture("a", first[3].measures.fingerprint ^ 0b1011, size=256)
    larger = picture("z", first[3].measures.fingerprint ^ 0b1, size=1024)
    assert told([*first, copy, larger]) == [("o03", health.ALIKE), ("a", health.ALIKE)]
    (finding, _) = set_findings([*first, copy, larger])
    assert finding.message == "It looks like z.png."
    assert finding.usable


@pytest.mark.parametrize(
    ("bits", "grey", "same"), [(8, 100, True), (9, 100, False), (8, 109, False)]
)
def test_how_far_alike_goes(bits: int, grey: int, same: bool) -> None:
    one, other = picture("a", 0), picture("b", int("1" * bits, 2) << 20, grey=grey)
    assert bool(alike([one, other])) is same


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sets(st.integers(0, 62), max_size=7)), max_size=12))
def test_all_pairs_are_found(drawn: list[tuple[int, set[int]]]) -> None:
    """As comparing every picture with every other does."""
    starts = far_apart(3)
    pictures = [
        picture(f"p{number:02}", starts[start] ^ sum(1 << bit for bit in flips))
        for number, (start, flips) in enumerate(drawn)
    ]
    joined = [{one.path} for one in pictures]
    for one, other in combinations(pictures, 2):
        bits = (one.measures.fingerprint ^ other.measures.fingerprint).bit_count()
        if bits <= health.ALIKE_BITS:
            both = [group for group in joined if one.path in group or other.path in group]
            joined = [group for group in joined if group not in both] + [set().union(*both)]
    expected = sorted(sorted(group) for group in joined if len(group) > 1)
    assert sorted(sorted(p.path for p in group) for group in alike(pictures)) == expected


def test_very_many_are_compared_in_wider_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_MANY", 5)
    first = others()
    copies = [picture("copy", first[2].measures.fingerprint ^ (0b1111 << 17))]
    assert told([*first, *copies]) == [("o02", health.ALIKE)]


def test_a_blurred_picture_among_sharp_ones() -> None:
    blurred = picture("b", 2**62, sharpness=0.05)
    assert told([*others(), blurred]) == [("b", health.BLURRED_SUMMARY)]
    assert told([*others(5), blurred]) == []  # too few to say
    soft = [
        picture(f"s{number}", bits, sharpness=0.06) for number, bits in enumerate(far_apart(10))
    ]
    assert told(soft) == []  # a style may be soft
    assert told([*others(), picture("one colour", 2**62, sharpness=0.0)]) == []


def test_a_colour_among_others() -> None:
    assert told([*others(), picture("c", 2**62, grey=200)]) == [("c", health.COLOUR)]
    colourful = [
        picture(f"c{number}", bits, grey=20 * number) for number, bits in enumerate(far_apart(12))
    ]
    assert told(colourful) == []


def test_bars() -> None:
    barred = picture("b", 2**62, inside=(0.0, 0.1, 1.0, 0.9))
    assert told([*others(3), barred]) == [("b", health.BARS)]


def test_captions_that_several_share() -> None:
    same = [picture(f"s{n}", bits, caption="a fox") for n, bits in enumerate(far_apart(3))]
    assert told(same[:2]) == []
    assert told(same) == [(f"s{n}", health.SAME) for n in range(3)]
    (finding, *_) = set_findings(same)
    assert finding.message == "Its caption is that of 2 other pictures, too."
    silent = [picture(f"s{n}", bits, caption=" ,") for n, bits in enumerate(far_apart(3))]
    assert told(silent) == []


def test_real_files(tmp_path: Path) -> None:
    """Copies, a blurred one, and a letterbox among drawings that are in order."""
    for number in range(10):
        scene(number).save(tmp_path / f"d{number}.png")
    as_jpeg(scene(3)).resize((300, 225)).save(tmp_path / "copy of d3.jpg")
    scene(50).filter(ImageFilter.GaussianBlur(9)).save(tmp_path / "soft.png")
    barred = Image.new("RGB", (480, 480))
    barred.paste(scene(60), (0, 60))
    barred.save(tmp_path / "film.png")
    for path in [*tmp_path.iterdir()]:
        path.with_suffix(".txt").write_text(f"words of {path.stem}")
    found = {(f.path.name, f.summary or f.message) for f in scan.scan([tmp_path]).findings}
    assert found == {
        ("copy of d3.jpg", health.ALIKE),
        ("soft.png", health.BLURRED_SUMMARY),
        ("film.png", health.BARS),
    }
