"""Pictures as QImage, decoded by Pillow in the background: the engine sees the same pixels."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from pathlib import Path

from PIL import Image, ImageOps
from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot
from PySide6.QtGui import QImage

KEPT = 2000  # thumbnails of 320 px are 0.4 MB each


def load(path: Path, edge_px: int = 0) -> QImage:
    """A picture, at most `edge_px` wide and high; a null image if it cannot be read."""
    try:
        with Image.open(path) as image:
            if edge_px:
                image.draft("RGB", (edge_px, edge_px))  # JPEG decodes a smaller picture at once
            turned = ImageOps.exif_transpose(image)
            if edge_px:
                turned.thumbnail((edge_px, edge_px), Image.Resampling.BICUBIC)
            return to_qimage(turned)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return QImage()


def to_qimage(image: Image.Image) -> QImage:
    """A copy that owns its pixels."""
    rgba = image.convert("RGBA")
    data = rgba.tobytes()
    stride = rgba.width * 4
    return QImage(data, rgba.width, rgba.height, stride, QImage.Format.Format_RGBA8888).copy()


class _Load(QRunnable):
    def __init__(self, store: Thumbnails, path: Path, stamp: int, edge_px: int) -> None:
        super().__init__()
        self._store, self._path, self._stamp, self._edge_px = store, path, stamp, edge_px

    def run(self) -> None:
        image = load(self._path, self._edge_px)
        with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
            self._store.loaded.emit(str(self._path), self._stamp, image)


class Thumbnails(QObject):
    """Asks for a picture return at once; `ready` tells when it is there."""

    ready = Signal(str)  # a path
    loaded = Signal(str, object, QImage)  # from a thread

    def __init__(self, parent: QObject | None = None, edge_px: int = 320) -> None:
        super().__init__(parent)
        self._edge_px = edge_px
        self._images: OrderedDict[str, tuple[int, QImage]] = OrderedDict()
        self._asked: set[tuple[str, int]] = set()
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(2)
        self.loaded.connect(self._on_loaded)

    def get(self, path: Path) -> QImage | None:
        """The picture as it is on the disk now, or None until `ready`."""
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            return None
        name = str(path)
        kept = self._images.get(name)
        if kept and kept[0] == stamp:
            return kept[1]
        if (name, stamp) not in self._asked:
            self._asked.add((name, stamp))
            self._pool.start(_Load(self, path, stamp, self._edge_px))
        return kept[1] if kept else None

    def finish(self) -> None:
        """Wait for what is being decoded; before the program ends."""
        self._pool.clear()
        self._pool.waitForDone()

    @Slot(str, object, QImage)
    def _on_loaded(self, name: str, stamp: int, image: QImage) -> None:
        self._asked.discard((name, stamp))
        self._images[name] = (stamp, image)
        while len(self._images) > KEPT:
            self._images.popitem(last=False)
        self.ready.emit(name)
