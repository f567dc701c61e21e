"""Commands on adapters and models: written anew, looked at, put together."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from core.cli import telling
from core.cli.stacking import weighted
from core.errors import AdapterError, ConfigError
from core.project.layout import named_nets

ProgramName = Annotated[
    Literal["comfyui", "forge", "a1111", "invokeai", "diffusers"] | None, Parameter(name="--for")
]


FormatName = Annotated[Literal["usual", "kohya", "diffusers", "peft"], Parameter(name="--format")]


def export(
    source: Path,
    *,
    out: Path,
    layout: FormatName = "usual",
    force: bool = False,
) -> None:
    """Write an adapter in another program's format.

    Args:
        source: A run's folder, or an adapter file of any program.
        out: The file to write; for peft a folder.
        layout: usual is what most programs read: kohya, for Flux diffusers; or peft.
        force: Write over what is there.
    """
    if out.exists() and not force:
        raise ConfigError(
            f"{out} is there already.", hint="Choose another name, or write over it with --force."
        )
    from core.training.reworking import exported

    telling.show(exported(source, layout, out, over=force), as_json=False)


def inspect(adapter: Path, *, for_: ProgramName = None) -> None:
    """Tell what an adapter file is, and what other programs would load of it.

    Args:
        adapter: A .safetensors file of any program.
        for_: One program; all by default. The exit code is 2 where it does not load all of it.
    """
    from core.adapters.programs import PROGRAMS
    from core.training.reworking import inspected

    console = telling.console()
    found = inspected(adapter)
    if found.problem:
        raise AdapterError(found.problem)
    asked = PROGRAMS[for_].title if for_ else ""
    readers = [reader for reader in found.readers if asked in ("", reader.program)]
    for line in [*found.words, *(f"{reader.program}: {reader.words}" for reader in readers)]:
        telling.line(console, line)
    if for_ and not readers[0].whole:
        raise AdapterError(
            f"{asked} would not load all of {adapter}.",
            hint="Write it anew for that program: stylewright export.",
        )


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
    telling.line(telling.console(), f"Wrote {made}, {unpickled(source, made)} tensors.")


Rank = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=1024))]
Share = Annotated[float, Parameter(validator=validators.Number(gt=0, lte=1))]


def merge(
    *adapters: str,
    out: Path,
    into: Path | None = None,
    method: Literal["linear", "ties", "dare", "dare_ties"] = "linear",
    rank: Rank = 0,
    keep: Share = 1.0,
    density: Share = 0.5,
    rest: str = "",
    text: list[str] | None = None,
) -> None:
    """Put adapters together, into one adapter or into a base model.

    Args:
        adapters: Files, each with its weight after a colon: style.safetensors:0.7.
        out: The file to write; with --into a folder, where that is one.
        into: A base model, which stays as it is; its copy draws as if the adapters were loaded.
        method: How adapters become one: their sum, or what ties or dare keep of it.
        rank: Of the adapter; 0 is as large as it must be.
        keep: Which share of each layer's energy the adapter keeps.
        density: Which share of the numbers ties and dare keep.
        rest: With --into, a model folder for what a base that is a transformer alone lacks.
        text: With --into, a file of a text encoder of that model; may come several times.
    """
    from core.adapters.merging import Size
    from core.training import reworking

    parts = [(wish.path, wish.weight) for wish in map(weighted, adapters)]
    if into is None:
        how = reworking.How(method, Size(rank, keep), density)
        telling.show(reworking.joined(parts, how, out), as_json=False)
        return
    if method != "linear":
        raise ConfigError(
            f"Into a base model adapters are added up; {method} is for adapters alone.",
            hint="Merge them into one adapter first, and that into the base.",
        )
    base = named_nets(str(into), Path.cwd(), rest, text or ())
    telling.show(reworking.baked(parts, base, out), as_json=False)


def resize(adapter: Path, *, out: Path, rank: Rank = 0, keep: Share = 1.0) -> None:
    """Make an adapter smaller, as near to what it is as that allows.

    Args:
        adapter: The file, which stays as it is.
        out: The file to write.
        rank: The largest that a layer may have; 0 is what --keep needs.
        keep: Which share of each layer's energy stays.
    """
    from core.adapters.merging import Size
    from core.training.reworking import resized

    telling.show(resized(adapter, Size(rank, keep), out), as_json=False)


def extract(
    tuned: Path,
    *,
    base: Path,
    out: Path,
    rank: Rank = 32,
    keep: Share = 1.0,
    targets: Literal["attention", "transformer", "linear"] = "transformer",
    convolutions: bool = False,
    rest: str = "",
    text: list[str] | None = None,
) -> None:
    """Write what a fine-tuned model changed as an adapter.

    Args:
        tuned: The fine-tuned model, a folder or a file.
        base: The model that it was tuned from.
        out: The file to write.
        rank: Of each layer at most; 0 is what --keep needs.
        keep: Which share of each layer's energy stays.
        targets: Which layers.
        convolutions: Whether those of several pixels, too.
        rest: A model folder for what models that are a transformer alone lack.
        text: A file of a text encoder of both; may come several times.
    """
    from core.adapters.merging import Size
    from core.training.reworking import extracted

    one, other = (named_nets(str(path), Path.cwd(), rest, text or ()) for path in (tuned, base))
    size = Size(rank, keep)
    events = extracted(one, other, size, targets, out, convolutions=convolutions)
    telling.show(events, as_json=False)


def compare(*adapters: Path) -> None:
    """Tell how adapters stand to each other where they change the same layers.

    Args:
        adapters: Two files or more, of one family.
    """
    if len(adapters) < 2:  # noqa: PLR2004
        raise ConfigError("One adapter cannot be compared.", hint="Name two files or more.")
    from core.adapters import files
    from core.adapters.comparing import overlap
    from core.adapters.report import family_of
    from core.training.export import read

    facts = family_of(*files.read(adapters[0]))
    there = {path: read(path, facts)[0] for path in adapters}
    console = telling.console()
    for one, other in combinations(adapters, 2):
        found = overlap(there[one], there[other])
        telling.line(
            console,
            f"{one.name} and {other.name}: {found.cosine:+.2f} of -1 (against each other) to 1 "
            f"(the same) over {found.shared} layers; {found.only[0]} and {found.only[1]} layers "
            "are of one alone.",
        )
        for place, cosine in found.opposed:
            telling.line(console, f"  {cosine:+.2f} at {place.component} {place.module}")
        if found.warning:
            telling.line(console, f"  {found.warning}")
