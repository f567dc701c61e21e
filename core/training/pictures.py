"""A run's pictures: read, looked over, and encoded once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.config.options import DatasetConfig
from core.data import buckets, marks, masks, pixels, variation
from core.data.batches import Item
from core.data.findings import lines
from core.data.fit import fit_findings
from core.data.scan import Catalogue, Dataset, Finding, Picture, dataset_of, walk
from core.errors import DatasetError
from core.hashing import file_hash, key_of
from core.protocol.events import Event, Progress, Warned

if TYPE_CHECKING:
    from torch import Tensor

    from core.config.options import RunConfig
    from core.data.cache import Cache
    from core.data.focus import Point
    from core.data.marks import Marks
    from core.families.family import Model
    from core.training.control import Control


HINT = "Drop pictures on the Dataset page, or copy them into that folder."
CLASS_HINT = "Copy class pictures into it, or set dataset.class_folder to another, or to nothing."


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture on the disk, a name for its content, and what a crop is to keep of it."""

    path: Path
    content: str
    focus: Point | None = None

    @property
    def key(self) -> str:
        """For caches: the same bytes, read in the same way."""
        where = () if self.focus is None else self.focus
        return key_of(self.content, pixels.RECIPE, *where)


@dataclass(frozen=True, slots=True)
class Cut:
    """How pictures are cut: about which points, and to which shapes: usually all of a size."""

    points: Mapping[Path, Point] = field(default_factory=dict)
    shapes: Sequence[buckets.Size] = ()


def read(
    folders: list[Path], catalogue: Catalogue, control: Control, hint: str = HINT
) -> Generator[Event, None, Dataset]:
    """The dataset, whole unless asked to stop, and what is to be said of it.

    What `catalogue` knows to be unchanged is not decoded again.

    Raises:
        DatasetError: No usable picture; `hint` says what to do.
    """
    there = walk(folders)
    found: list[Picture | Finding] = []
    for number, path in enumerate(there.pictures):
        yield Progress(phase="Reading the pictures", done=number, total=len(there.pictures))
        if control.stop.is_set():
            return dataset_of(found)
        found.append(catalogue.examine(path, there.captions[number], masked=there.masked[number]))
    catalogue.save()
    dataset = dataset_of(found, there.findings)
    yield from _warnings(dataset.findings)
    _check_not_empty(dataset, folders, hint)
    return dataset


def _warnings(findings: Sequence[Finding]) -> Generator[Event, None, None]:
    for line in lines(findings):
        yield Warned(message=line)


def _check_not_empty(dataset: Dataset, folders: list[Path], hint: str) -> None:
    if dataset.pictures:
        return
    where = ", ".join(str(folder) for folder in folders)
    unusable = sum(not finding.usable for finding in dataset.findings)
    left_out = f" {unusable} could not be used." if unusable else ""
    raise DatasetError(
        f"There is no picture to train on in {where}.{left_out}",
        hint=hint,
    )


def used(
    dataset: Dataset, said: Marks, config: DatasetConfig
) -> Generator[Event, None, tuple[Dataset, tuple[Path, ...]]]:
    """The pictures that marks leave in, and the files of those that they leave out.

    Raises:
        DatasetError: No picture is left.
    """
    left = said.used(dataset.pictures)
    if not left:
        raise DatasetError(
            f"All {len(dataset.pictures):,} pictures are marked as not used.",
            hint="Take that mark from those that are to be learnt, on the Dataset page.",
        )
    yield from _warnings([*marks.findings(left, said), *masks.unheeded(left, config)])
    out = tuple(one.path for one in dataset.pictures if said.of(one.path).unused)
    return replace(dataset, pictures=left), out


def encode(
    dataset: Dataset,
    model: Model,
    config: DatasetConfig,
    cache: Cache,
    control: Control,
    cut: Cut,
) -> Generator[Event, None, list[Item]]:
    """The pictures' latents, from the cache where they are there; some, if asked to stop.

    Each picture at each resolution, and mirrored, if that is wished; cropped about its point, if
    it has one.

    Raises:
        DatasetError: Not one of them could be read any more.
    """
    edges = sorted({config.resolution_px, *config.more_resolutions_px})
    yield from _warnings(fit_findings(dataset.pictures, edges[-1], model.multiple_px))
    encoder = model.only(model.family.picture_parts)
    choices = [buckets.sizes(edge, model.multiple_px) for edge in edges]
    if cut.shapes:
        choices = [list(cut.shapes)]
    items: list[Item] = []
    total = len(dataset.pictures)
    for number, picture in enumerate(dataset.pictures, start=1):
        if control.stop.is_set():
            break
        size = buckets.Size(picture.width_px, picture.height_px)
        fitted = dict.fromkeys(buckets.nearest(size, sizes) for sizes in choices)
        try:
            focus = cut.points.get(picture.path)
            file = PictureFile(picture.path, file_hash(picture.path), focus)
            for bucket in fitted:
                frame = buckets.frame(size, bucket, focus)
                items += _item(encoder, (picture, file), frame, config, cache)
        except OSError as error:  # it was whole a moment ago
            yield Warned(
                message=f"{picture.path.name} was left out: {error}", path=str(picture.path)
            )
            continue
        yield Progress(phase="Encoding the pictures", done=number, total=total)
    if not items and not control.stop.is_set():
        raise DatasetError(
            f"None of the {total} pictures could be read any more.",
            hint="Check that the disk they are on is still there.",
        )
    return items


def _item(
    encoder: Model,
    of: tuple[Picture, PictureFile],
    frame: buckets.Frame,
    config: DatasetConfig,
    cache: Cache,
) -> list[Item]:
    """A picture in one bucket as it is and, if that is wished, mirrored."""
    picture, file = of
    bucket = frame.bucket
    bodies = variation.bodies(picture.caption, config)
    joined = bodies[0] if len(bodies) == 1 else " ".join(bodies)
    made = cache.get(latents_of, model=encoder, picture=file, bucket=bucket)
    plain = Item(
        file.content,
        frame,
        variation.whole(joined, config),
        made["mean"],
        made["std"],
        picture.path,
        bodies,
        mask=_mask(file, config, bucket, made["mean"]),
    )
    if not config.flip:
        return [plain]
    made = cache.get(mirrored_latents_of, model=encoder, picture=file, bucket=bucket)
    mirrored = replace(
        plain,
        key=f"{plain.key}/mirrored",
        mean=made["mean"],
        std=made["std"],
        mask=None if plain.mask is None else plain.mask.flip(-1),
    )
    return [plain, mirrored]


def of_class(
    folder: Path,
    beside: Sequence[Item],
    model: Model,
    config: RunConfig,
    cache: Cache,
    control: Control,
) -> Generator[Event, None, list[Item]]:
    """The class pictures in `folder`, encoded; some, if asked to stop.

    Each in that shape of the pictures beside which is nearest to its own, so that batches mix them;
    told as its caption has it, without the trigger, a prefix or a suffix.

    Raises:
        DatasetError: There are none that can be read.
    """
    plain = DatasetConfig(
        resolution_px=config.dataset.resolution_px,
        caption_lines=config.dataset.caption_lines,
        wildcards=config.dataset.wildcards,
    )
    catalogue = Catalogue(cache.folder / "class_pictures.sqlite")
    dataset = yield from read([folder], catalogue, control, CLASS_HINT)
    if control.stop.is_set():
        return []
    cut = Cut(shapes=sorted({item.bucket for item in beside}))
    items = yield from encode(dataset, model, plain, cache, control, cut)
    return [replace(item, of_class=True, weight=config.dataset.class_weight) for item in items]


def repeats_of(pictures: Sequence[Picture], config: DatasetConfig, said: Marks) -> dict[Path, int]:
    """How often each picture comes in an epoch: as is said of its folder, and by how full it is."""
    asked = {p.path: said.repeats(p.path.parent, config) for p in pictures}
    if not config.balance_folders:
        return asked
    held: Counter[Path] = Counter()
    for path, times in asked.items():
        held[path.parent] += times
    most = max(held.values(), default=0)
    return {path: times * round(most / held[path.parent]) for path, times in asked.items()}


def latents_of(model: Model, picture: PictureFile, bucket: buckets.Size) -> dict[str, Tensor]:
    """Mean and deviation of one picture's latents, (C, h, w) each.

    Raises:
        OSError: The picture is gone or damaged.
    """
    image = pixels.fitted(pixels.open_rgb(picture.path), bucket, picture.focus)
    return _encoded(model, pixels.to_tensor(image))


def mirrored_latents_of(
    model: Model, picture: PictureFile, bucket: buckets.Size
) -> dict[str, Tensor]:
    """As `latents_of`, of the picture mirrored: an encoder does not quite mirror its answer."""
    image = pixels.fitted(pixels.open_rgb(picture.path), bucket, picture.focus)
    return _encoded(model, pixels.to_tensor(image).flip(-1))


def _encoded(model: Model, seen: Tensor) -> dict[str, Tensor]:
    mean, std = model.family.encode_picture(model, seen[None])
    return {"mean": mean[0], "std": std[0]}


def _mask(
    picture: PictureFile, config: DatasetConfig, bucket: buckets.Size, latents: Tensor
) -> Tensor | None:
    """Where a picture counts, (h, w) with a mean of 1, so that it counts as much as any other.

    Raises:
        OSError: The mask is damaged.
    """
    file = masks.source(picture.path, config)
    if file is None:
        return None
    grey = pixels.fitted(masks.opened(file, config.masks), bucket, picture.focus)
    seen = pixels.to_mask(grey, *latents.shape[-2:])
    counts = config.unmasked + (1 - config.unmasked) * seen
    if not counts.any():
        raise OSError(f"its mask {file.name} leaves nothing of it to learn from")
    return counts / counts.mean()


def long_captions(texts: Sequence[str], model: Model) -> str:
    """One line on captions that are not read at once; "" where there are none."""
    encoders = model.family.text_encoders.values()
    counts = [
        max((e.tokens(model, text) for e in encoders if e.tokens), key=lambda c: c[0] / c[1])
        for text in texts
    ]
    over = sum(used > limit for used, limit in counts)
    longest, limit = max(counts, default=(0, 0))
    if not over:
        return ""
    said = (
        f"{over} of {len(texts)} captions are longer than {limit} tokens, the longest has "
        f"{longest}."
    )
    if any(encoder.cuts for encoder in encoders):
        return (
            f"{said} What comes after is not read: shorten them, or have the style's words first."
        )
    return f"{said} They are read in parts of {limit}, as ComfyUI, Forge and A1111 read them."


def no_previews(config: RunConfig, texts: Sequence[str]) -> str:
    """One line where there is nothing to draw previews of; "" where there is."""
    if config.preview.prompts or any(texts):
        return ""
    return "There are neither prompts nor captions, so no previews are drawn."
