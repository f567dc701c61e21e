"""Commands on projects: made, checked, trained, drawn from."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators
from msgspec.structs import replace

from core.base.words import in_words
from core.cli import telling
from core.cli.stacking import weighted
from core.cli.stopping import stopping
from core.config import files, presets
from core.config.facts import FAMILIES
from core.config.options import DEMO_BASE, RunConfig, Told
from core.errors import ConfigError, RunError, UserError
from core.project import demo as demo_project
from core.project import prolonging
from core.project.layout import Project, create, named_base
from core.protocol.events import Event, Verified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.training.control import Control
    from core.training.team import Places, Team

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print events as JSON lines.")]
Changes = Annotated[
    list[str] | None,
    Parameter(name="--set", negative="", help="Change an option: section.option=value."),
]
Steps = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=999_999))]
Count = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=64))]
Port = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=65535))]
PORT = 29500  # as torchrun and accelerate have it
Seed = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=2**63 - 1))]
InferenceSteps = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=200))]


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
    with stopping() as control:
        telling.show(train_events(project, control), as_json=json)
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
        telling.line(telling.console(), f"Before and after: {picture}")


def new(
    project: Path,
    *,
    base: str,
    images: list[Path],
    name: str = "",
    trigger: str = "",
    vae: Path | None = None,
    rest: Path | None = None,
    text: list[Path] | None = None,
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
        rest: A model folder, for the text encoders and VAE of a base that is a transformer alone.
        text: A file of a text encoder, in place of the base's own; may come several times.
        prediction: What the base model predicts, where its files do not say it.
    """
    where = base if base == DEMO_BASE else str(Path(base).expanduser().absolute())
    own_vae = str(vae.expanduser().absolute()) if vae else ""
    beside = str(rest.expanduser().absolute()) if rest else ""
    texts = tuple(str(path.expanduser().absolute()) for path in text or ())
    there = named_base(where, Path.cwd(), own_vae, prediction, beside, texts)
    telling.line(telling.console(), f"{where}: {in_words(there)}")
    for folder in images:
        if not folder.expanduser().is_dir():
            raise ConfigError(f"{folder} is no folder.", hint="Give folders of pictures.")
    folders = tuple(str(folder.expanduser().absolute()) for folder in images)
    title = name or project.absolute().name
    empty = RunConfig(
        name=title, base="", vae=own_vae, rest=beside, texts=texts, prediction=prediction
    )
    config = presets.on_base(empty, where, FAMILIES[0], there.facts)
    dataset = replace(config.dataset, folders=folders, trigger=trigger)
    create(project, replace(config, dataset=dataset))
    telling.line(
        telling.console(), f"Made {Project(project).config_file}. Next: stylewright train {project}"
    )


def train(
    project: Path,
    *,
    resume: str | None = None,
    steps: Steps | None = None,
    changes: Changes = None,
    processes: Count = 1,
    machines: str = "",
    machine_rank: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 0,
    port: Port = PORT,
    json: Json = False,
) -> None:
    """Train a project's next run, or go on with one.

    Args:
        project: The project's folder.
        resume: A run's folder name, its number, or "newest".
        steps: With --resume, make the run so many steps long: a finished one goes on, too.
        changes: Options for this run and the next ones; not with --resume.
        processes: So many share each step's batch, one for each GPU; on each machine.
        machines: Names of several machines, A,B: the same command is given on each.
        machine_rank: Which of them this is, from 0, where the run is trained.
        port: Where that one listens.
        json: Print events as JSON lines.
    """
    places = places_of(processes, machines, machine_rank, port)
    if machine_rank:  # settings are those of the run, whatever is said here
        with stopping() as control:
            telling.show(_shared(Project(project), places, control), as_json=json)
        return
    opened = Project(project)
    if changes and resume is not None:
        raise ConfigError(
            "A run that is resumed keeps its settings.", hint="Start a new run with --set."
        )
    if changes:
        opened.save(files.with_changes(opened.config(), changes))
    if steps is not None and resume is None:
        raise ConfigError(
            "--steps makes a run longer that is resumed.",
            hint="Name it with --resume, or set --set training.steps for a new one.",
        )
    name = None if resume is None else resume.removeprefix("newest")
    if steps is not None and name is not None:
        said = prolonging.prolong(opened.run(name), steps)
        telling.line(telling.console(error=json), said)
    with stopping() as control:
        telling.show(trained(opened, places, control, name), as_json=json)


def places_of(processes: int, machines: str = "", rank: int = 0, port: int = PORT) -> Places | None:
    """Where a run is trained; None where one process does it alone."""
    names = tuple(filter(None, (name.strip() for name in machines.split(","))))
    if rank >= max(1, len(names)):
        raise ConfigError(
            f"There is no machine of rank {rank}: {len(names)} are named.",
            hint="Name them all with --machines, the one that trains first; ranks count from 0.",
        )
    if processes == 1 and len(names) < 2:  # noqa: PLR2004
        return None
    # that another machine does not answer yet is no news; read when torch is imported
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    from core.training.team import Places

    return Places(processes, names if len(names) > 1 else (), rank, port)


def trained(
    project: Project, places: Places | None, control: Control, resume: str | None
) -> Iterator[Event]:
    """A run's events, taken by as many processes as there are places."""
    from core.training.train import train as train_events

    with _together(project, places, control) as others:
        yield from train_events(project, control, resume, others)


@contextlib.contextmanager
def _together(project: Project, places: Places | None, control: Control) -> Iterator[Team | None]:
    """Within, the others are there; None where one process does it alone."""
    if places is None:
        yield None
        return
    from core.training.team import team

    with team(project, places, control) as others:
        yield others


def _shared(project: Project, places: Places | None, control: Control) -> Iterator[Event]:
    """What this machine does of a run that another one trains."""
    from core.training.children import children
    from core.training.member import share

    assert places is not None  # noqa: S101 - there are several machines
    mine, *others = places.jobs(project, places.port)
    with children(others):
        yield from share(mine, control)


def verify(project: Path, run: str = "newest", *, processes: Count = 1) -> None:
    """Take a run's last steps again and tell whether they come out the same, to the bit.

    Args:
        project: The project's folder.
        run: The run's folder name, its number, or "newest".
        processes: As many as took its last steps: sums in another order have other last digits.
    """
    from core.training.verify import verify as verify_events

    opened = Project(project)
    found = opened.run(run.removeprefix("newest"))
    events: list[Event] = []
    with stopping() as control, _together(opened, places_of(processes), control) as others:
        replayed = verify_events(opened, found, control, others)
        telling.show(telling.kept(replayed, events), as_json=False)
    found_out = [event for event in events if isinstance(event, Verified)]
    if not found_out:
        return
    steps = (
        f"Steps {found_out[0].first_step} to {found_out[0].last_step} of the run {found.root.name}"
    )
    if found_out[0].different:
        names = ", ".join(found_out[0].different[:3])
        raise RunError(
            f"{steps} came out otherwise: {len(found_out[0].different)} tensors differ ({names}).",
            hint="Another device or number of processes (--processes), another version of torch, "
            f"or pictures that have changed do that; compare {found.manifest_file}.",
        )
    telling.line(telling.console(), f"{steps} came out the same, to the bit.")


def sample(
    base: str,
    *,
    prompt: str,
    out: Path,
    vae: str = "",
    rest: str = "",
    text: list[str] | None = None,
    prediction: Told = "auto",
    adapter: list[str] | None = None,
    weight: float = 1.0,
    seed: Seed = 1,
    guidance: float | None = None,
    guidance_rescale: float | None = None,
    inference_steps: InferenceSteps = 25,
) -> None:
    """Draw one picture with a base model and any adapters.

    Args:
        base: The base model, a folder or a .safetensors file, or "demo".
        prompt: What to draw.
        out: The picture to write, a .png; one that is there is written over.
        vae: Another VAE than the base model's own.
        rest: A model folder, for the text encoders and VAE of a base that is a transformer alone.
        text: A file of a text encoder, in place of the base's own; may come several times.
        prediction: What the base model predicts, where its files do not say it.
        adapter: An adapter file of any program, or FILE:0.7 for its weight; may come several times.
        weight: How strongly all of them act.
        seed: Of the first noise.
        guidance: How closely to follow the prompt; by default what is usual for the base.
        guidance_rescale: Keeps strong guidance from bleaching colours; 0 to 1.
        inference_steps: How finely to draw.
    """
    if out.suffix.lower() != ".png":
        raise ConfigError(f"{out} is no .png.", hint="Pictures are written as PNG: name it so.")
    from core.adapters.comparing import conflicts
    from core.training import sample as samples
    from core.training.export import read

    there = named_base(base, Path.cwd(), vae, prediction, rest, text or ())
    facts = there.facts
    worn = {one.path: one.weight * weight for one in map(weighted, adapter or ())}
    read_all = [read(path, facts)[0] for path in worn]
    for words in conflicts([path.name for path in worn], read_all):
        telling.line(telling.console(), f"Note: {words}")
    wish = samples.Wish(
        prompt=prompt,
        seed=seed,
        adapters=worn,
        guidance=facts.guidance if guidance is None else guidance,
        guidance_rescale=facts.guidance_rescale if guidance_rescale is None else guidance_rescale,
        inference_steps=inference_steps,
    )
    sampler = samples.load(there)
    for note in sampler.model.notes:
        telling.line(telling.console(), f"Note: {note}")
    sampler.draw(out, wish)


def check(project: Path) -> None:
    """Tell what is wrong with a project's pictures, settings and base model.

    Args:
        project: The project's folder.
    """
    from core.data import marks, masks, variation
    from core.data.buckets import sizes
    from core.data.findings import lines
    from core.data.fit import fit_findings, shape_findings
    from core.data.scan import Catalogue, scan
    from core.families import registry
    from core.families.device import whole_cpu
    from core.training.pictures import long_captions, no_previews, repeats_of

    opened = Project(project)
    config = opened.config()
    dataset = scan(opened.folders(config), Catalogue(opened.catalogue))
    said = marks.read(opened.marks_file, opened.root)
    used = said.used(dataset.pictures)
    console = telling.console()
    for line in lines([*dataset.findings, *marks.findings(dataset.pictures, said)]):
        telling.line(console, line)
    console.print(f"{len(dataset.pictures)} pictures can be used.")
    if out := len(dataset.pictures) - len(used):
        console.print(f"{out} of them are marked as not used.")
    base = opened.base(config)
    telling.line(console, f"The base model: {in_words(base)}.")
    model = registry.load(base, whole_cpu())
    for note in model.notes:
        telling.line(console, note)
    resolution_px = config.dataset.resolution_px
    shapes = sizes(resolution_px, model.multiple_px)
    learnt = [one for one in used if not said.of(one.path).held_out]
    times = repeats_of(used, config.dataset, said)
    amiss = [
        *fit_findings(used, resolution_px, model.multiple_px),
        *shape_findings(learnt, shapes, config.training.batch_size, times),
        *masks.unheeded(used, config.dataset),
    ]
    for line in lines(amiss):
        telling.line(console, line)
    texts = [
        variation.whole(body, config.dataset)
        for picture in used
        for body in variation.bodies(picture.caption, config.dataset)
    ]
    for line in filter(None, (long_captions(texts, model), no_previews(config, texts))):
        telling.line(console, line)
    if not used:
        raise UserError("There is nothing to train on.", hint="Add pictures to the project.")
