"""`caption`: shown first, written when asked to, and nothing that stands there is lost."""

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest

from core import cli
from core.base import hub
from core.base.captioners import open_captioner
from core.captioning import reader
from core.captioning.captions import captioned
from core.config import files
from core.data.proposals import Rules, proposal
from core.project.layout import Project, create
from core.protocol.events import Captioned
from tests.conftest import draw_picture, small_config
from tests.tiny_captioners import CAPTIONERS

TEXTS = {  # bytes as people and programs leave them
    "p00.txt": b"an owl\r\nsecond line\r\n",
    "p01.txt": codecs.BOM_UTF8 + "ein Käuzchen".encode(),
    "p02.txt": codecs.BOM_UTF16_LE + "\u00e9toile, night\n".encode("utf-16-le"),
    "p03.txt": "caf\u00e9, tree".encode("cp1252"),
    "p04.caption": b"ballstyle, a fox",
    "p05.txt": b"",
    "p06.txt": codecs.BOM_UTF8 + b" ,\r\n\r\n",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    there = tmp_path_factory.mktemp("models")

    def made(name: str) -> Path:
        return there / name if (there / name).exists() else CAPTIONERS[name](there / name)

    return made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Nine pictures: five with captions, two with empty files, two without."""
    made = create(tmp_path / "project", small_config("demo"))
    made.images.mkdir(parents=True, exist_ok=True)
    for number in range(9):
        draw_picture(made.images / f"p{number:02}.png", number)
    for name, content in TEXTS.items():
        (made.images / name).write_bytes(content)
    return made


def texts(project: Project) -> dict[str, bytes]:
    there = (*project.images.glob("*.txt"), *project.images.glob("*.caption"))
    return {path.name: path.read_bytes() for path in there}


def told(model: Path, project: Project, number: int) -> Captioned:
    path = project.images / f"p{number:02}.png"
    (event,) = captioned(reader.load(open_captioner(model)), [path], lambda: False)
    assert isinstance(event, Captioned)
    return event


@pytest.mark.parametrize("name", ["tagger", "blip"])
def test_nothing_is_written_unless_asked(name: str, model, project: Project, capsys) -> None:
    assert cli.main(["caption", str(project.root), "--model", str(model(name))]) == 0
    said = capsys.readouterr().out
    rules = Rules(trigger="ballstyle")
    assert f"p07.png\n    then: {proposal('', told(model(name), project, 7), rules)}\n" in said
    assert "p00.png" not in said
    assert "4 captions would be written; nothing is yet. Add --write" in said
    assert texts(project) == TEXTS


@pytest.mark.parametrize("name", ["tagger", "florence2"])
def test_what_exists_is_left_to_the_byte(name: str, model, project: Project, capsys) -> None:
    assert cli.main(["caption", str(project.root), "--model", str(model(name)), "--write"]) == 0
    assert "Wrote 4 captions." in capsys.readouterr().out
    after = texts(project)
    for file in ("p00.txt", "p01.txt", "p02.txt", "p03.txt", "p04.caption"):
        assert after[file] == TEXTS[file]
    for number in (5, 6, 7, 8):
        wanted = proposal("", told(model(name), project, number), Rules(trigger="ballstyle"))
        mark, end = (codecs.BOM_UTF8, "\r\n\r\n") if number == 6 else (b"", "")
        assert after[f"p{number:02}.txt"] == mark + (wanted + end).encode()


@pytest.mark.parametrize("merge", ["replace", "before", "after"])
def test_joined_captions_keep_their_spelling(merge: str, model, project: Project, capsys) -> None:
    words = ["caption", str(project.root), "--model", str(model("tagger")), "--write", f"--{merge}"]
    assert cli.main(words) == 0
    after, rules = texts(project), Rules(merge=merge, trigger="ballstyle")
    spelt = {
        0: ("an owl\nsecond line", lambda text: text.replace("\n", "\r\n").encode() + b"\r\n"),
        1: ("ein K\u00e4uzchen", lambda text: codecs.BOM_UTF8 + text.encode()),
        2: (
            "\u00e9toile, night",
            lambda text: codecs.BOM_UTF16_LE + f"{text}\n".encode("utf-16-le"),
        ),
        3: ("caf\u00e9, tree", lambda text: text.encode("cp1252")),
    }
    for number, (old, spell) in spelt.items():
        new = proposal(old, told(model("tagger"), project, number), rules)
        assert new != old
        assert after[f"p{number:02}.txt"] == spell(new)
    assert after["p00.txt"].endswith(b"\r\nsecond line\r\n")
    assert after["p04.caption"].startswith(b"ballstyle, ")
    assert "p04.txt" not in after
    before = texts(project)
    capsys.readouterr()
    assert cli.main(words) == 0
    assert "Wrote 0 captions." in capsys.readouterr().out
    assert texts(project) == before


def test_thresholds_numbers_and_what_is_left_out(model, project: Project, capsys) -> None:
    tags = told(model("tagger"), project, 7).tags
    first = max((tag for tag in tags if not tag.character), key=lambda tag: tag.score)
    words = ["caption", str(project.root), "--model", str(model("tagger")), "--write"]
    words += ["--threshold", "0.1", "--character-threshold", "1", "--most", "2"]
    assert cli.main([*words, "--leave-out", first.name.upper()]) == 0
    wanted = [tag.name for tag in tags if not tag.character and tag != first][:2]
    assert texts(project)["p07.txt"].decode() == ", ".join(wanted)
    assert len(wanted) == 2


def test_a_folder_will_do(model, project: Project, capsys) -> None:
    words = ["caption", str(project.images), "--model", str(model("blip")), "--prompt", "a fox"]
    assert cli.main([*words, "--write"]) == 0
    assert texts(project)["p08.txt"].startswith(b"a fox")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--replace", "--after"], "--replace and --after cannot both be meant."),
        (["--threshold", "2"], "--threshold"),
        (["--threshold", "0"], "--threshold"),
    ],
)
def test_what_cannot_be_meant_is_said(more, words: str, model, project, capsys) -> None:
    command = ["caption", str(project.root), "--model", str(model("tagger")), "--write", *more]
    assert cli.main(command) == 2
    assert words in capsys.readouterr().err
    assert texts(project) == TEXTS


def test_nothing_to_do_is_said(model, project: Project, capsys, tmp_path: Path) -> None:
    for number in (5, 6, 7, 8):
        (project.images / f"p{number:02}.txt").write_text("a ball")
    command = ["caption", str(project.root), "--model", str(model("tagger"))]
    assert cli.main(command) == 2
    assert "All 9 pictures have a caption. Add --replace, --before or --after." in (
        capsys.readouterr().err.replace("\n", " ")
    )
    assert cli.main(["caption", str(tmp_path / "no"), "--model", str(model("tagger"))]) == 2
    assert "is no folder" in capsys.readouterr().err
    command = ["caption", str(project.root), "--after", "--model", str(project.root)]
    assert cli.main(command) == 2
    assert "is no captioner" in capsys.readouterr().err


def test_a_picture_that_is_none_is_told_and_the_rest_captioned(model, project, capsys) -> None:
    whole = (project.images / "p08.png").read_bytes()
    (project.images / "p08.png").write_bytes(whole[: len(whole) // 2])
    (project.images / "p07.png").write_bytes(b"x")
    command = ["caption", str(project.root), "--model", str(model("tagger")), "--write"]
    assert cli.main(command) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Left out: p07.png" in said
    assert "Left out: p08.png" in said
    assert "Wrote 2 captions." in said


def test_a_caption_that_came_meanwhile_is_left(model, project, monkeypatch, capsys) -> None:
    """As when a person writes on while a machine works for hours."""
    from core.worker import captioning

    real = captioning.captioned

    def slow(*words):
        (project.images / "p08.txt").write_text("what I saw")
        yield from real(*words)

    monkeypatch.setattr(captioning, "captioned", slow)
    command = ["caption", str(project.root), "--model", str(model("tagger")), "--write"]
    assert cli.main(command) == 0
    assert texts(project)["p08.txt"] == b"what I saw"
    assert "Wrote 3 captions." in capsys.readouterr().out


def test_one_of_the_hub_is_fetched_once(model, project, monkeypatch, tmp_path, capsys) -> None:
    asked: list[str] = []
    source = model("tagger")

    def offer(repo: str, endpoint: str | None = None) -> hub.Offer:
        asked.append(repo)
        sizes = {path.name: path.stat().st_size for path in source.iterdir()}
        return hub.Offer(repo, "main", "apache-2.0", hub.wanted(sizes))

    def fetch(what: hub.Offer, folder: Path, tell: hub.Tell, endpoint: str | None = None) -> None:
        folder.mkdir(parents=True)
        for name in what.files:
            (folder / name).write_bytes((source / name).read_bytes())

    monkeypatch.setattr(hub, "offer", offer)
    monkeypatch.setattr(hub, "fetch", fetch)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    for _ in range(2):
        assert cli.main(["caption", str(project.root), "--model", "maker/wd-tagger"]) == 0
    said = capsys.readouterr().out
    assert asked == ["maker/wd-tagger"]
    assert "Licence: apache-2.0." in said
    assert (tmp_path / "home" / "Stylewright models" / "wd-tagger" / "model.onnx").exists()


def test_the_trigger_of_a_project_stays_in_front(model, project: Project, capsys) -> None:
    config = files.with_changes(project.config(), ["dataset.trigger=an owl"])
    project.save(config)
    words = ["caption", str(project.root), "--model", str(model("tagger")), "--write", "--before"]
    assert cli.main(words) == 0
    assert texts(project)["p00.txt"].startswith(b"an owl, ")
