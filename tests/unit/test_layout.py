"""A project's folder: what is odd in it is passed over or told, never a traceback."""

import errno
import fcntl
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from core.config.options import DatasetConfig, RunConfig
from core.errors import RunError, StorageError
from core.project import lock
from core.project.layout import Project, Run, base_path, create

CONFIG = RunConfig(name="Ink", base="demo")


def refuse(monkeypatch, method: str, name: str) -> None:
    """Root may do everything, so that the system's refusal of one file or folder is played."""
    real = getattr(Path, method)

    def refusing(path: Path, *arguments, **options):
        if name in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, method, refusing)


def test_folders_are_the_projects_own_or_elsewhere(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folders = ("images", "/elsewhere", "~/mine", "~nobody_of_this_name/pictures")
    config = replace(CONFIG, dataset=DatasetConfig(folders=folders), base="~/base")
    project = Project(tmp_path)
    assert project.folders(config) == [
        tmp_path / "images",
        Path("/elsewhere"),
        tmp_path / "home" / "mine",
        tmp_path / "~nobody_of_this_name/pictures",
    ]
    assert base_path(config.base, project.root) == tmp_path / "home" / "base"
    nobodys = replace(config, base="~nobody_of_this_name/base")
    assert base_path(nobodys.base, project.root) == tmp_path / "~nobody_of_this_name/base"


def test_runs_come_by_number_then_by_time(tmp_path: Path) -> None:
    project = create(tmp_path, CONFIG)
    for number, name in enumerate(["010-b", "009-a", "010-a", "renamed"]):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.toml").touch()
        os.utime(tmp_path / "runs" / name / "run.toml", (number, number))
    (tmp_path / "runs" / "notes.txt").touch()
    (tmp_path / "runs" / "011-empty").mkdir()
    assert [run.root.name for run in project.runs()] == ["renamed", "009-a", "010-b", "010-a"]
    assert project.new_run(CONFIG).root.name == "012-Ink"


def test_a_run_that_may_not_be_read_hides_no_other(tmp_path: Path, monkeypatch) -> None:
    project = create(tmp_path, CONFIG)
    runs = [project.new_run(CONFIG) for _ in range(2)]
    refuse(monkeypatch, "stat", runs[0].root.name)
    assert project.runs() == runs[1:]


def test_a_folder_that_may_not_be_looked_into_is_told(tmp_path: Path, monkeypatch) -> None:
    refuse(monkeypatch, "stat", "closed")
    refuse(monkeypatch, "mkdir", "closed")
    with pytest.raises(StorageError, match="closed"):
        create(tmp_path / "closed", CONFIG)


def test_litter_that_another_program_holds_does_not_stop_a_run(tmp_path: Path, monkeypatch) -> None:
    run = Run(tmp_path)
    for name in (".writing-1.part", ".writing-2.part"):
        (tmp_path / name).touch()
    with monkeypatch.context() as refusing:
        refuse(refusing, "unlink", ".writing-1.part")
        run.sweep()
    assert [p.name for p in tmp_path.iterdir()] == [".writing-1.part"]
    run.sweep()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_drive_without_locks_can_be_trained_on(tmp_path: Path, monkeypatch, number) -> None:
    run = create(tmp_path, CONFIG).new_run(CONFIG)

    def without(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", without)
    for _ in range(2):
        with lock.training(run):
            pass


def test_a_run_is_held_once(tmp_path: Path) -> None:
    run = create(tmp_path, CONFIG).new_run(CONFIG)
    with (
        lock.training(run),
        pytest.raises(RunError, match=f"trained already .process {os.getpid()} "),
        lock.training(run),
    ):
        pass
    with lock.training(run):
        pass
