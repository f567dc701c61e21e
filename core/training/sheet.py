"""A before/after sheet: the untrained previews above those of a step."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from core.config.files import write_beside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MARGIN_PX = 16
LABEL_PX = 18
COLUMNS = 10


def write(path: Path, rows: Sequence[tuple[str, Sequence[Path]]], captions: Sequence[str]) -> None:
    """Write labelled rows of pictures as one PNG, wrapped into blocks of ten columns.

    Args:
        path: The PNG to write.
        rows: Label and picture files, all rows equally long.
        captions: One for each column.

    Raises:
        StorageError: It cannot be written.
    """
    with Image.open(rows[0][1][0]) as first:
        edge = first.width
    count = len(captions)
    columns = min(COLUMNS, count)
    block = LABEL_PX + len(rows) * (edge + LABEL_PX) + MARGIN_PX
    blocks = -(-count // columns)
    size = (MARGIN_PX + columns * (edge + MARGIN_PX), MARGIN_PX + blocks * block)
    sheet = Image.new("RGB", size, "#f6f7f9")
    ink = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for index, caption in enumerate(captions):
        left = MARGIN_PX + index % columns * (edge + MARGIN_PX)
        top = MARGIN_PX + index // columns * block
        ink.text((left, top), caption, fill="#1b1f27", font=font)
        for number, (label, pictures) in enumerate(rows):
            y = top + LABEL_PX + number * (edge + LABEL_PX)
            with Image.open(pictures[index]) as picture:
                sheet.paste(picture.convert("RGB"), (left, y))
            ink.text((left, y + edge + 2), label, fill="#5b6472", font=font)
    content = io.BytesIO()
    sheet.save(content, "PNG")
    write_beside(path, content.getvalue())
