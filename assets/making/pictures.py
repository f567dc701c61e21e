"""Draw the icon sets as pictures with captions: what the demo base and the demo style are from."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import cairosvg
import numpy as np
from PIL import Image

HERE = Path(__file__).parent
BASE_STYLES = {"noto": "noto", "twemoji": "twemoji", "fluent": "fluent-emoji-flat"}
NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
SKIN_TONE = re.compile(r"skin-tone|-(light|dark|medium)$")


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing the demo base can draw: `role` is style, preview or base."""

    role: str
    icon: str
    word: str


def subjects() -> list[Subject]:
    """The lines of subjects.txt."""
    lines = (HERE / "subjects.txt").read_text(encoding="utf-8").splitlines()
    return [Subject(*line.split(maxsplit=2)) for line in lines if not line.startswith("#")]


def icon_set(folder: Path) -> dict[str, str]:
    """Icon name to a whole SVG document, aliases included, from an @iconify-json package."""
    data = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
    box = f'viewBox="0 0 {data["width"]} {data["height"]}"'
    bodies = {name: icon["body"] for name, icon in data["icons"].items()}
    for name, alias in data.get("aliases", {}).items():
        bodies[name] = bodies.get(alias["parent"], "")
    return {name: f"<svg {NAMESPACES} {box}>{body}</svg>" for name, body in bodies.items() if body}


def draw(svg: str, edge_px: int) -> Image.Image:
    """The icon on white, RGB, `edge_px` square."""
    png = cairosvg.svg2png(svg.encode(), output_width=edge_px, output_height=edge_px)
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def _pixels(job: tuple[str, int]) -> np.ndarray:
    return np.asarray(draw(*job))


def draw_all(svgs: list[str], edge_px: int) -> np.ndarray:
    """uint8 pictures, (N, edge, edge, 3)."""
    with Pool(2) as pool:
        return np.stack(pool.map(_pixels, [(svg, edge_px) for svg in svgs], chunksize=16))


def everything(icons: Path, edge_px: int) -> np.ndarray:
    """Every icon of the three base styles but the skin-tone variants: what the VAE learns from."""
    svgs = [
        svg
        for folder in BASE_STYLES.values()
        for name, svg in icon_set(icons / folder).items()
        if not SKIN_TONE.search(name)
    ]
    return draw_all(svgs, edge_px)


def base_pictures(icons: Path, edge_px: int) -> tuple[np.ndarray, list[str], list[str]]:
    """The subjects in the three base styles: pictures (N, edge, edge, 3), words, styles."""
    svgs, words, styles = [], [], []
    for style, folder in BASE_STYLES.items():
        bodies = icon_set(icons / folder)
        for subject in subjects():
            svgs.append(bodies[subject.icon])
            words.append(subject.word)
            styles.append(style)
    return draw_all(svgs, edge_px), words, styles
