"""Draw an icon, changed at its source: colours, lines, fills, place and ground of an SVG."""

from __future__ import annotations

import copy
import io
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from xml.etree import ElementTree

import cairosvg
import numpy as np
from PIL import Image, ImageColor, ImageDraw

EDGE_PX = 128
NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
SHAPES = {"path", "circle", "ellipse", "rect", "polygon", "polyline", "line"}
HREF = "{http://www.w3.org/1999/xlink}href"
URL = re.compile(r"url\(#(.+?)\)")
Colour = tuple[int, int, int]
Palette = Callable[[Colour], Colour]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A way to draw any icon. Lengths in hundredths of the picture's edge."""

    palette: Palette | None = None
    flat: bool = True  # a gradient becomes its mean colour
    fill: str = ""  # "" as it is, "none", or a colour for every shape
    line: float = 0.0  # around every shape
    ink: str = "#111111"
    rim: float = 0.0  # around the whole icon
    rim_ink: str = "#111111"
    shadow: str = ""  # a colour, below and to the right
    ground: str = "#ffffff"
    plate: str = ""  # a disc of this colour on the ground
    stretch: tuple[float, float] = (1.0, 1.0)
    slant: float = 0.0  # degrees
    loose: float = 0.0  # how far each part is moved and turned
    mosaic: int = 0  # squares an edge


PLAIN = Style(flat=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where on the picture an icon is: 1 fills it."""

    size: float = 1.0
    right: float = 0.0  # of the picture's edge
    down: float = 0.0
    turn: float = 0.0  # degrees
    mirrored: bool = False


def somewhere(rng: random.Random) -> Place:
    """Smaller, elsewhere, a little turned, mirrored half the time."""
    size = rng.uniform(0.65, 1.0)
    room = (1 - size) / 2
    return Place(
        size=size,
        right=rng.uniform(-room, room),
        down=rng.uniform(-room, room),
        turn=rng.gauss(0, 6),
        mirrored=rng.random() < 0.5,
    )


def nearby(rng: random.Random) -> Place:
    """A little smaller, a little aside: what a small net learns of a thing should stay sharp."""
    size = rng.uniform(0.88, 1.0)
    room = (1 - size) / 2
    return Place(size=size, right=rng.uniform(-room, room), down=rng.uniform(-room, room))


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _rgb(value: str) -> Colour | None:
    try:
        return ImageColor.getrgb(value.replace("currentColor", "#111111"))[:3]
    except ValueError:
        return None


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _gradients(root: ElementTree.Element) -> dict[str, str]:
    """Id of each gradient to its stops' mean colour."""
    found, links = {}, {}
    for element in root.iter():
        if _tag(element).endswith("Gradient"):
            stops = [_rgb(s.get("stop-color", "black")) for s in element if _tag(s) == "stop"]
            if colours := [stop for stop in stops if stop]:
                found[element.get("id")] = _hex(tuple(np.mean(colours, axis=0).astype(int)))
            else:
                links[element.get("id")] = (element.get("href") or element.get(HREF) or "#")[1:]
    return found | {name: found.get(target, "#888888") for name, target in links.items()}


def _inline(root: ElementTree.Element) -> None:
    """Put a copy of what it names in each `use`, so that it can be painted."""
    named = {element.get("id"): element for element in root.iter() if element.get("id")}
    for use in [element for element in root.iter() if _tag(element) == "use"]:
        target = named.get((use.get("href") or use.get(HREF) or "#")[1:])
        use.tag = "{http://www.w3.org/2000/svg}g"
        for name in ("href", HREF):
            use.attrib.pop(name, None)
        if target is not None:
            use.append(copy.deepcopy(target))


class _Editor:
    """Walks over one icon and rewrites what its shapes are painted with."""

    def __init__(self, style: Style, edge: float, rng: random.Random) -> None:
        self.style, self.edge, self.rng = style, edge, rng
        self.gradients: dict[str, str] = {}

    def paint(self, value: str) -> str:
        """A fill or stroke in the style's colours."""
        if value == "none":
            return value
        if (url := URL.match(value)) and self.style.flat:
            value = self.gradients.get(url[1], "#888888")
        colour = _rgb(value)
        if colour is None:
            return value
        return _hex(self.style.palette(colour) if self.style.palette else colour)

    def walk(self, element: ElementTree.Element, fill: str, stroke: str) -> None:
        """Paint an element and all below it; fill and stroke are what it inherits."""
        name, style = _tag(element), self.style
        if name in {"clipPath", "mask", "filter", "pattern"}:
            return
        if name == "defs":
            shown = [child for child in element if _tag(child).endswith("Gradient")]
            for child in shown:
                self.walk(child, fill, stroke)
            return
        if name == "stop" and not style.flat:
            element.set("stop-color", self.paint(element.get("stop-color", "black")))
        fill, stroke = element.get("fill", fill), element.get("stroke", stroke)
        for child in element:
            self.walk(child, fill, stroke)
        if name not in SHAPES:
            return
        filled = fill != "none" and name != "line"
        element.set("fill", self.paint(fill))
        element.set("stroke", self.paint(stroke))
        if filled and style.fill:
            element.set("fill", style.fill)
        if filled and style.line and stroke == "none":
            element.set("stroke", style.ink)
            element.set("stroke-width", f"{style.line / 100 * self.edge:.3g}")
            element.set("stroke-linejoin", "round")
        elif stroke != "none" and style.fill:
            element.set("stroke", style.ink)
        if style.loose:
            dx, dy = (self.rng.gauss(0, style.loose / 100) * self.edge for _ in range(2))
            turn = f"rotate({self.rng.gauss(0, style.loose):.1f} {self.edge / 2} {self.edge / 2})"
            own = element.get("transform", "")
            element.set("transform", f"translate({dx:.2f} {dy:.2f}) {turn} {own}")


def _edited(icon: tuple[str, float, float], style: Style, rng: random.Random) -> str:
    """The body of an icon, in a style."""
    body, width, height = icon
    root = ElementTree.fromstring(f"<g {NAMESPACES}>{body}</g>")  # noqa: S314 - a pinned package
    _inline(root)
    editor = _Editor(style, max(width, height), rng)
    editor.gradients = _gradients(root)
    editor.walk(root, "black", "none")
    return ElementTree.tostring(root, encoding="unicode")


def svg(icon: tuple[str, float, float], style: Style, place: Place, rng: random.Random) -> str:
    """A whole document, 100 x 100, with nothing behind the icon."""
    edge = max(icon[1:])
    scale = 100 / edge * place.size
    flip = -1 if place.mirrored else 1
    wide, tall = style.stretch
    where = (
        f"translate({50 + 100 * place.right:.2f} {50 + 100 * place.down:.2f}) "
        f"rotate({place.turn:.1f}) skewX({style.slant}) "
        f"scale({scale * wide * flip:.4f} {scale * tall:.4f}) "
        f"translate({-icon[1] / 2} {-icon[2] / 2})"
    )
    layers = []
    if style.shadow:
        dark = replace(style, fill=style.shadow, ink=style.shadow)
        layers.append(f'<g transform="translate(3 4)"><g transform="{where}">')
        layers.append(_edited(icon, dark, random.Random(0)) + "</g></g>")
    if style.rim:
        around = replace(style, fill=style.rim_ink, ink=style.rim_ink, line=2 * style.rim)
        layers.append(f'<g transform="{where}">{_edited(icon, around, random.Random(0))}</g>')
    layers.append(f'<g transform="{where}">{_edited(icon, style, rng)}</g>')
    return f'<svg {NAMESPACES} viewBox="0 0 100 100">{"".join(layers)}</svg>'


def _mosaic(picture: Image.Image, squares: int) -> Image.Image:
    small = picture.resize((squares, squares), Image.Resampling.BOX)
    return small.resize(picture.size, Image.Resampling.NEAREST)


def draw(
    icon: tuple[str, float, float],
    style: Style = PLAIN,
    place: Place | None = None,
    rng: random.Random | None = None,
    edge_px: int = EDGE_PX,
) -> np.ndarray:
    """A picture (edge, edge, 3), uint8, of an icon in a style."""
    document = svg(icon, style, place or Place(), rng or random.Random(0))
    png = cairosvg.svg2png(document.encode(), output_width=edge_px, output_height=edge_px)
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    ground = Image.new("RGBA", picture.size, style.ground)
    if style.plate:
        ImageDraw.Draw(ground).ellipse((1, 1, edge_px - 2, edge_px - 2), fill=style.plate)
    ground.alpha_composite(picture)
    done = ground.convert("RGB")
    return np.asarray(_mosaic(done, style.mosaic) if style.mosaic else done)
