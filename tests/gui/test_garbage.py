"""Qt's objects are taken apart in the window's thread, whatever threads do meanwhile."""

import gc
import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from app.models.background import Background, Work
from app.models.garbage import Garbage


@pytest.fixture
def collected() -> Iterator[list[int]]:
    """The threads in which garbage was collected."""
    threads: list[int] = []

    def note(phase: str, _told: object) -> None:
        if phase == "start":
            threads.append(threading.get_ident())

    enabled = gc.isenabled()
    gc.callbacks.append(note)
    yield threads
    gc.callbacks.remove(note)
    if enabled:
        gc.enable()


def test_no_thread_collects_and_garbage_goes_all_the_same(
    qtbot: QtBot, collected: list[int]
) -> None:
    gc.enable()
    garbage, files = Garbage(), Background()
    gone: list[int] = []
    kept: list[object] = []
    dropped = QObject()
    dropped.destroyed.connect(lambda: gone.append(threading.get_ident()))
    dropped.itself = dropped  # type: ignore[attr-defined] - only a collection finds it
    del dropped

    def work(_: Work) -> list[list[int]]:
        return [[number] for number in range(50_000)]

    for _ in range(5):
        with qtbot.waitSignal(files.rested):
            files.start("Working", work, lambda result, _problem: kept.append(result))
    qtbot.waitUntil(lambda: bool(gone))
    assert gone == [threading.get_ident()]
    assert set(collected) == {threading.get_ident()}
    del garbage


def test_what_is_old_is_looked_at_too(qtbot: QtBot, collected: list[int]) -> None:
    gone: list[int] = []
    old = QObject()
    old.destroyed.connect(lambda: gone.append(1))
    old.itself = old  # type: ignore[attr-defined]
    gc.collect()  # it has outlived two looks
    del old
    garbage = Garbage()
    garbage._timer.setInterval(1)
    made: list[list[int]] = []

    def go_on() -> bool:
        made.extend([] for _ in range(1000))
        return bool(gone)

    qtbot.waitUntil(go_on)
    del garbage
