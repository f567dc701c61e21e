"""What the window has done with adapter files: the real worker, against the command line."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import cli
from core.adapters.changes import Adapter, LoRA, Place
from core.base.opening import open_base
from core.config.facts import SD1, SDXL
from core.families import weights
from core.protocol.commands import (
    BakeJob,
    Draw,
    ExportJob,
    ExtractJob,
    FileJob,
    InspectJob,
    JoinJob,
    ResizeJob,
    SampleJob,
    Stop,
)
from core.protocol.events import (
    AdaptersCompared,
    Event,
    Failed,
    FileMade,
    Finished,
    Inspected,
    NotDrawn,
    PictureDrawn,
    Progress,
    Warned,
)
from core.training import export
from tests.e2e.test_tools import adapter_for, bake
from tests.e2e.test_worker import Pipe

STYLE, LINES, AGAINST = "style.safetensors", "lines.safetensors", "against.safetensors"


def write(path: Path, adapter: Adapter, trigger: str = "inkstyle") -> Path:
    header = {"ss_base_model_version": "sd_v1", "modelspec.trigger_phrase": trigger}
    export.write(path, adapter, SD1, header, "kohya")
    return path


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """Three adapters of the tiny base, one of which is another turned round."""
    folder = tmp_path_factory.mktemp("shelf")
    style = adapter_for(tiny_base, SD1, 1)
    write(folder / STYLE, style)
    write(folder / LINES, adapter_for(tiny_base, SD1, 2))
    turned: Adapter = {p: LoRA(c.down, -c.up, c.alpha) for p, c in style.items()}
    write(folder / AGAINST, turned)
    return folder


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def done(pipe: Pipe, job: FileJob) -> tuple[FileMade, list[Event]]:
    pipe.send(job)
    events = list(pipe.events())
    assert events[-1] == Finished(), events[-1]
    assert pipe.finish() == 0
    (made,) = (event for event in events if isinstance(event, FileMade))
    return made, events


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(words) == 0
    return capsys.readouterr().out


def content(path: Path) -> dict[str, str]:
    found = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    root = path.parent if path.is_file() else path
    return {
        "" if path.is_file() else str(p.relative_to(root)): hashlib.sha256(
            p.read_bytes()
        ).hexdigest()
        for p in found
    }


def test_another_rank_is_the_command_lines_byte_for_byte(
    pipe: Pipe, shelf: Path, tmp_path: Path, capsys
) -> None:
    source, ours, theirs = (
        shelf / STYLE,
        tmp_path / "window.safetensors",
        tmp_path / "cli.safetensors",
    )
    made, events = done(pipe, ResizeJob(source=str(source), out=str(ours), rank=2, kept=0.9))
    said = told(
        ["resize", str(source), "--out", str(theirs), "--rank", "2", "--keep", "0.9"], capsys
    )
    assert content(ours) == content(theirs)
    assert made.words in said
    assert "of what the adapter changes" in made.words
    assert all(f"{reader.program}: {reader.words}" in said for reader in made.readers)
    assert {reader.program: reader.whole for reader in made.readers}["ComfyUI"]
    steps = [e for e in events if isinstance(e, Progress) and e.total]
    assert steps[-1].done == steps[-1].total == len(export.read(source, SD1)[0])


@pytest.mark.parametrize("method", ["linear", "ties", "dare_ties"])
def test_joined_adapters_are_the_command_lines(
    pipe: Pipe, shelf: Path, tmp_path: Path, capsys, method: str
) -> None:
    ours, theirs = tmp_path / "window.safetensors", tmp_path / "cli.safetensors"
    one, other = shelf / STYLE, shelf / AGAINST
    job = JoinJob(
        adapters={str(one): 0.8, str(other): 0.4}, out=str(ours), method=method, rank=6, density=0.3
    )
    _, events = done(pipe, job)
    command = ["merge", f"{one}:0.8", f"{other}:0.4", "--out", str(theirs), "--method", method]
    said = told([*command, "--rank", "6", "--density", "0.3"], capsys)
    assert content(ours) == content(theirs)
    (warned,) = (event.message for event in events if isinstance(event, Warned))
    assert f"{STYLE} and {AGAINST}: They work against each other (-1.00" in warned
    assert f"Note: {warned}" in said


def test_a_base_with_adapters_is_the_command_lines(
    pipe: Pipe, tiny_base: Path, shelf: Path, tmp_path: Path, capsys
) -> None:
    adapters, before = [shelf / STYLE, shelf / LINES], content(tiny_base)
    ours, theirs = tmp_path / "window", tmp_path / "cli"
    worn = {str(path): 0.7 for path in adapters}
    made, events = done(pipe, BakeJob(adapters=worn, base=str(tiny_base), out=str(ours)))
    into = ["--into", str(tiny_base), "--out", str(theirs)]
    told(["merge", *(f"{path}:0.7" for path in adapters), *into], capsys)
    assert "layers changed" in made.words
    assert any(e.phase == "Changing layers" for e in events if isinstance(e, Progress))
    assert content(ours) == content(theirs)
    assert content(tiny_base) == before


def test_what_is_taken_out_is_the_command_lines(
    pipe: Pipe, tiny_base: Path, shelf: Path, tmp_path: Path, capsys
) -> None:
    tuned = tmp_path / "tuned"
    bake(open_base(tiny_base), [(export.read(shelf / STYLE, SD1)[0], 1.0)], tuned)
    ours, theirs = tmp_path / "window.safetensors", tmp_path / "cli.safetensors"
    job = ExtractJob(
        tuned=str(tuned), parent=str(tiny_base), out=str(ours), rank=3, convolutions=True
    )
    made, _ = done(pipe, job)
    told(
        ["extract", str(tuned), "--base", str(tiny_base), "--out", str(theirs), "--rank", "3",
         "--convolutions"],
        capsys,
    )  # fmt: skip
    assert content(ours) == content(theirs)
    assert made.words.endswith("layers of rank 3.")


def test_inspecting_says_what_inspect_says_and_goes_on_after_a_broken_file(
    pipe: Pipe, shelf: Path, tmp_path: Path, capsys
) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"weights")
    pipe.send(InspectJob(files=[str(broken), str(shelf / STYLE)]))
    events = list(pipe.events())
    assert events[-1] == Finished()
    assert pipe.finish() == 0
    wrong, right = (event for event in events if isinstance(event, Inspected))
    assert "cannot be read as an adapter" in wrong.problem
    assert not wrong.words
    said = told(["inspect", str(shelf / STYLE)], capsys).splitlines()
    assert said == [*right.words, *(f"{r.program}: {r.words}" for r in right.readers)]
    assert (right.kind, right.family) == ("LoRA of rank 4", SD1.title)
    assert (right.trigger, right.rank, right.problem) == ("inkstyle", 4, "")


@pytest.mark.parametrize("what", ["export", "resize", "join", "bake", "extract"])
def test_nothing_is_written_over(
    pipe: Pipe, shelf: Path, tiny_base: Path, tmp_path: Path, what: str
) -> None:
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(b"mine")
    style, out = str(shelf / STYLE), str(mine)
    job = {
        "export": ExportJob(source=style, format="usual", out=out),
        "resize": ResizeJob(source=style, out=out, rank=2),
        "join": JoinJob(adapters={style: 1.0}, out=out),
        "bake": BakeJob(adapters={style: 1.0}, base=str(tiny_base), out=out),
        "extract": ExtractJob(tuned=str(tiny_base), parent=str(tiny_base), out=out),
    }[what]
    pipe.send(job)
    failure = pipe.until(Failed)
    assert isinstance(failure, Failed)
    assert failure.message == f"{mine} is there already."
    assert pipe.finish() == 2
    assert mine.read_bytes() == b"mine"


@pytest.mark.parametrize("what", ["join", "bake"])
def test_stop_leaves_nothing_behind(
    pipe: Pipe, shelf: Path, tiny_base: Path, tmp_path: Path, what: str
) -> None:
    out = tmp_path / "out" / ("made" if what == "bake" else "made.safetensors")
    worn = {str(shelf / name): 1.0 for name in (STYLE, LINES)}
    job = (
        JoinJob(adapters=worn, out=str(out), rank=2, method="ties")
        if what == "join"
        else BakeJob(adapters=worn, base=str(tiny_base), out=str(out))
    )
    pipe.send(job)
    pipe.send(Stop())
    events = list(pipe.events())
    assert events[-1] == Finished(stopped=True)
    assert not any(isinstance(event, FileMade) for event in events)
    assert pipe.finish() == 0
    assert not out.parent.exists() or not list(out.parent.iterdir())


def test_given_up_while_it_writes_a_base_is_not_there(
    shelf: Path, tiny_base: Path, tmp_path: Path
) -> None:
    """At each of its steps, the last one too, when all is written beside."""
    base, adapter = open_base(tiny_base), export.read(shelf / STYLE, SD1)[0]
    total = sum(1 for _ in weights.baked(base, [(adapter, 1.0)], tmp_path / "whole"))
    assert (tmp_path / "whole").is_dir()
    for after in range(1, total + 1, 7):
        steps = weights.baked(base, [(adapter, 1.0)], tmp_path / "out")
        for _ in range(after):
            next(steps)
        steps.close()
        assert [p.name for p in tmp_path.iterdir()] == ["whole"]
    steps = weights.baked(base, [(adapter, 1.0)], tmp_path / "out")
    for _ in range(total):
        next(steps)
    (tmp_path / "out").mkdir()  # another program's
    with pytest.raises(Exception, match="is there already"):
        next(steps)
    assert not list((tmp_path / "out").iterdir())


def test_inputs_that_do_not_fit_are_named(pipe: Pipe, tiny_base: Path, tmp_path: Path) -> None:
    wide = {Place("unet", "mid_block.attentions.0.proj_in"): LoRA(*_halves(), 4.0)}
    path = tmp_path / "sdxl.safetensors"
    export.write(path, wide, SDXL, {"ss_base_model_version": "sdxl_base_v1-0"}, "kohya")
    pipe.send(BakeJob(adapters={str(path): 1.0}, base=str(tiny_base), out=str(tmp_path / "out")))
    failure = pipe.until(Failed)
    assert isinstance(failure, Failed)
    assert "does not fit this model" in failure.message
    assert failure.hint
    assert not (tmp_path / "out").exists()


def _halves():
    import torch

    return torch.ones(4, 640), torch.ones(640, 4)


def draw(pipe: Pipe, out: Path, adapters: dict[str, float]) -> list[Event]:
    size = {"width_px": 64, "height_px": 64, "inference_steps": 2, "guidance": 3.0}
    pipe.send(Draw(prompt="a ball", out=str(out), adapters=adapters, **size))
    events = []
    for event in pipe.events():
        events.append(event)
        if isinstance(event, PictureDrawn | NotDrawn | Failed):
            return events
    return events


def test_several_adapters_are_drawn_with_compared_once_and_a_bad_one_ends_nothing(
    pipe: Pipe, shelf: Path, tiny_base: Path, tmp_path: Path
) -> None:
    style, against, lines = (str(shelf / name) for name in (STYLE, AGAINST, LINES))
    pipe.send(SampleJob(base=str(tiny_base)))
    alone = draw(pipe, tmp_path / "none.png", {style: 0.0, against: 0.0})
    assert not any(isinstance(event, AdaptersCompared) for event in alone)
    both = draw(pipe, tmp_path / "both.png", {style: 1.0, against: 1.0})
    (compared,) = (event for event in both if isinstance(event, AdaptersCompared))
    assert compared.paths == [style, against]
    assert "They work against each other (-1.00" in compared.warnings[0]
    drawn = both[-1]
    assert isinstance(drawn, PictureDrawn)
    assert (drawn.weight, drawn.adapters) == (1.0, {style: 1.0, against: 1.0})
    again = draw(pipe, tmp_path / "again.png", {style: 0.5, against: 1.0})
    assert not any(isinstance(event, AdaptersCompared) for event in again)
    others = draw(pipe, tmp_path / "others.png", {style: 1.0, lines: 1.0})
    assert any(isinstance(event, AdaptersCompared) for event in others)
    pictures = {n: (tmp_path / f"{n}.png").read_bytes() for n in ("both", "again", "others")}
    assert len(set(pictures.values())) == 3
    missing = draw(pipe, tmp_path / "missing.png", {str(tmp_path / "gone.safetensors"): 1.0})
    assert isinstance(missing[-1], NotDrawn)
    assert "gone.safetensors" in missing[-1].message
    once_more = draw(pipe, tmp_path / "more.png", {style: 1.0})
    assert isinstance(once_more[-1], PictureDrawn)
    assert not any(
        isinstance(e, Progress) and e.phase.startswith("Loading") for e in missing + once_more
    )
    assert pipe.finish() == 0
