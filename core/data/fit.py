"""What a run's resolution does to pictures: how far they are enlarged, and what is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.data import buckets
from core.data.buckets import Size
from core.data.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.data.examine import Picture

# Below these, nobody sees a difference: common shapes lose up to a tenth to any set of buckets.
MAX_ENLARGED = 1.5  # times
MAX_LOST = 0.2  # of the area


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
