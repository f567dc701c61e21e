"""Runs that wait, trained by the command line: as if each had been begun by hand."""

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from core import cli
from core.config import files
from core.project import run_queue
from core.project.layout import Project


def queue(*words: str) -> int:
    return cli.main(["queue", *words])


def waits() -> list[str]:
    return [Path(entry.folder).name for entry in run_queue.read(run_queue.place())]


def test_a_run_that_waited_learns_the_same_numbers(project: Project, capsys) -> None:
    prompts = ["--set", "preview.prompts=[]"]  # they are taken from captions, and frozen
    assert queue("add", str(project.root), *prompts) == 0
    assert cli.main(["train", str(project.root), *prompts]) == 0
    assert queue("start") == 0
    assert waits() == []
    waited, direct = project.runs()
    assert waited.number == 1
    settings = files.load(waited.config_file)
    assert settings == files.load(direct.config_file)
    assert settings.preview.prompts
    assert waited.manifest_file.read_bytes() == direct.manifest_file.read_bytes()
    first, second = (load_file(run.newest_adapter()) for run in (waited, direct))
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)


def test_a_run_that_fails_does_not_keep_the_others(project: Project, capsys) -> None:
    lost = project.root / "lost"
    shutil.copytree(project.images, lost)
    assert queue("add", str(project.root), "--set", f'dataset.folders=["{lost.as_posix()}"]') == 0
    for steps in (1, 2):
        assert queue("add", str(project.root), "--set", f"training.steps={steps}") == 0
    assert project.config().training.steps == 4, "what is set is for that run alone"
    shutil.rmtree(lost)
    first, second, third = waits()
    assert queue("move", "3", "2") == 0
    assert waits() == [first, third, second]
    assert queue("start") == 2
    said = capsys.readouterr()
    assert "2 of 3 runs are done" in said.err
    assert "no picture" in said.err
    assert waits() == [first]
    assert project.run(third).newest_adapter()
    assert queue("start") == 0, "it waits for the person"
    assert queue("start", "--again") == 2
    assert queue("remove", "1") == 0
    assert waits() == []
    assert [run.root.name for run in project.runs()] == [second, third]


def test_a_run_that_cannot_be_shared_by_so_many_still_waits(project: Project, capsys) -> None:
    assert queue("add", str(project.root), "--set", "training.batch_size=1") == 0
    assert queue("start", "--processes", "2") == 2
    assert "cannot be shared by 2 processes" in capsys.readouterr().err
    assert len(waits()) == 1


def test_what_cannot_wait_is_told(project: Project, tmp_path: Path, capsys) -> None:
    assert queue("add", str(tmp_path / "nowhere")) == 2
    assert queue("add", str(project.root), "--set", "base=nowhere") == 2
    assert queue("remove", "1") == 2
    assert "queue list" in capsys.readouterr().err
    assert not project.runs()


@pytest.mark.parametrize("words", [["move"], ["remove"]])
def test_what_is_missing_is_named(words: list[str], capsys) -> None:
    assert queue(*words) == 2
    assert "NUMBER" in capsys.readouterr().err
