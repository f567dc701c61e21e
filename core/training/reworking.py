"""Adapter files and models made from others, each with its proof; nothing is written over.

Every function tells how far it is as it goes on, and is given up by closing it: what it was writing
is then not there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.adapters import comparing, files, merging, programs, reading, report
from core.adapters.merging import Size
from core.base.opening import facts_of
from core.config import files as config_files
from core.errors import AdapterError, ConfigError, RunError, naming_full_memory
from core.families import extraction, weights
from core.project.layout import Run
from core.protocol.events import FileMade, Inspected, Progress, Reader, Warned
from core.training import export

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from core.adapters.changes import Adapter, LoRA, Place
    from core.adapters.merging import Method
    from core.base.value import Base
    from core.config.facts import Facts
    from core.protocol.commands import Layers
    from core.protocol.events import Event

    Weighted = tuple[Path, float]

_NO_ROOM = "Close other programs, or ask for a smaller rank."


@dataclass(frozen=True, slots=True)
class How:
    """How several adapters become one."""

    method: Method = "linear"
    size: Size = field(default_factory=Size)
    density: float = 0.5  # which share of the numbers ties and dare keep


def resized(source: Path, size: Size, out: Path) -> Iterator[Event]:
    """Write an adapter with other ranks, as near to what it is as they allow.

    Raises:
        ConfigError: Nothing would change, or `out` is there.
        AdapterError: It cannot be read, or hangs on the base's weights.
        StorageError: `out` cannot be written.
    """
    if size == Size():
        raise ConfigError("Nothing would change.", hint="Say --rank 8, or --keep 0.95.")
    _check_free(out)
    yield Progress(phase=_reading(source))
    facts = _family(source)
    before, header = export.read(source, facts)
    made: Adapter = {}
    yield from _collected(merging.resized(before, size), made, len(before), "Working out layers")
    energy = sum(c.norm() ** 2 for c in made.values()) / sum(c.norm() ** 2 for c in before.values())
    also = f" It keeps {energy:.1%} of what the adapter changes."
    yield from _written(out, made, facts, header, also)


def joined(parts: Sequence[Weighted], how: How, out: Path) -> Iterator[Event]:
    """Write several adapters as one, each at a weight.

    Raises:
        ConfigError: None is named, or `out` is there.
        AdapterError: One cannot be read, is of another family, or hangs on the base's weights.
        StorageError: `out` cannot be written.
    """
    _check_any(parts)
    _check_free(out)
    facts = _family(parts[0][0])
    read: list[tuple[Adapter, float]] = []
    yield from _all_read(parts, facts, read)
    made: Adapter = {}
    changes = merging.merged(read, how.method, how.size, how.density)
    count = len(merging.places_of(read))
    yield from _collected(changes, made, count, "Putting layers together")
    yield from _written(out, made, facts, export.read(parts[0][0], facts)[1])


def baked(parts: Sequence[Weighted], base: Base, out: Path) -> Iterator[Event]:
    """Write a base model with adapters in it; it draws as the base does with them loaded.

    Raises:
        ConfigError: None is named, or `out` is there.
        AdapterError: One cannot be read, or does not fit the base.
        BaseModelError: The base cannot be read.
        StorageError: `out` cannot be written.
    """
    _check_any(parts)
    _check_free(out)
    read: list[tuple[Adapter, float]] = []
    yield from _all_read(parts, base.facts, read)
    changed = yield from weights.baked(base, read, out)
    yield FileMade(path=str(out), words=f"{base.facts.title}, {changed} layers changed.")


def extracted(
    tuned: Base, parent: Base, size: Size, layers: Layers, out: Path, *, convolutions: bool = False
) -> Iterator[Event]:
    """Write what a fine-tuned model changed as an adapter.

    Args:
        tuned: The fine-tuned model.
        parent: The model that it was tuned from.
        size: Of the adapter.
        layers: Which set of them.
        out: The file to write.
        convolutions: Whether those of several pixels, too.

    Raises:
        ConfigError: `out` is there.
        BaseModelError: They are of different families, or cannot be read.
        AdapterError: They are alike.
        StorageError: `out` cannot be written.
    """
    _check_free(out)
    facts = tuned.facts
    there = tuned.weights.keys() & parent.weights.keys()
    patterns = {part: words for part, words in facts.targets[layers].items() if part in there}
    if convolutions:
        for part, pattern in facts.convolutions.items():
            patterns[part] = f"{patterns[part]}|{pattern}"
    made = yield from extraction.extracted(tuned, parent, patterns, size)
    if not made:
        raise AdapterError(
            f"{tuned.path} and {parent.path} are alike.", hint="Choose the fine-tuned model."
        )
    yield from _written(out, made, facts, {})


def exported(
    source: Path, layout: export.Layout, out: Path, *, over: bool = False
) -> Iterator[Event]:
    """Write an adapter in another program's format.

    Args:
        source: A file of any program, or a run's folder for its newest one.
        layout: The format.
        out: The file to write; for peft a folder.
        over: Whether what is there may be written over.

    Raises:
        AdapterError, RunError, ConfigError: It cannot be read, the folder is no run, or `out` is
            there.
        StorageError: `out` cannot be written.
    """
    if not over:
        _check_free(out)
    yield Progress(phase=_reading(source))
    source = source.absolute()
    run = Run(source if source.is_dir() else source.parent.parent)
    ours = run.config_file.exists()
    if source.is_dir() and not ours:
        raise RunError(
            f"{source} is neither a run nor an adapter file.",
            hint="Give a folder of a project's runs, or a .safetensors file.",
        )
    file = run.newest_adapter() if source.is_dir() else source
    if file is None:
        raise RunError(f"The run {run.root} has no adapter yet.", hint="Resume and stop it.")
    facts = _facts_of_run(run, file) if ours else _family(file)
    adapter = export.convert(file, facts, layout, out)
    alone = " This form is peft's alone; no other program loads it." if out.is_dir() else ""
    words = f"{_in_words(adapter)}{alone}"
    yield FileMade(path=str(out), words=words, readers=proof(out))


def inspected(path: Path) -> Inspected:
    """What an adapter file is; one that cannot be read is told, too."""
    try:
        tensors, header = files.read(path)
        facts = report.family_of(tensors, header)
        found = report.report(reading.from_tensors(tensors, header, facts.names))
        readings = programs.readings(tensors, header, facts)
    except AdapterError as error:
        return Inspected(path=str(path), problem=str(error))
    return Inspected(
        path=str(path),
        kind=found.kind,
        family=facts.title,
        trigger=header.get("modelspec.trigger_phrase", "")[:200],
        rank=max(found.ranks),
        words=export.in_words(found, header, facts),
        readers=_readers(readings),
    )


def proof(path: Path) -> list[Reader]:
    """What each of the other programs would load of a file that was written; of a folder none.

    Raises:
        AdapterError: It cannot be read back.
    """
    if path.is_dir():
        return []
    tensors, header = files.read(path)
    return _readers(programs.readings(tensors, header, report.family_of(tensors, header)))


def _readers(readings: Sequence[programs.Reading]) -> list[Reader]:
    return [Reader(program=r.program, words=r.words, whole=r.whole) for r in readings]


def _facts_of_run(run: Run, file: Path) -> Facts:
    """Of the run's base; where that is gone, of the family that the file says."""
    config = config_files.load(run.config_file)
    told = _family(file)
    of_base = facts_of(config.base, run.root.parent.parent)
    return of_base if of_base.family == told.family else told


def _family(path: Path) -> Facts:
    return report.family_of(*files.read(path))


def _check_any(parts: Sequence[Weighted]) -> None:
    if not parts:
        raise ConfigError("Nothing is to be merged.", hint="Name one adapter file or more.")


def _check_free(out: Path) -> None:
    if out.exists():
        raise ConfigError(f"{out} is there already.", hint="Choose another name.")


def _reading(path: Path) -> str:
    return f"Reading {path.name}"


def _all_read(
    parts: Sequence[Weighted], facts: Facts, into: list[tuple[Adapter, float]]
) -> Iterator[Event]:
    """Read them all, and tell which of them work against each other."""
    for path, weight in parts:
        yield Progress(phase=_reading(path))
        into.append((export.read(path, facts)[0], weight))
    for line in comparing.conflicts([path.name for path, _ in parts], [one for one, _ in into]):
        yield Warned(message=line)


def _collected(
    changes: Iterator[tuple[Place, LoRA]], into: Adapter, total: int, phase: str
) -> Iterator[Event]:
    with naming_full_memory(_NO_ROOM):
        for done, (place, change) in enumerate(changes, 1):
            into[place] = change
            yield Progress(phase=phase, done=done, total=total)


def _written(
    out: Path, made: Adapter, facts: Facts, header: dict[str, str], also: str = ""
) -> Iterator[Event]:
    yield Progress(phase="Writing the adapter")
    export.write(out, made, facts, {**header, **export.network_words(made, facts)}, "usual")
    yield FileMade(path=str(out), words=_in_words(made) + also, readers=proof(out))


def _in_words(adapter: Adapter) -> str:
    return f"{len(adapter)} layers of rank {merging.ranks(adapter)}."
