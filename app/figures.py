"""Numbers as a person says them."""

from __future__ import annotations

import math

MINUTE_SECONDS = 60
DAY_SECONDS = 24 * 60 * MINUTE_SECONDS


def count_of(count: int, thing: str) -> str:
    """How many there are of a thing: "1 picture", "1,200 pictures"."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def duration(seconds: float) -> str:
    """A time as a person says it: "40 s", "11 min", "2 h 5 min", "3 days"."""
    if not math.isfinite(seconds):
        return "some time"
    if seconds < MINUTE_SECONDS:
        return f"{max(1, round(seconds))} s"
    if seconds > 2 * DAY_SECONDS:
        return count_of(round(seconds / DAY_SECONDS), "day")
    hours, minutes = divmod(round(seconds / MINUTE_SECONDS), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
