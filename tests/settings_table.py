"""Write docs/settings.md from the options: `python tests/settings_table.py`. A test keeps it true."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from app.models.run_settings import values_of
from core.config.options import RunConfig
from core.config.words import GROUPS, Bounds, bounds

ROOT = Path(__file__).parents[1]
HEAD = """# Settings

Every option of a run, as `project.toml` and `--set` name it, with what it is where nothing is said. The art style preset and the base
model set some of them otherwise. Formulas and their sources stand in `core/diffusion/` and `core/training/`.
"""


def text() -> str:
    """The whole page."""
    usual = values_of(RunConfig(name="", base=""))
    parts = [HEAD]
    for group, options in GROUPS.items():
        parts.append(f"\n## {group}\n| option | what | values | usual |\n|---|---|---|---|\n")
        for path, words in options.items():
            sentence = f"{words.title}. {words.sentence}".strip().replace("|", r"\|")
            value = _told(usual[path])
            parts.append(f"| `{path}` | {sentence} | {_values(bounds()[path])} | {value} |\n")
    return "".join(parts)


def _told(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(str, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _values(of: Bounds) -> str:
    if of.kind == "choice":
        return ", ".join(sorted(of.values))
    if of.kind == "yes_no":
        return "true, false"
    if of.kind in ("whole", "number"):
        least = "" if of.least == float("-inf") else f"{_short(of.least)} "
        most = "" if of.most == float("inf") else f" {_short(of.most)}"
        return f"{least}to{most}".strip() if most else f"from {least}".strip()
    return {"wholes": "[numbers]", "texts": "[texts]", "text": "text"}[of.kind]


def _short(number: float) -> str:
    """Bounds that are left out themselves are a millionth away."""
    near = round(number, 3)
    return f"{near:.15g}" if abs(near) < 1e15 else "2^63"


if __name__ == "__main__":
    (ROOT / "docs" / "settings.md").write_text(text(), encoding="utf-8")
