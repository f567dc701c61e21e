"""Runs as training leaves them, made in a moment."""

from PySide6.QtGui import QImage

from core.project.layout import Project, Run
from core.protocol import wire
from core.protocol.events import AdapterSaved, Event, PreviewReady, RunStarted

PROMPTS = ("a fox", "a whale", "a tree")


def tell(run: Run, *events: Event) -> None:
    with run.log_file.open("ab") as log:
        log.write(b"".join(wire.to_line(event) for event in events))


def preview(run: Run, step: int, index: int, colour: str) -> PreviewReady:
    path = run.preview_file(step, index)
    path.parent.mkdir(exist_ok=True)
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    image.fill(colour)
    assert image.save(str(path))
    return PreviewReady(step=step, index=index, prompt=PROMPTS[index], seed=index, path=str(path))


def adapter(run: Run, step: int) -> AdapterSaved:
    path = run.adapter_file("x", step)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"weights")
    return AdapterSaved(step=step, path=str(path))


def started(run: Run) -> RunStarted:
    return RunStarted(
        run=run.root.name,
        steps=300,
        first_step=1,
        trainable=1,
        total=2,
        pictures=3,
        device="CPU",
    )


def made_run(project: Project, colour: str) -> Run:
    run = project.new_run(project.config())
    for step in (0, 100):
        shown = colour if step else "white"
        tell(run, *(preview(run, step, index, shown) for index in range(3)))
    tell(run, adapter(run, 100))
    return run
