"""What a run's resolution does to pictures: how far they are enlarged, and what is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.data import buckets
from core.data.buckets import Size
from core.data.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from core.data.examine import Picture

# Below these, nobody sees a difference: common shapes lose up to a tenth to any set of buckets.
MAX_ENLARGED = 1.5  # times
MAX_LOST = 0.2  # of the area


def shape_findings(
    pictures: Sequence[Picture], sizes: list[Size], batch_size: int, times: Mapping[Path, int]
) -> list[Finding]:
    """Pictures of a shape that has fewer of them than a batch, so that they are learnt in smaller.

    Args:
        pictures: Those that are learnt from.
        sizes: What they are fitted to.
        batch_size: Of the run.
        times: How often each comes in an epoch.
    """
    shapes: dict[Size, list[Picture]] = {}
    for picture in pictures:
        size = buckets.nearest(Size(picture.width_px, picture.height_px), sizes)
        shapes.setdefault(size, []).append(picture)
    held = {size: sum(times[one.path] for one in ones) for size, ones in shapes.items()}
    most = min(batch_size, max(held.values(), default=0))  # no batch is larger
    return [
        Finding(
            one.path,
            f"At {size.width} x {size.height} px there {_few(len(ones))}: fewer than a batch "
            f"of {most}.",
            "It is learnt from in smaller steps. Crop it to a shape that others have.",
            usable=True,
            summary=f"Fewer pictures have its shape than a batch of {most} holds.",
        )
        for size, ones in shapes.items()
        if held[size] < most
        for one in ones
    ]


def _few(count: int) -> str:
    return f"are {count} pictures" if count > 1 else "is this one picture"


def fit_findings(
    pictures: Iterable[Picture], resolution_px: int, multiple_px: int
) -> list[Finding]:
    """Pictures that a run of this resolution enlarges much, or cuts much off.

    Args:
        pictures: Those that are learnt from.
        resolution_px: Of the run.
        multiple_px: What the base wants sides to be a multiple of.
    """
    sizes = buckets.sizes(resolution_px, multiple_px)
    findings: list[Finding] = []
    for picture in pictures:
        size = Size(picture.width_px, picture.height_px)
        plan = buckets.crop(size, buckets.nearest(size, sizes))
        times = buckets.scale(size, plan.bucket)
        if times > MAX_ENLARGED:
            findings.append(
                Finding(
                    picture.path,
                    f"Its {min(size)} px are enlarged {times:.1f} times at {resolution_px} px.",
                    "Use a larger copy, or lower the resolution.",
                    usable=True,
                    summary=f"It is enlarged over {MAX_ENLARGED} times at {resolution_px} px.",
                )
            )
        lost = 1 - plan.bucket.width * plan.bucket.height / (
            plan.resized.width * plan.resized.height
        )
        if lost > MAX_LOST:
            findings.append(
                Finding(
                    picture.path,
                    f"{lost:.0%} of its {size.width} x {size.height} px are cut off.",
                    "Crop it to what is to be learnt.",
                    usable=True,
                    summary=f"Over {MAX_LOST:.0%} of it is cut off at {resolution_px} px.",
                )
            )
    return findings
