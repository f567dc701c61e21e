"""The queue of runs on disk: its order, what is left behind, what two programs do to it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError, StorageError
from core.project import run_queue
from core.project.layout import Project, Run, create
from core.project.run_queue import Waiting
from tests.conftest import small_config


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "queue.json"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return create(tmp_path / "project", small_config("demo"))


def entries(*names: str) -> tuple[Waiting, ...]:
    return tuple(Waiting(folder=name, seconds=10) for name in names)


def names(found: tuple[Waiting, ...]) -> list[str]:
    return [entry.folder for entry in found]


def test_a_run_waits_with_the_settings_it_had(file: Path, project: Project) -> None:
    entry = run_queue.enter(file, project, project.config(), seconds=60)
    project.save(small_config("demo", steps=999))
    again = run_queue.enter(file, project, project.config())
    assert run_queue.read(file) == (entry, again)
    first, second = entry.config(), again.config()
    assert first
    assert second
    assert (first.training.steps, second.training.steps) == (
        small_config("demo").training.steps,
        999,
    )
    assert entry.project == project
    assert [run.number for run in project.runs()] == [1, 2]


def test_what_never_began_goes_without_a_trace_and_what_did_stays(
    file: Path, project: Project
) -> None:
    waits, began = (run_queue.enter(file, project, project.config()) for _ in range(2))
    began.run.log_file.write_bytes(b"")
    for entry in (waits, began):
        run_queue.forget(entry)
    assert project.runs() == [began.run]


def test_a_queue_that_cannot_be_written_leaves_no_run(tmp_path: Path, project: Project) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(StorageError):
        run_queue.enter(tmp_path / "home" / "queue.json", project, project.config())
    assert not project.runs()


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b"[" * 100_000, b'[{"folder": 3}]'])
def test_a_damaged_file_is_named_and_kept(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="queue.json"):
        run_queue.change(file, lambda found: found)
    assert file.read_bytes() == content


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.sampled_from("abcdef"), st.integers())
def test_moving_keeps_all_and_the_order_of_the_others(order: list[str], one: str, by: int) -> None:
    before = entries(*order)
    after = run_queue.moved(before, one, by)
    assert sorted(names(after)) == sorted(order)
    assert run_queue.without(after, one) == run_queue.without(before, one)
    if one in order:
        wanted = min(max(0, order.index(one) + by), len(order) - 1)
        assert names(after).index(one) == wanted


def test_the_next_is_the_first_without_a_problem() -> None:
    found = run_queue.told(entries("a", "b", "c"), "a", "no room")
    assert run_queue.following(found) == found[1]
    assert run_queue.following(run_queue.told(found, "a", "")) == entries("a")[0]
    assert run_queue.following(()) is None


def test_ready_is_told_as_far_as_anybody_knows() -> None:
    found = (*entries("a", "b"), Waiting(folder="c"), *entries("d"))
    assert run_queue.ready_seconds(found, 5) == {"a": 15, "b": 25}
    assert run_queue.ready_seconds(found, None) == {}
    troubled = run_queue.told(found, "a", "no room")
    assert run_queue.ready_seconds(troubled, 0) == {"b": 10}


def test_a_run_knows_its_project(project: Project) -> None:
    assert Run(project.root / "runs" / "001-x").project == project
