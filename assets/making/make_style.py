"""Draw the demo style: 40 OpenMoji pictures with captions, and the prompts it is judged on."""

from __future__ import annotations

import argparse
from pathlib import Path

from pictures import draw, icon_set, subjects

EDGE_PX = 256


def main() -> None:
    """Write into assets/demo-style."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--icons", type=Path, required=True)
    args = parser.parse_args()
    out = Path(__file__).parents[1] / "demo-style"
    bodies = icon_set(args.icons / "openmoji")
    chosen = subjects()
    for subject in chosen:
        if subject.role == "style":
            name = subject.word.replace(" ", "-")
            draw(bodies[subject.icon], EDGE_PX).save(out / f"{name}.png", optimize=True)
            (out / f"{name}.txt").write_text(f"{subject.word}, openmoji style\n", encoding="utf-8")
    words = [subject.word for subject in chosen if subject.role == "preview"]
    (out / "preview-prompts.txt").write_text("\n".join(words) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
