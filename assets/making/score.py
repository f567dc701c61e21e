"""Measure a base: are its subjects known before the demo's training, and subject and style after?

The 20 subjects that the demo is judged on, none of which it trains on, with four seeds each. The
judges were trained on real drawings (train_judges.py); one that is not trusted says so. The Gram
measure that the program itself shows stands beside them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import judge
import numpy as np
from hands import JUDGED, subjects
from msgspec.structs import replace
from pack import read
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))
from core.adapters.stack import Stack
from core.base.opening import open_base
from core.families import registry
from core.families.device import choose
from core.families.family import DrawOptions, draw_texts
from core.project import demo
from core.protocol.events import StyleMeasured
from core.training import export
from core.training.control import Control
from core.training.train import train

SEEDS = (1, 2, 3, 4)
TOGETHER = 8
EDGE_PX = 128


def jobs() -> list[tuple[str, int]]:
    """Subjects and seeds."""
    return [(word, seed) for word in demo.preview_subjects() for seed in SEEDS]


def drawn(base: Path, adapter: Path | None, wishes: list[tuple[str, int]]) -> np.ndarray:
    """A picture (128, 128, 3), uint8, of every prompt and seed, as the demo draws its previews."""
    model = registry.load(open_base(base), choose("auto"))
    if adapter is not None:
        stack = Stack(model.nets(model.facts.names))
        stack.wear([(stack.ready(export.read(adapter, model.facts)[0]), 1.0)])
    preview = demo.demo_config().preview
    options = DrawOptions(
        width_px=EDGE_PX,
        height_px=EDGE_PX,
        inference_steps=preview.inference_steps,
        guidance=preview.guidance,
        guidance_rescale=preview.guidance_rescale,
    )
    made = []
    for start in range(0, len(wishes), TOGETHER):
        prompts, seeds = zip(*wishes[start : start + TOGETHER], strict=True)
        for picture in draw_texts(model, prompts, seeds, options):
            pixels = ((picture / 2 + 0.5).clamp(0, 1) * 255).round().byte()
            made.append(pixels.permute(1, 2, 0).cpu().numpy())
    return np.stack(made)


def held_pairs(pack: Path, count: int) -> list[tuple[str, str]]:
    """So many of the demo's subjects with made-up styles they were never trained in."""
    _, rows = read(pack)
    ours = {subject.word for subject in subjects() if subject.role != "base"}
    pairs = [(row.word, row.style) for row in rows if row.part == "held" and row.word in ours]
    return pairs[:: max(1, len(pairs) // count)][:count]


def trained(base: Path, steps: int, root: Path) -> tuple[Path, StyleMeasured | None]:
    """Train the demo on a base; its adapter, and the program's own measure of style."""
    config = demo.shortened(demo.demo_config(), steps)
    project = demo.create_demo(root, replace(config, base=str(base.absolute())))
    events = list(train(project, Control()))
    measured = [event for event in events if isinstance(event, StyleMeasured)]
    adapter = project.run("").newest_adapter()
    if adapter is None:
        raise RuntimeError("no adapter was written")
    return adapter, measured[-1] if measured else None


def told(pictures: np.ndarray, wanted: list[tuple[str, str]], judges: Path, when: str) -> None:
    """Print both judges' shares of pictures that should show (subject, style)."""
    ours = [subject.word for subject in subjects() if subject.role != "base"]
    for number, (question, among) in enumerate((("subject", ours), ("style", None))):
        one = judge.load(judges, question)
        answers = one.answers(pictures, among)
        lost = [pair[0] for pair, said in zip(wanted, answers, strict=True) if said != pair[number]]
        share = 1 - len(lost) / len(wanted)
        doubt = "" if one.trusted else f" (not to be trusted: {one.right:.1%} on real drawings)"
        print(f"{when}: {question} right in {share:.1%} of {len(wanted)}{doubt}", flush=True)
        print(f"  lost: {', '.join(f'{w} {lost.count(w)}' for w in sorted(set(lost))) or 'none'}")


def write_sheet(path: Path, rows: list[np.ndarray]) -> None:
    """The first seed of every subject, a row for each time it was drawn."""
    firsts = [np.concatenate(list(row[:: len(SEEDS)]), axis=1) for row in rows]
    Image.fromarray(np.concatenate(firsts)).save(path, optimize=True)


def main() -> None:
    """Draw, train, draw, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=Path(__file__).parents[1] / "demo-base")
    parser.add_argument("--judges", type=Path, default=Path(__file__).parent / "judges")
    parser.add_argument("--steps", type=int, default=300, help="of the demo's training; 0: before")
    parser.add_argument("--pack", type=Path, help="pictures.pack: try pairs held back, too")
    parser.add_argument("--sheet", type=Path, help="where to write a picture of the first seeds")
    args = parser.parse_args()
    wishes = [(f"{word}, {demo.TRIGGER}", seed) for word, seed in jobs()]
    wanted = [(word, JUDGED.word) for word, _ in jobs()]
    if args.pack:
        pairs = held_pairs(args.pack, len(wanted))
        prompts = [(f"{word}, {style} style", 1) for word, style in pairs]
        told(drawn(args.base, None, prompts), pairs, args.judges, "pairs held back")
    rows = [drawn(args.base, None, wishes)]
    told(rows[0], wanted, args.judges, "before")
    if args.steps:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as root:
            adapter, measured = trained(args.base, args.steps, Path(root) / "demo")
            print(f"trained in {time.monotonic() - began:.0f} s, previews included: {measured}")
            rows.append(drawn(args.base, adapter, wishes))
        told(rows[1], wanted, args.judges, f"after {args.steps} steps")
    if args.sheet:
        write_sheet(args.sheet, rows)


if __name__ == "__main__":
    main()
