"""What the next run cuts off each picture: from its resolution, and what the base wants."""

from __future__ import annotations

from PySide6.QtCore import QObject, QRectF, Signal, Slot

from app.models.run_settings import Settings
from core.data import buckets
from core.data.buckets import Size
from core.data.focus import Point
from core.data.scan import Picture


class Framing(QObject):
    """Follows the settings of the run; the base is looked at when it is first asked for."""

    changed = Signal()

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._of: tuple[object, ...] = ()  # the settings that count
        self._known: list[Size] | None = []  # None is to be found out
        self._shapes: dict[Size, str] = {}
        settings.changed.connect(self._on_changed)

    def bucket_of(self, picture: Picture) -> Size | None:
        """What a picture is fitted to; None where that is not known."""
        sizes = self._sizes()
        return buckets.nearest(Size(picture.width_px, picture.height_px), sizes) if sizes else None

    def shape_of(self, picture: Picture) -> str:
        """The same in words; what is asked of many is remembered by their sizes."""
        size = Size(picture.width_px, picture.height_px)
        if size not in self._shapes:
            bucket = self.bucket_of(picture)
            self._shapes[size] = "No base is chosen" if bucket is None else in_px(bucket)
        return self._shapes[size]

    def kept_of(self, picture: Picture, focus: Point | None) -> QRectF:
        """What is learnt of a picture, as shares of its edges; all of it where nobody knows."""
        bucket = self.bucket_of(picture)
        if bucket is None:
            return QRectF(0, 0, 1, 1)
        plan = buckets.crop(Size(picture.width_px, picture.height_px), bucket, focus)
        width, height = plan.resized
        return QRectF(
            plan.left / width, plan.top / height, bucket.width / width, bucket.height / height
        )

    def _sizes(self) -> list[Size]:
        if self._known is None:
            config, base = self._settings.config, self._settings.base()
            self._known = []
            if config is not None and base is not None:
                self._known = buckets.sizes(config.dataset.resolution_px, base.multiple_px)
        return self._known

    @Slot()
    def _on_changed(self) -> None:
        config = self._settings.config
        beside = (config.vae, config.rest, config.texts) if config else ()
        of = (config.dataset.resolution_px, config.base, *beside) if config else ()
        if of != self._of:
            self._of, self._known = of, None
            self._shapes.clear()
            self.changed.emit()


def in_px(size: Size) -> str:
    """A size in words."""
    return f"{size.width:,} x {size.height:,} px"
