"""A log may hold anything: the window shows what can be shown."""

import json
import random

import pytest
from pytestqt.qtbot import QtBot

from app.models.run_record import read
from app.views.main_window import NAMES, MainWindow
from core.project.layout import Project
from core.protocol import wire
from core.protocol.events import AdapterSaved, PreviewReady, StepDone, StyleMeasured
from tests.gui.made_runs import made_run, tell

HUGE = (2**62, 10**30, -5, 0)
INFINITE = float("inf")


def step(number: int, loss: float = 0.5, seconds: float = 1) -> StepDone:
    return StepDone(
        step=number, loss=loss, lr=0.1, grad_norm=1, seconds=seconds, seconds_left=seconds
    )


EVENTS = {
    "an endless loss": [step(1), step(2, INFINITE), step(3, -INFINITE), step(4, float("nan"))],
    "endless steps": [step(n) for n in HUGE if n > 0] + [step(1)],
    "endless time": [step(1, seconds=INFINITE), step(2, seconds=-1)],
    "a style without a spread": [
        AdapterSaved(step=1, path="a.safetensors"),
        StyleMeasured(before=0, after=0, check=1),
        StyleMeasured(before=INFINITE, after=1, check=INFINITE),
    ],
    "names that no file has": [
        AdapterSaved(step=1, path="x" * 5000),
        AdapterSaved(step=1, path="a\0b"),
        AdapterSaved(step=1, path="/"),
        *(PreviewReady(step=n, index=n, prompt="x" * 9999, seed=n, path="\0") for n in HUGE),
    ],
}


@pytest.mark.parametrize("name", EVENTS)
def test_the_window_stands(faked: MainWindow, project: Project, qtbot: QtBot, name: str) -> None:
    run = project.new_run(project.config())
    tell(run, *EVENTS[name])
    raw = b'{"type":"step_done","step":1,"loss":1e999,"lr":0,"grad_norm":0,"seconds":0,"seconds_left":0}\n'
    with run.log_file.open("ab") as log:
        log.write(raw.replace(b"1e999", b"0.1" + b"0" * 400) + raw + b"\xff\xfe{\n" + b"[" * 5000)
    faked.studio.runs.open(project)
    qtbot.waitUntil(lambda: not faked.studio.runs.reading)
    for page in NAMES:
        faked.show_page(page)
        faked.grab()
    assert faked.studio.runs.shown is not None


def test_numbers_without_an_end_do_not_get_into_a_record(project: Project) -> None:
    record = read(project.new_run(project.config()))
    odd = [step(2, INFINITE), step(3, float("nan")), step(10**30)]
    assert [record.take(event) for event in [step(1), *odd, step(4, seconds=INFINITE)]] == [
        True,
        False,
        False,
        False,
        True,
    ]
    assert (list(record.steps), list(record.step_seconds)) == ([1, 4], [1])


def test_altered_logs_are_read(project: Project) -> None:
    """Bytes and numbers of a sound log are altered, with a fixed seed."""
    rng = random.Random(0)
    run = made_run(project, "red")
    tell(run, *(step(n) for n in range(1, 9)))
    whole = run.log_file.read_bytes()
    numbers = ["1e999", "-1", "0", "99999999999999999999", "null", '"x"', "1e-320"]
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        lines = bytes(content).splitlines()
        if rng.random() < 0.5:
            tree = json.loads(whole.splitlines()[rng.randrange(8)])
            key = rng.choice(list(tree))
            text = json.dumps(tree).replace(json.dumps(tree[key]), rng.choice(numbers), 1)
            lines.append(text.encode())
        run.log_file.write_bytes(b"\n".join(lines))
        record = read(run)
        record.newest_previews()
        record.preview_steps()
        assert len(record.steps) == len(record.losses) == len(record.smoothed)
        for saved in record.adapters:
            record.adapter_file(saved).exists()


def test_a_hostile_line_is_no_event() -> None:
    with pytest.raises(wire.WireError):
        wire.event_from(b'{"type":"step_done"}')
