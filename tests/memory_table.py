"""Write what each family needs into docs/memory.md: `python tests/memory_table.py`.

It takes a quarter of an hour; `--kept FILE` holds what is known, so that it goes on after a stop.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.config import files, presets
from core.config.facts import FAMILIES, FLOW, SD1, Facts
from core.config.options import PreviewConfig, RunConfig
from core.training import foresight, memory
from tests import full_size

PAGE = Path(__file__).parents[1] / "docs" / "memory.md"
BEGIN, END = "<!-- by tests/memory_table.py -->", "<!-- end -->"
CARDS_GB = (6, 8, 12, 16, 24)
HELD = "training.base_precision="
LESS = "training.recompute=true"
SMALL = "dataset.resolution_px=512"
WAYS = {  # in the order of `fitting`; those without `LESS` are flow models', which always do it
    "bfloat16": (),
    "checkpointing": (LESS,),
    "nf4": (LESS, HELD + "nf4"),
    "nf4, 512 px": (LESS, HELD + "nf4", SMALL),
}
Numbers = dict[str, dict[str, int]]


def config_of(facts: Facts, changes: tuple[str, ...]) -> RunConfig:
    """The style preset on a base, with four previews."""
    plain = RunConfig(name="Table", base="", preview=PreviewConfig(prompts=(memory.CAPTION,) * 4))
    config = presets.apply(presets.PRESETS[0], presets.on_base(plain, "x", SD1, facts), facts)
    return files.with_changes(config, list(changes))


def numbers_of(facts: Facts, changes: tuple[str, ...], folder: Path) -> dict[str, int]:
    """Bytes on a GPU that computes in bfloat16."""
    config = config_of(facts, changes)
    need = memory.need(full_size.base(facts, folder), config, memory.a_gpu(config))
    return {
        "base": sum(need.nets.values()),
        **need.phases,
        "whole": foresight.whole(need, "cuda"),
    }


def ways_of(facts: Facts) -> dict[str, tuple[str, ...]]:
    """Those that a family has."""
    always = facts.predicts == FLOW
    small = facts.resolution_px == 1024
    return {
        name: changes
        for name, changes in WAYS.items()
        if not (always and name == "checkpointing") and (small or SMALL not in changes)
    }


def gathered(kept: Path | None) -> dict[str, Numbers]:
    """Of every row of the facts."""
    known: dict[str, Numbers] = json.loads(kept.read_text()) if kept and kept.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        order = [(facts, way) for way in ("nf4", "bfloat16", *WAYS) for facts in FAMILIES]
        for facts, way in order:
            row = known.setdefault(title(facts), {})
            if way in row or way not in ways_of(facts):
                continue
            row[way] = numbers_of(facts, ways_of(facts)[way], Path(folder))
            print(
                title(facts), way, {k: round(v / 1e9, 2) for k, v in row[way].items()}, flush=True
            )
            if kept:
                kept.write_text(json.dumps(known, indent=1))
    return known


def title(facts: Facts) -> str:
    """Its name, and its size."""
    return f"{facts.title}, {facts.resolution_px} px"


def text(known: dict[str, Numbers]) -> str:
    """The two tables."""
    ways = list(WAYS)
    lines = [
        f"| GB | {' | '.join(ways)} |",
        f"|---|{'---|' * len(ways)}",
    ]
    for name, row in known.items():
        cells = [f"{row[way]['whole'] / 2**30:.1f}" if way in row else "" for way in ways]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        f"| | {' | '.join(f'{card} GB' for card in CARDS_GB)} |",
        f"|---|{'---|' * len(CARDS_GB)}",
    ]
    for name, row in known.items():
        of_row = list(ways_of(next(facts for facts in FAMILIES if title(facts) == name)))
        cells = [_first(row, of_row, card * 2**30) for card in CARDS_GB]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _first(row: Numbers, of_row: list[str], room: int) -> str:
    fits = {way: way not in row or row[way]["whole"] <= room for way in of_row}
    first = next((way for way in of_row if way in row and fits[way]), "")
    if not first:
        if of_row[-1] in row:
            return "no"
        return "not at this size" if "nf4" in row else "not counted"
    unknown = [way for way in of_row[: of_row.index(first)] if way not in row]
    return f"{first}, if not less" if unknown else first


def main() -> None:
    """Gather, and write between the two marks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kept", type=Path)
    known = gathered(parser.parse_args().kept)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text(known)}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
