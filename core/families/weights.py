"""A base's weights as its files hold them: read, and changed in a copy."""

from __future__ import annotations

import bisect
import contextlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.torch
import torch
from typing_extensions import override

from core.adapters import merging
from core.adapters.changes import Adapter, Place
from core.adapters.injection import OTHER_BASE
from core.base.single_file import read_header
from core.base.value import Base, InFile, InFolder, is_weights, variant_of
from core.errors import AdapterError, BaseModelError, StorageError, naming_full_memory
from core.families import loading, scaled
from core.families.namings import NAMINGS, named
from core.families.registry import FAMILIES
from core.protocol.events import Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from torch import Tensor

_WEIGHT = ".weight"
_SMALL = "Choose a disk with more room, or another folder."
_CHANGING, _WRITING = "Changing layers", "Writing the model"  # phases
_READ = "Choose a model whose weights are .safetensors."


def baked(
    base: Base, parts: Sequence[tuple[Adapter, float]], out: Path
) -> Generator[Progress, None, int]:
    """Write a base with adapters in it, in its own layout, names and precision.

    Each adapter is meant for the base as it is: W + sum of weight (W' - W).

    Args:
        base: A folder or a file; it stays as it is.
        parts: The adapters and their weights.
        out: The folder or file to write, which is not there.

    Yields:
        How far it is; closed before its end, it leaves nothing behind.

    Returns:
        How many layers were changed.

    Raises:
        AdapterError: An adapter does not fit the base.
        BaseModelError: The base cannot be read.
        StorageError: `out` cannot be written, or is there.
    """
    _check_free(out)
    components = sorted({place.component for adapter, _ in parts for place in adapter})
    if unknown := [part for part in components if part not in base.weights]:
        raise AdapterError(f"The base model {base.path} has no {unknown[0]}.", hint=OTHER_BASE)
    bake = _bake_file if base.path.is_file() else _bake_folder
    try:
        with naming_full_memory("Close other programs."):
            return (yield from bake(base, components, parts, out))
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error}.", hint=_SMALL) from error


def _check_free(out: Path) -> None:
    if out.exists():
        raise StorageError(f"{out} is there already.", hint="Choose another name.")


def _bake_file(
    base: Base, components: Sequence[str], parts: Sequence[tuple[Adapter, float]], out: Path
) -> Generator[Progress, None, int]:
    whole: dict[str, Tensor] = {}
    with _mapped(base.path) as file:
        names = list(file.keys())
        for number, name in enumerate(names):
            whole[name] = file.get_tensor(name).clone()
            yield Progress(phase="Reading the base model", done=number + 1, total=len(names))
    changed, layers = 0, len(merging.places_of(parts))
    for part in components:
        where = base.weights[part]
        if not isinstance(where, InFile) or where.path != base.path:
            raise BaseModelError(
                f"The {part} of {base.path} lies in another file.", hint="Choose that file itself."
            )
        net = loading.empty_net(base, part, FAMILIES[base.facts.family].nets[part])
        inside: dict[str, list[tuple[Place, _Rows]]] = {}
        for module, rows in _rows_of(whole, where, net).items():
            inside.setdefault(rows.source, []).append((Place(part, module), rows))
        for source, places in inside.items():
            if done := _change_inside(whole, source, places, parts):
                changed += done
                yield Progress(phase=_CHANGING, done=changed, total=layers)
    _check_all(changed, parts)
    header = read_header(base.path).metadata
    with _beside(out) as path:
        yield Progress(phase=_WRITING)
        safetensors.torch.save_file(whole, path, dict(header))
        yield Progress(phase=_WRITING)  # the last moment at which it may be given up
    return changed


@dataclass(frozen=True, slots=True)
class _Rows:
    """Where in a file a module's weight lies: rows of a tensor, all of them for most."""

    source: str
    first: int
    end: int


def _change_inside(
    whole: dict[str, Tensor],
    source: str,
    places: Sequence[tuple[Place, _Rows]],
    parts: Sequence[tuple[Adapter, float]],
) -> int:
    """Change what lies in a tensor of a file; how many places that were.

    Bytes with a scale become the numbers that they stand for, and bytes again.
    """
    if not any(place in adapter for place, _ in places for adapter, _ in parts):
        return 0
    meant = scaled.opened(whole, source)
    done = sum(_change(meant[rows.first : rows.end], place, parts) for place, rows in places)
    if meant is not whole[source]:
        scaled.close(whole, source, meant)
    return done


def _rows_of(whole: Mapping[str, Tensor], where: InFile, net: Any) -> dict[str, _Rows]:  # noqa: ANN401
    """Of each module of a net, found by turning numbered rows in place of the weights.

    The converters of `NAMINGS` rename, and cut what is joined (OpenCLIP's q, k and v); they copy,
    so that the weights themselves would not tell where they came from.
    """
    plain, _ = scaled.apart(dict(whole))
    own = {name: tensor for name, tensor in plain.items() if name.startswith(where.prefix)}
    starts, probes, count = [], {}, 0
    for name, tensor in own.items():
        rows = tensor.shape[0] if tensor.ndim else 1
        starts.append((count, name))
        numbers = torch.arange(count, count + rows, dtype=torch.float64)
        probes[name] = numbers.view(-1, *[1] * max(0, tensor.ndim - 1))
        count += rows
    found = {}
    for name, numbers in NAMINGS[where.naming](probes, where.prefix, net).items():
        if name.endswith(_WEIGHT) and numbers.numel():
            first, last = int(numbers.flatten()[0]), int(numbers.flatten()[-1])
            start, source = starts[bisect.bisect_right(starts, (first, "\uffff")) - 1]
            if last - first + 1 == numbers.numel():  # else it is turned round: no adapter's place
                found[name.removesuffix(_WEIGHT)] = _Rows(source, first - start, last - start + 1)
    return found


def _bake_folder(
    base: Base, components: Sequence[str], parts: Sequence[tuple[Adapter, float]], out: Path
) -> Generator[Progress, None, int]:
    changed, layers = 0, len(merging.places_of(parts))
    if beside := [part for part, where in base.weights.items() if isinstance(where, InFile)]:
        raise BaseModelError(
            f"The {beside[0]} of {base.path} lies in another file.",
            hint="Choose the folder without files beside it.",
        )
    with _beside(out) as folder:
        folder.mkdir()
        for number, part in enumerate(base.facts.parts):
            yield Progress(phase="Copying the model", done=number, total=len(base.facts.parts))
            where = base.weights.get(part)
            for path in sorted(p for p in base.folders[part].iterdir() if p.is_file()):
                odd = is_weights(path.name) and not _chosen(path, where)
                if not odd:
                    _copy(path, folder / part / path.name)
        shutil.copyfile(base.path / "model_index.json", folder / "model_index.json")
        for part in components:
            inside = base.facts.names[part].inside
            for path in _safetensors(folder / part):
                tensors = safetensors.torch.load_file(path)
                header = read_header(path).metadata
                for name, tensor in tensors.items():
                    module = name.removesuffix(_WEIGHT).removeprefix(inside)
                    if name.endswith(_WEIGHT) and _change(tensor, Place(part, module), parts):
                        changed += 1
                        yield Progress(phase=_CHANGING, done=changed, total=layers)
                safetensors.torch.save_file(tensors, path, dict(header))
        _check_all(changed, parts)
        yield Progress(phase=_WRITING)
    return changed


def _chosen(path: Path, where: object) -> bool:
    return isinstance(where, InFolder) and variant_of(path.name) == where.variant


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def _safetensors(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise BaseModelError(f"The weights in {folder.name} are pickles.", hint=_READ)
    return found


@torch.no_grad()
def _change(tensor: Tensor, place: Place, parts: Sequence[tuple[Adapter, float]]) -> int:
    """Change a weight in place; 1 if there was something to change."""
    there = [(a[place], weight) for a, weight in parts if place in a]
    if not there:
        return 0
    weight = tensor.float()
    for change, _ in there:
        if not change.fits(weight.shape):
            raise AdapterError(
                f"The adapter does not fit this model at {place.module}, whose weight is "
                f"{' x '.join(map(str, weight.shape))}.",
                hint=OTHER_BASE,
            )
    made = weight + sum(share * change.delta(weight) for change, share in there)
    tensor.copy_(made)  # rounds to the file's own precision
    return 1


def _check_all(changed: int, parts: Sequence[tuple[Adapter, float]]) -> None:
    places = merging.places_of(parts)
    if changed < len(places):
        raise AdapterError(
            f"The adapter does not fit this model: of its {len(places)} layers {changed} are in "
            "it.",
            hint=OTHER_BASE,
        )


@contextlib.contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A file or folder is there whole or not at all; what has come there meanwhile stays."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=out.parent, prefix=".writing-"))
    try:
        part = beside / out.name
        yield part
        _check_free(out)
        part.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[Any]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            yield file
    except (OSError, safetensors.SafetensorError) as error:
        raise BaseModelError(f"{path} cannot be read: {error}.", hint=loading.WHOLE) from error


@dataclass(frozen=True, slots=True)
class _Meant(Mapping[str, "Tensor"]):
    """Weights of which each is made whole when it is asked for: all at once would be too much."""

    held: Mapping[str, Tensor]
    scales: Mapping[str, Tensor]  # of rows

    @override
    def __getitem__(self, module: str) -> Tensor:
        scale = self.scales.get(module)
        tensor = self.held[module]
        return tensor if scale is None else scaled.whole(tensor, scale, torch.float32)

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self.held)

    @override
    def __len__(self) -> int:
        return len(self.held)


def of_part(base: Base, part: str, net: Any) -> Mapping[str, Tensor]:  # noqa: ANN401
    """A net's weights by its modules' paths; the files are mapped, not copied.

    Raises:
        BaseModelError: A file cannot be read, or is a pickle.
    """
    where = base.weights[part]
    if isinstance(where, InFile):
        with _mapped(where.path) as file:
            own = {n: file.get_tensor(n) for n in file.keys() if n.startswith(where.prefix)}  # noqa: SIM118
        tensors, scales = named(own, where, net)
        inside = ""
    else:
        tensors, scales, inside = {}, {}, base.facts.names[part].inside
        for path in _safetensors(base.folders[part]):
            if _chosen(path, where):
                with _mapped(path) as file:
                    tensors |= {n: file.get_tensor(n) for n in file.keys()}  # noqa: SIM118
    weights, rows = (
        {
            name.removesuffix(_WEIGHT).removeprefix(inside): tensor
            for name, tensor in some.items()
            if name.endswith(_WEIGHT)
        }
        for some in (tensors, scales)
    )
    return _Meant(weights, rows)
