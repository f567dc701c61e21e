"""Pictures as QImage, decoded by Pillow in the background: the engine sees the same pixels."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot
from PySide6.QtGui import QGuiApplication, QImage

from core.data.decode import UNREADABLE, eight_bit, in_srgb, open_picture, turned

KEPT_BYTES = 200 * 2**20
TILE_PX = 288  # of the shorter side, in the screen's own units: tiles crop to fill


def load(path: Path, edge_px: int = 0, *, filling: bool = False) -> QImage:
    """A picture; a null image if it cannot be read.

    With `edge_px` it is made to fit a square of that edge, or with `filling` to cover it; a
    smaller one stays as it is.
    """
    try:
        with open_picture(path) as image:
            whole = image.size
            size = _wanted_size(whole, edge_px, filling=filling)
            if size != whole:
                image.draft("RGB", size)  # JPEG decodes a smaller picture at once
            seen = eight_bit(turned(image))
            if seen.mode in ("P", "PA", "1"):
                seen = seen.convert("RGBA")  # a palette cannot be resized smoothly
            if size != whole:
                seen.thumbnail((max(size), max(size)), Image.Resampling.BICUBIC)
            return to_qimage(in_srgb(seen))  # of a small picture, that is faster
    except UNREADABLE:
        return QImage()


def _wanted_size(size: tuple[int, int], edge_px: int, *, filling: bool) -> tuple[int, int]:
    shrink = edge_px / (min(size) if filling else max(size)) if edge_px else 1
    return (round(size[0] * shrink), round(size[1] * shrink)) if shrink < 1 else size


def to_qimage(image: Image.Image) -> QImage:
    """A copy that owns its pixels."""
    rgba = image.convert("RGBA")
    data = rgba.tobytes()
    stride = rgba.width * 4
    return QImage(data, rgba.width, rgba.height, stride, QImage.Format.Format_RGBA8888).copy()


def _screen_scale() -> float:
    """Pixels of the sharpest screen to one of the window's."""
    app = QGuiApplication.instance()
    return app.devicePixelRatio() if isinstance(app, QGuiApplication) else 1.0


class _Load(QRunnable):
    def __init__(self, store: Thumbnails, path: Path, stamp: int) -> None:
        super().__init__()
        self._store, self._path, self._stamp = store, path, stamp

    def run(self) -> None:
        image = load(self._path, self._store.edge_px, filling=self._store.filling)
        with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
            self._store.loaded.emit(str(self._path), self._stamp, image)


class Thumbnails(QObject):
    """Asks for a picture return at once; `ready` tells when it is there."""

    ready = Signal(str)  # a path
    loaded = Signal(str, object, QImage)  # from a thread

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        edge_px: int = 0,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        """Pictures that fit a square of `edge_px` on the screen, or, without it, fill a tile."""
        super().__init__(parent)
        self.filling = edge_px == 0
        self.edge_px = round((edge_px or TILE_PX) * _screen_scale())
        self._kept_bytes = kept_bytes
        self._images: OrderedDict[str, tuple[int, QImage]] = OrderedDict()
        self._bytes = 0
        self._asked: set[tuple[str, int]] = set()
        self._wishes = 0
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
        if kept:
            self._images.move_to_end(name)
            if kept[0] == stamp:
                return kept[1]
        if (name, stamp) not in self._asked:
            self._asked.add((name, stamp))
            self._wishes += 1
            self._pool.start(_Load(self, path, stamp), self._wishes)  # what is on screen now first
        return kept[1] if kept else None

    def forget_wishes(self) -> None:
        """Decode nothing more of what was asked for."""
        self._pool.clear()
        self._asked.clear()

    def finish(self) -> None:
        """Wait for what is being decoded; before the program ends."""
        self._pool.clear()
        self._pool.waitForDone()

    @Slot(str, object, QImage)
    def _on_loaded(self, name: str, stamp: int, image: QImage) -> None:
        self._asked.discard((name, stamp))
        if name in self._images:
            self._bytes -= self._images.pop(name)[1].sizeInBytes()
        self._images[name] = (stamp, image)
        self._bytes += image.sizeInBytes()
        while self._bytes > self._kept_bytes and len(self._images) > 1:
            self._bytes -= self._images.popitem(last=False)[1][1].sizeInBytes()
        self.ready.emit(name)
