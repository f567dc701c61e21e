"""The command line: the engine's functions without a window."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter, validators
from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from typing_extensions import override

from core import version
from core.base.words import in_words
from core.config import files, presets
from core.config.facts import FAMILIES
from core.config.options import DEMO_BASE, RunConfig, Told
from core.errors import AdapterError, ConfigError, UserError
from core.project import demo as demo_project
from core.project.layout import Project, create, named_base
from core.protocol import wire
from core.protocol.events import (
    AdapterSaved,
    Event,
    RunStarted,
    StepDone,
    StyleMeasured,
    Warned,
)
from core.protocol.events import Progress as Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from core.training.control import Control

app = App(name="stylewright", version=version.VERSION, help="Teach an image model an art style.")
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print events as JSON lines.")]
Changes = Annotated[
    list[str] | None,
    Parameter(name="--set", negative="", help="Change an option: section.option=value."),
]
Steps = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=999_999))]
ProgramName = Annotated[
    Literal["comfyui", "forge", "a1111", "invokeai", "diffusers"] | None, Parameter(name="--for")
]
Seed = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=2**63 - 1))]
InferenceSteps = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=200))]


@app.command
def demo(out: Path | None = None, *, steps: Steps = 300, json: Json = False) -> None:
    """Train the demo style from end to end; needs no display.

    Args:
        out: A new folder for the project; a temporary one by default.
        steps: How long to train.
        json: Print events as JSON lines.
    """
    from core.training import sheet
    from core.training.train import train as train_events

    root = out or Path(tempfile.mkdtemp(prefix="stylewright-demo-"))
    config = demo_project.shortened(demo_project.demo_config(), steps)
    project = demo_project.create_demo(root, config)
    with _stopping() as control:
        _show(train_events(project, control), as_json=json)
    if control.stop.is_set():
        return
    run = project.run("")
    prompts = config.preview.prompts
    rows = [
        ("before", [run.preview_file(0, i) for i in range(len(prompts))]),
        ("after", [run.preview_file(steps, i) for i in range(len(prompts))]),
    ]
    picture = run.root / "before-after.png"
    subjects = [prompt.partition(",")[0] for prompt in prompts]
    sheet.write(picture, rows, subjects)
    if not json:
        _line(_console(), f"Before and after: {picture}")


@app.command
def new(
    project: Path,
    *,
    base: str,
    images: list[Path],
    name: str = "",
    trigger: str = "",
    vae: Path | None = None,
    prediction: Told = "auto",
) -> None:
    """Make a project from folders of pictures, which are used where they are.

    Args:
        project: A new folder.
        base: The base model, a folder or a .safetensors file, or "demo".
        images: Folders of pictures with captions in .txt files.
        name: Of the adapter; the folder's name by default.
        trigger: A word put in front of every caption.
        vae: Another VAE than the base model's own.
        prediction: What the base model predicts, where its files do not say it.
    """
    where = base if base == DEMO_BASE else str(Path(base).expanduser().absolute())
    own_vae = str(vae.expanduser().absolute()) if vae else ""
    there = named_base(where, Path.cwd(), own_vae, prediction)
    _line(_console(), f"{where}: {in_words(there)}")
    for folder in images:
        if not folder.expanduser().is_dir():
            raise ConfigError(f"{folder} is no folder.", hint="Give folders of pictures.")
    folders = tuple(str(folder.expanduser().absolute()) for folder in images)
    title = name or project.absolute().name
    empty = RunConfig(name=title, base="", vae=own_vae, prediction=prediction)
    config = presets.on_base(empty, where, FAMILIES[0], there.facts)
    dataset = replace(config.dataset, folders=folders, trigger=trigger)
    create(project, replace(config, dataset=dataset))
    _line(_console(), f"Made {Project(project).config_file}. Next: stylewright train {project}")


@app.command
def train(
    project: Path, *, resume: str | None = None, changes: Changes = None, json: Json = False
) -> None:
    """Train a project's next run, or go on with one.

    Args:
        project: The project's folder.
        resume: A run's folder name, or "newest".
        changes: Options for this run and the next ones; not with --resume.
        json: Print events as JSON lines.
    """
    from core.training.train import train as train_events

    opened = Project(project)
    if changes and resume is not None:
        raise ConfigError(
            "A run that is resumed keeps its settings.", hint="Start a new run with --set."
        )
    if changes:
        opened.save(files.with_changes(opened.config(), changes))
    name = None if resume is None else resume.removeprefix("newest")
    with _stopping() as control:
        _show(train_events(opened, control, name), as_json=json)


@app.command
def sample(
    base: str,
    *,
    prompt: str,
    out: Path,
    vae: str = "",
    prediction: Told = "auto",
    adapter: Path | None = None,
    weight: float = 1.0,
    seed: Seed = 1,
    guidance: float = 7.0,
    guidance_rescale: float = 0.0,
    inference_steps: InferenceSteps = 25,
) -> None:
    """Draw one picture with a base model and, if given, an adapter.

    Args:
        base: The base model, a folder or a .safetensors file, or "demo".
        prompt: What to draw.
        out: The picture to write, a .png; one that is there is written over.
        vae: Another VAE than the base model's own.
        prediction: What the base model predicts, where its files do not say it.
        adapter: An adapter file of any program.
        weight: How strongly the adapter acts.
        seed: Of the first noise.
        guidance: How closely to follow the prompt.
        guidance_rescale: Keeps strong guidance from bleaching colours; 0 to 1.
        inference_steps: How finely to draw.
    """
    if out.suffix.lower() != ".png":
        raise ConfigError(f"{out} is no .png.", hint="Pictures are written as PNG: name it so.")
    from core.training import sample as samples

    wish = samples.Wish(
        prompt=prompt,
        seed=seed,
        weight=weight,
        guidance=guidance,
        guidance_rescale=guidance_rescale,
        inference_steps=inference_steps,
    )
    sampler = samples.load(named_base(base, Path.cwd(), vae, prediction), adapter)
    for note in sampler.model.notes:
        _line(_console(), f"Note: {note}")
    sampler.draw(out, wish)


@app.command
def export(
    source: Path,
    *,
    out: Path,
    layout: Annotated[Literal["kohya", "diffusers", "peft"], Parameter(name="--format")] = "kohya",
    force: bool = False,
) -> None:
    """Write a run's adapter in another program's format.

    Args:
        source: A run's folder, or an adapter file in it.
        out: The file to write; for peft a folder.
        layout: kohya for ComfyUI, Forge and A1111; diffusers; peft.
        force: Write over what is there.
    """
    if out.exists() and not force:
        raise ConfigError(
            f"{out} is there already.", hint="Choose another name, or write over it with --force."
        )
    from core.training.export import proof
    from core.worker.jobs import export_to

    made = export_to(source, layout, out)
    console = _console()
    _line(console, f"Wrote {made}")
    for line in proof(made):
        _line(console, line)


@app.command
def check(project: Path) -> None:
    """Tell what is wrong with a project's pictures, settings and base model.

    Args:
        project: The project's folder.
    """
    from core.data.captions import for_training
    from core.data.findings import lines
    from core.data.fit import fit_findings
    from core.data.scan import scan
    from core.families import registry
    from core.families.device import whole_cpu
    from core.training.pictures import long_captions, no_previews

    opened = Project(project)
    config = opened.config()
    dataset = scan(opened.folders(config))
    console = _console()
    for line in lines(dataset.findings):
        _line(console, line)
    console.print(f"{len(dataset.pictures)} pictures can be used.")
    base = opened.base(config)
    _line(console, f"The base model: {in_words(base)}.")
    model = registry.load(base, whole_cpu())
    for note in model.notes:
        _line(console, note)
    resolution_px = config.dataset.resolution_px
    for line in lines(fit_findings(dataset.pictures, resolution_px, model.multiple_px)):
        _line(console, line)
    texts = [for_training(p.caption, config.dataset.trigger) for p in dataset.pictures]
    for line in filter(None, (long_captions(texts, model), no_previews(config, texts))):
        _line(console, line)
    if not dataset.pictures:
        raise UserError("There is nothing to train on.", hint="Add pictures to the project.")


@app.command
def inspect(adapter: Path, *, for_: ProgramName = None) -> None:
    """Tell what an adapter file is, and what other programs would load of it.

    Args:
        adapter: A .safetensors file of any program.
        for_: One program; all by default. The exit code is 2 where it does not load all of it.
    """
    from core.adapters import files as adapter_files
    from core.adapters.programs import PROGRAMS, read_by
    from core.adapters.report import family_of
    from core.training.export import in_words as described

    console = _console()
    tensors, header = adapter_files.read(adapter)
    facts = family_of(tensors, header)
    for line in described(tensors, header, facts):
        _line(console, line)
    chosen = [PROGRAMS[for_]] if for_ else list(PROGRAMS.values())
    readings = [read_by(program, tensors, header, facts) for program in chosen]
    for reading in readings:
        _line(console, str(reading))
    if for_ and not readings[0].whole:
        raise AdapterError(
            f"{readings[0].program} would not load all of {adapter}.",
            hint="Write it anew for that program: stylewright export.",
        )


@app.command
def unpickle(source: Path, *, out: Path | None = None) -> None:
    """Write a .ckpt, .bin or .pt model as .safetensors; no code in it is run.

    Args:
        source: The pickled file, which stays as it is.
        out: The file to write; beside the source by default.
    """
    from core.families.unpickle import unpickle as unpickled

    made = out or source.with_suffix(".safetensors")
    if made.exists():
        raise ConfigError(f"{made} is there already.", hint="Choose another name with --out.")
    _line(_console(), f"Wrote {made}, {unpickled(source, made)} tensors.")


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit code: 0 done, 2 a failure the person can act on."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may lack letters of a file's name
            stream.reconfigure(errors="replace")
    try:
        app(arguments, result_action="return_value", exit_on_error=False, print_error=True)
    except UserError as error:
        _line(Console(stderr=True), f"{error.message}\n{error.hint}".strip())
        return 2
    except CycloptsError:
        return 2  # it has said what is wrong
    except KeyboardInterrupt:
        return 130
    return 0


# Ctrl+C; a shutdown or `docker stop`; a terminal that was closed.
_STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@contextlib.contextmanager
def _stopping() -> Iterator[Control]:
    """The first signal saves and ends the run, the second ends it at once."""
    from core.training.control import Control

    control = Control()

    def on_signal(number: int, _frame: object) -> None:
        for one in _STOPPING:
            signal.signal(one, before[one])
        control.stop.set()
        if number == signal.SIGINT:
            with contextlib.suppress(OSError):
                sys.stderr.write("\nSaving. Press Ctrl+C again to end at once.\n")

    before = {number: signal.signal(number, on_signal) for number in _STOPPING}
    try:
        yield control
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _LastingConsole(Console):
    """`| head` closes the pipe: the run is worth more than its output."""

    @override
    def on_broken_pipe(self) -> None:
        self.quiet = True
        _to_nowhere()


def _to_nowhere() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _console() -> Console:
    return _LastingConsole(file=sys.stdout)


def _show(events: Iterable[Event], *, as_json: bool) -> None:
    """Print events as lines of JSON, or as a person reads them; nobody may be reading any more."""
    if not as_json:
        _print(events)
        return
    for event in events:
        try:
            sys.stdout.buffer.write(wire.to_line(event))
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            _to_nowhere()


def _print(events: Iterable[Event]) -> None:
    console = _console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
    )
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("Starting", total=1)
        for event in events:
            match event:
                case Phase(phase=phase, done=done, total=total):
                    bar.update(task, description=phase, completed=done, total=total or 1)
                case StepDone(step=step, loss=loss):
                    bar.update(task, description=f"Training, loss {loss:.4f}", completed=step)
                    if not console.is_terminal and step % 50 == 0:
                        _line(
                            console,
                            f"step {step}, loss {loss:.4f}, {event.seconds_left:.0f} s left",
                        )
                case RunStarted(steps=steps):
                    bar.update(task, description="Training", completed=0, total=steps)
                    _line(console, _started(event))
                case Warned(message=message):
                    _line(console, f"Note: {message}")
                case AdapterSaved(path=path):
                    _line(console, f"Adapter: {path}")
                case StyleMeasured():
                    _line(console, _measured(event))
                case _:
                    pass


def _line(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False, markup=False)


def _started(event: RunStarted) -> str:
    share = event.trainable / event.total
    return (
        f"Run {event.run}: {event.steps} steps on {event.pictures} pictures, {event.device}; "
        f"training {event.trainable:,} of {event.total:,} numbers ({share:.2%})."
    )


def _measured(style: StyleMeasured) -> str:
    return (
        f"Style: the previews are {style.change} (distance {style.before:.2f} before, "
        f"{style.after:.2f} after; your pictures are 1.00 apart). Check: this measure tells your "
        f"pictures from untrained ones in {style.check:.0%} of pairs."
    )
