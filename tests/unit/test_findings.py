"""Findings as few lines: what is left out first, what is alike together."""

from pathlib import Path

from core.data.findings import Finding, lines
from core.data.scan import scan
from tests.conftest import draw_picture

HERE = Path("/set")


def no_caption(name: str) -> Finding:
    return Finding(HERE / name, "It has no caption.", "Write one.", usable=True)


def damaged(name: str, why: str) -> Finding:
    message = f"It is damaged ({why})."
    return Finding(HERE / name, message, "Get another.", usable=False, summary="It is damaged.")


def test_one_line_a_kind_with_a_count_and_the_first_names() -> None:
    findings = [no_caption(f"{n:02}.png") for n in range(25)]
    assert lines(findings) == [
        "It has no caption (25 times: 00.png, 01.png, 02.png and 22 more). Write one."
    ]
    assert lines(findings[:2]) == ["It has no caption (2 times: 00.png, 01.png). Write one."]


def test_a_lone_finding_is_told_in_full() -> None:
    assert lines([damaged("a.png", "cut")]) == [
        "Left out: a.png: It is damaged (cut). Get another."
    ]


def test_what_differs_in_a_detail_is_alike_and_left_out_files_come_first() -> None:
    findings = [no_caption("a.png"), damaged("y.png", "cut"), damaged("z.png", "empty")]
    assert lines(findings) == [
        "Left out: It is damaged (2 times: y.png, z.png). Get another.",
        "a.png: It has no caption. Write one.",
    ]


def test_names_of_several_folders_are_told_apart() -> None:
    findings = [no_caption("a/1.png"), no_caption("b/1.png")]
    assert str(Path("a/1.png")) in lines(findings)[0]
    assert str(Path("b/1.png")) in lines(findings)[0]
    assert str(HERE) not in lines(findings)[0]


def test_nothing_is_no_line() -> None:
    assert lines([]) == []


def test_a_thousand_bad_files_are_a_few_lines(tmp_path: Path) -> None:
    draw_picture(tmp_path / "good.png", 1)
    large = draw_picture(tmp_path / "good.jpg", 1, (900, 900)).read_bytes()
    for number in range(300):
        (tmp_path / f"{number}.jpg").write_text("not a picture")
        (tmp_path / f"{number}.cr2").write_text("raw")
        (tmp_path / f"{number}.jpeg").write_bytes(large[: len(large) // 2 + number])
    findings = scan([tmp_path]).findings
    assert len({f.message for f in findings}) > 10  # each tells its own number of bytes
    assert len(lines(findings)) <= 5
