"""Pictures as QImage, decoded by Pillow in the background: the engine sees the same pixels."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot
from PySide6.QtGui import QGuiApplication, QImage

from core.data.decode import UNREADABLE, eight_bit, in_srgb, open_picture, turned

KEPT_BYTES = 256 * 2**20  # at 200 % scaling a screen of large tiles takes 40 MiB
TILES_PX = (160, 288)  # of the shorter side, in the screen's own units: tiles crop to fill
WAITING = 256  # more wishes than a screen has tiles
THREADS = 2

Wish = tuple[str, int]  # a path, an edge in pixels


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


class _Load(QRunnable):
    def __init__(self, store: Thumbnails, wish: Wish, stamp: int) -> None:
        super().__init__()
        self._store, self._wish, self._stamp = store, wish, stamp

    def run(self) -> None:
        name, edge = self._wish
        image = load(Path(name), edge, filling=self._store.filling)
        if not image.isNull():  # the form that is painted without another conversion
            image = image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
        with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
            self._store.loaded.emit(self._wish, self._stamp, image)


class Thumbnails(QObject):
    """Asks for a picture return at once; `ready` tells when it is there.

    What was asked for last is decoded first. Of many wishes, as dragging a scroll bar makes them,
    the oldest are forgotten: what is still on the screen when the rest is done is asked for again.
    """

    ready = Signal(str)  # a path; "" is any that was forgotten
    loaded = Signal(object, object, QImage)  # from a thread

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        edges_px: tuple[int, ...] = TILES_PX,
        filling: bool = True,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        """Pictures that fill a square of one of `edges_px`, or fit it; in the screen's units."""
        super().__init__(parent)
        self.filling = filling
        self._edges = edges_px
        self._kept_bytes = kept_bytes
        self._images: OrderedDict[Wish, tuple[int, QImage]] = OrderedDict()
        self._bytes = 0
        self._waiting: OrderedDict[Wish, int] = OrderedDict()  # their stamps; the newest is last
        self._loading: dict[Wish, int] = {}
        self._forgot = False
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(THREADS)
        self.loaded.connect(self._on_loaded)

    def get(self, path: Path, edge_px: int = 0) -> QImage | None:
        """The picture as it is on the disk now, or None until `ready`; fit for `edge_px`."""
        try:
            stamp = path.stat().st_mtime_ns
        except (OSError, ValueError):  # gone, or no name that a file can have
            return None
        wish = (str(path), self._pixels(edge_px))
        kept = self._images.get(wish)
        if kept:
            self._images.move_to_end(wish)
            if kept[0] == stamp:
                return kept[1]
        if self._loading.get(wish) != stamp:
            self._waiting[wish] = stamp
            self._waiting.move_to_end(wish)
            if len(self._waiting) > WAITING:
                self._waiting.popitem(last=False)
                self._forgot = True
            self._go_on()
        return kept[1] if kept else None

    @property
    def waiting(self) -> int:
        """How many pictures are still to be decoded."""
        return len(self._waiting) + len(self._loading)

    def forget_wishes(self) -> None:
        """Decode nothing more of what was asked for."""
        self._waiting.clear()
        self._forgot = False

    def finish(self) -> None:
        """Wait for what is being decoded; before the program ends."""
        self.forget_wishes()
        self._pool.clear()
        self._pool.waitForDone()

    def _pixels(self, edge_px: int) -> int:
        """The smallest of our sizes that is enough, in pixels of the sharpest screen."""
        app = QGuiApplication.instance()
        scale = app.devicePixelRatio() if isinstance(app, QGuiApplication) else 1.0
        return round(next((e for e in self._edges if e >= edge_px), self._edges[-1]) * scale)

    def _go_on(self) -> None:
        while self._waiting and len(self._loading) < THREADS:
            wish, stamp = self._waiting.popitem()
            if wish in self._loading:  # an older file of that name: once more after it
                self._waiting[wish] = stamp
                break
            self._loading[wish] = stamp
            self._pool.start(_Load(self, wish, stamp))

    @Slot(object, object, QImage)
    def _on_loaded(self, wish: Wish, stamp: int, image: QImage) -> None:
        self._loading.pop(wish, None)
        if wish in self._images:
            self._bytes -= self._images.pop(wish)[1].sizeInBytes()
        self._images[wish] = (stamp, image)
        self._bytes += image.sizeInBytes()
        while self._bytes > self._kept_bytes and len(self._images) > 1:
            self._bytes -= self._images.popitem(last=False)[1][1].sizeInBytes()
        self._go_on()
        self.ready.emit(wish[0])
        if self._forgot and not self._waiting:
            self._forgot = False
            self.ready.emit("")
