"""The command line: what it prints, what it leaves, and its exit codes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from core import cli
from core.cli import projects
from core.config import files
from core.project.layout import Project
from core.protocol import wire
from core.protocol.events import Finished
from tests.conftest import fill


def test_train_prints_what_a_person_needs(project: Project, capsys) -> None:
    assert cli.main(["train", str(project.root), "--set", "training.steps=2"]) == 0
    said = capsys.readouterr().out
    assert "2 steps on 6 pictures" in said
    assert ".safetensors" in said
    assert "Check:" in said
    assert project.config().training.steps == 2


def test_json_is_one_event_a_line(project: Project, capfdbinary) -> None:
    assert cli.main(["train", str(project.root), "--json"]) == 0
    lines = capfdbinary.readouterr().out.splitlines(keepends=True)
    assert wire.event_from(lines[-1]) == Finished()
    assert json.loads(lines[0])["type"] == "progress"


def test_a_finished_run_is_resumed_with_a_clear_word(project: Project, capsys) -> None:
    assert cli.main(["train", str(project.root)]) == 0
    assert cli.main(["train", str(project.root), "--resume", "newest"]) == 2
    assert "complete" in capsys.readouterr().err


def test_a_resumed_run_keeps_its_settings(project: Project, capsys) -> None:
    words = ["train", str(project.root), "--resume", "newest", "--set", "training.steps=9"]
    assert cli.main(words) == 2
    assert "keeps its settings" in capsys.readouterr().err
    assert project.config().training.steps == 4


def test_ctrl_c_saves_and_ends(project: Project) -> None:
    project.save(files.with_changes(project.config(), ["training.steps=100000"]))
    command = [sys.executable, "stylewright.py", "train", str(project.root), "--json"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if b'"step_done"' in line:
                process.send_signal(signal.SIGINT)
                break
        last = process.stdout.read().splitlines()[-1]
    assert process.returncode == 0
    assert wire.event_from(last) == Finished(stopped=True)
    assert project.run("").newest_adapter() is not None


def test_brackets_in_a_name_are_printed(tmp_path: Path, capsys) -> None:
    assert cli.main(["train", str(tmp_path / "[pixiv] art" / "[/b]")]) == 2
    assert "[pixiv] art/[/b]" in capsys.readouterr().err.replace("\n", "")


@pytest.mark.parametrize(
    "words",
    [
        ["train", "/nowhere"],
        ["train"],
        ["sing"],
        ["export", "/nowhere", "--out", "x"],
        ["demo", "/nowhere", "--steps", "0"],
        ["sample", "demo", "--prompt", "x", "--out", "x.png", "--inference-steps", "0"],
        ["sample", "/nowhere", "--prompt", "x", "--out", "x.png"],
    ],
)
def test_what_cannot_be_done_ends_with_2_and_no_traceback(words: list[str], capsys) -> None:
    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert said.err + said.out
    assert "Traceback" not in said.err + said.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("extract tuned --out x", "extract needs --base, the model that it was tuned from"),
        ("merge a --out b --into", "merge needs --into, a base model"),
        ("resize a --rank 4", "resize needs --out, the file to write"),
        ("train", "train needs PROJECT, the project's folder"),
        ("merge a --out b --nothing", "--nothing"),
    ],
)
def test_what_is_missing_is_named_and_what_it_is(words: str, said: str, capsys) -> None:
    assert cli.main(words.split()) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert f"See stylewright {words.split(maxsplit=1)[0]} --help." in told


def test_without_a_base_it_is_told_how_to_name_one(project: Project, capsys) -> None:
    project.save(files.with_changes(project.config(), ["base="]))
    for words in ("train", "check"):
        assert cli.main([words, str(project.root)]) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert "No base model is chosen." in told
        assert "--set base=MODEL" in told


def test_new_uses_pictures_where_they_are_and_check_names_what_is_wrong(
    tmp_path: Path, tiny_base: Path, capsys
) -> None:
    fill(tmp_path / "pictures", 2)
    (tmp_path / "pictures" / "words.png").write_text("no picture")
    words = ["new", str(tmp_path / "p"), "--base", str(tiny_base)]
    assert cli.main([*words, "--images", str(tmp_path / "pictures"), "--trigger", "ink"]) == 0
    assert cli.main(["check", str(tmp_path / "p")]) == 0
    said = capsys.readouterr().out
    assert "words.png: It is not a picture." in said
    assert "2 pictures can be used" in said


def test_check_names_a_base_that_is_gone(project: Project, capsys) -> None:
    project.save(files.with_changes(project.config(), ["base=/nowhere"]))
    assert cli.main(["check", str(project.root)]) == 2
    said = capsys.readouterr()
    assert "6 pictures can be used" in said.out
    assert "/nowhere" in said.err


def test_check_and_train_say_the_same_of_pictures(project: Project, capsys) -> None:
    """What `check` keeps to itself is found out an hour later."""
    (project.images / "p00.txt").write_text("ball " * 90)
    (project.images / "p01.txt").write_text(", ,")
    (project.images / "p02.psd").write_bytes(b"8BPS")
    changes = ["preview.prompts=[]", "dataset.resolution_px=256", "training.steps=1"]
    project.save(files.with_changes(project.config(), changes))
    assert cli.main(["check", str(project.root)]) == 0
    checked = capsys.readouterr().out
    assert cli.main(["train", str(project.root)]) == 0
    trained = capsys.readouterr().out
    others = ("pictures can be used", "The base model: ")
    said = [line for line in checked.splitlines() if not any(o in line for o in others)]
    assert len(said) >= 4
    for words in ("longer than 75 tokens", "no caption", ".psd", "enlarged"):
        assert any(words in line for line in said)
    assert [line for line in said if f"Note: {line}" not in trained] == []


def test_the_demo_ends_with_an_adapter_a_sheet_and_the_change_of_style(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    """On the shipped base; two of its prompts, since twenty take a minute."""
    real = projects.demo_project.demo_config
    monkeypatch.setattr(projects.demo_project, "demo_config", lambda: real(prompts=2))
    assert cli.main(["demo", str(tmp_path / "demo"), "--steps", "2"]) == 0
    said = capsys.readouterr().out
    assert "2 steps on 40 pictures" in said
    assert "Style: the previews are" in said
    run = Project(tmp_path / "demo").run("")
    assert f"Adapter: {run.adapter_file('OpenMoji', 2)}" in said
    sheet = run.root / "before-after.png"
    assert f"Before and after: {sheet}" in said
    with Image.open(sheet) as image:
        assert image.width > 2 * 128


def test_export_and_sample(project: Project, tmp_path: Path) -> None:
    assert cli.main(["train", str(project.root)]) == 0
    out = tmp_path / "lora.safetensors"
    run = str(project.run("").root)
    assert cli.main(["export", run, "--format", "kohya", "--out", str(out)]) == 0
    picture = tmp_path / "ball.png"
    words = ["sample", project.config().base, "--adapter", str(out), "--prompt", "a ball"]
    assert cli.main([*words, "--inference-steps", "2", "--out", str(picture)]) == 0
    with Image.open(picture) as image:
        assert image.size == (64, 64)
        assert image.info["prompt"] == "a ball"


def test_several_adapters_are_worn_as_strongly_as_each_is_told(
    project: Project, tmp_path: Path
) -> None:
    """Also in the texts, whose encoder an adapter of Stable Diffusion 1 changes, too."""
    from core.training import sample

    project.save(files.with_changes(project.config(), ["training.learning_rate=0.02"]))
    assert cli.main(["train", str(project.root)]) == 0
    first = project.run("").newest_adapter()
    project.save(files.with_changes(project.config(), ["training.seed=9"]))
    assert cli.main(["train", str(project.root)]) == 0
    second = project.run("").newest_adapter()
    words = ["sample", project.config().base, "--prompt", "a ball", "--inference-steps", "2"]

    def drawn(name: str, *adapters: str) -> bytes:
        out = tmp_path / f"{name}.png"
        named = [word for adapter in adapters for word in ("--adapter", adapter)]
        assert cli.main([*words, *named, "--out", str(out)]) == 0
        with Image.open(out) as image:
            return image.tobytes()

    both = drawn("both", f"{first}:0.7", f"{second}:0.4")
    assert both != drawn("first", f"{first}:0.7")
    assert drawn("none", f"{first}:0") == drawn("base")

    sampler = sample.load(project.base(project.config()))
    made = {}
    for name, worn in (("base", {}), ("both", {first: 0.7, second: 0.4})):
        wish = sample.Wish(prompt="a ball", adapters=worn, inference_steps=2)
        sampler.draw(tmp_path / "again.png", wish)
        with Image.open(tmp_path / "again.png") as image:
            made[name] = image.tobytes()
            assert image.info["adapters"] == ", ".join(f"{p.stem}:{w:g}" for p, w in worn.items())
    assert made == {"base": drawn("base"), "both": both}


def test_many_prompts_and_adapters_are_drawn_with_one_after_the_other(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept of them is given up in time, the empty prompt, too."""
    import shutil

    from core.training import sample

    monkeypatch.setattr(sample, "KEPT_TEXTS", 2)
    monkeypatch.setattr(sample, "KEPT_ADAPTERS", 2)
    assert cli.main(["train", str(project.root)]) == 0
    adapter = project.run("").newest_adapter()
    sampler = sample.load(project.base(project.config()))
    out = tmp_path / "a.png"
    for number in range(6):
        sampler.draw(out, sample.Wish(prompt=f"ball {number}", inference_steps=1))
        copy = Path(shutil.copy(adapter, tmp_path / f"{number}.safetensors"))
        worn = {copy: 1.0, adapter: 0.5}
        sampler.draw(out, sample.Wish(prompt="ball", adapters=worn, inference_steps=1))
    assert len(sampler._told) <= 4
    assert len(sampler._ready) <= 3
