"""Draw the demo style: 40 OpenMoji pictures with captions, and the prompts it is judged on."""

from __future__ import annotations

import argparse
from pathlib import Path

from drawing import draw
from hands import JUDGED, drawing, subjects
from PIL import Image

EDGE_PX = 256


def main() -> None:
    """Write into assets/demo-style."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--icons", type=Path, required=True)
    args = parser.parse_args()
    out = Path(__file__).parents[1] / "demo-style"
    for subject in subjects():
        if subject.role == "style" and (icon := drawing(args.icons, JUDGED, subject)):
            name = subject.word.replace(" ", "-")
            picture = Image.fromarray(draw(icon, edge_px=EDGE_PX))
            picture.save(out / f"{name}.png", optimize=True)
            (out / f"{name}.txt").write_text(f"{subject.word}, openmoji style\n", encoding="utf-8")
    words = [subject.word for subject in subjects() if subject.role == "preview"]
    (out / "preview-prompts.txt").write_text("\n".join(words) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
