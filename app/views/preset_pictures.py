"""The small pictures of the preset cards, made of the demo style's."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QImage, QPainter

from core.project.demo import STYLE

EDGE_PX = 128  # of each; the cards draw them at half of that or less
COARSE = (6, 16)  # points on an edge of what is not yet learnt


def pictures(preset: str) -> list[QImage]:
    """What the preset called so is for; none for another one."""
    match preset:
        case "style":  # different things, one hand
            return [_drawing(name) for name in ("fox", "castle", "cupcake")]
        case "character":  # one figure: whole, near, small
            cat = _drawing("cat")
            return [cat, _near(cat), _small(cat)]
        case "object":
            return [_turned(_drawing("guitar"), degrees) for degrees in (0, 70, 150)]
        case "quick":  # it becomes a thing
            bulb = _drawing("light-bulb")
            return [*(_coarse(bulb, points) for points in COARSE), bulb]
        case _:
            return []


def _drawing(name: str) -> QImage:
    return QImage(str(STYLE / f"{name}.png")).scaled(
        QSize(EDGE_PX, EDGE_PX), mode=Qt.TransformationMode.SmoothTransformation
    )


def _near(image: QImage) -> QImage:
    part = image.width() * 3 // 5
    return image.copy(QRect((image.width() - part) // 2, image.height() // 3, part, part))


def _small(image: QImage) -> QImage:
    """Far away, looking the other way."""
    scene, edge = _ground(image), image.width() * 3 // 5
    painter = QPainter(scene)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    place = QRect(image.width() - edge, image.height() - edge, edge, edge)
    painter.drawImage(place, image.flipped(Qt.Orientation.Horizontal))
    painter.end()
    return scene


def _turned(image: QImage, degrees: int) -> QImage:
    scene, half = _ground(image), image.width() / 2
    painter = QPainter(scene)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.translate(half, half)
    painter.rotate(degrees)
    painter.scale(0.9, 0.9)
    painter.drawImage(QRect(round(-half), round(-half), image.width(), image.height()), image)
    painter.end()
    return scene


def _coarse(image: QImage, points: int) -> QImage:
    smooth = Qt.TransformationMode.SmoothTransformation
    few = image.scaled(QSize(points, points), mode=smooth)
    return few.scaled(image.size(), mode=smooth)


def _ground(image: QImage) -> QImage:
    scene = QImage(image.size(), QImage.Format.Format_RGB32)
    scene.fill(Qt.GlobalColor.white)
    return scene
