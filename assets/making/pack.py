"""All pictures in one file, from which everything here trains: rendered once, read in seconds."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

STEP = 3  # of 255; black and white stay, and a quarter of the file is saved


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one picture."""

    word: str  # the subject, "" where it has no name here
    hand: str  # the icon set that drew it
    style: str  # the word a caption names its style with; a plain drawing's is its hand
    part: str  # train, moved (to train on, without a style word), held (never trained on)


def as_webp(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3), uint8, in 2.5 KB for 128 px: its values in steps of 3, then no loss."""
    data = io.BytesIO()
    steps = np.round(picture / STEP).astype(np.uint8) * STEP
    Image.fromarray(steps).save(data, "webp", lossless=True, quality=60, method=4)
    return data.getvalue()


def write(path: Path, made: Iterable[tuple[bytes, Row]]) -> int:
    """Write pictures as `as_webp` made them; returns how many."""
    files, rows = zip(*made, strict=True)
    ends = np.cumsum([len(file) for file in files])
    table = np.frombuffer(json.dumps([asdict(row) for row in rows]).encode(), np.uint8)
    with path.open("wb") as out:
        np.savez(out, data=np.frombuffer(b"".join(files), np.uint8), ends=ends, table=table)
    return len(rows)


def read(*paths: Path) -> tuple[np.ndarray, list[Row]]:
    """Pictures (N, H, W, 3), uint8, of all files in turn, and what is known of them."""
    pictures, rows = [], []
    for path in paths:
        with np.load(path) as file:
            parts = np.split(file["data"], file["ends"][:-1])
            rows += [Row(**row) for row in json.loads(file["table"].tobytes())]
        with ThreadPoolExecutor(4) as pool:  # Pillow lets go of the lock while it decodes
            pictures += pool.map(_pixels, parts)
    return np.stack(pictures), rows


def _pixels(part: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(part.tobytes())).convert("RGB"))
