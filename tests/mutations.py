"""Break the program on purpose, in named ways, and list which of them the tests let live.

`python tests/mutations.py [engine | window] [words of a name]`. Not part of the default run: each
takes as long as the tests that find it out. A copy of the tree is broken, never the tree itself.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = {  # the quickest first: the first failure ends a round
    "engine": ["tests/unit", "tests/e2e/test_loss.py", "tests/e2e/test_options.py",
               "tests/e2e/test_bases.py", "tests/e2e/test_precision.py", "tests/e2e/test_interop.py",
               "tests/e2e/test_training.py", "tests/e2e/test_resume.py"],
    "window": ["tests/gui"],
}  # fmt: skip


def broken_copy(folder: Path, mutation: dict[str, str]) -> Path:
    """The tree with one piece of text replaced.

    Raises:
        ValueError: The text is not there exactly once: the entry is out of date.
    """
    ignored = shutil.ignore_patterns(".git", ".venv*", "__pycache__", "*_cache", "build", "dist")
    tree = Path(shutil.copytree(ROOT, folder / "tree", ignore=ignored))
    file = tree / mutation["file"]
    text = file.read_text(encoding="utf-8")
    if text.count(mutation["old"]) != 1:
        raise ValueError(f"{text.count(mutation['old'])} times in {mutation['file']}")
    file.write_text(text.replace(mutation["old"], mutation["new"]), encoding="utf-8")
    return tree


def lives(mutation: dict[str, str], tests: list[str]) -> str:
    """ "" if a test fails, as it should; else what happened.

    First the test that is named `by`: where it fails, the others need not be asked.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            tree = broken_copy(Path(folder), mutation)
        except ValueError as error:
            return f"out of date: {error}"
        there = [path for path in tests if (tree / path).exists()]
        outcome = ""
        for words in ([shlex.split(mutation["by"])] if "by" in mutation else []) + [there]:
            if not (outcome := run(words, tree)):
                return ""
        return outcome


def run(words: list[str], tree: Path) -> str:
    """As `lives`, of these tests."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *words]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=tree, capture_output=True, text=True, timeout=1800, env=environment
        )
    except subprocess.TimeoutExpired:
        return ""  # it hangs, which no run of the tests would overlook
    if done.returncode == 1:
        told = [x for x in done.stdout.splitlines() if x.startswith(("FAILED ", "ERROR "))]
        first = told[0].partition(" ")[2].partition(" - ")[0] if told else "nobody knows what"
        print(f"  killed by {first}", flush=True)
        return ""
    return "lives" if done.returncode == 0 else f"pytest ended with {done.returncode}"


def main(words: list[str]) -> int:
    """Try every mutation whose name holds the words; the exit code counts those that live."""
    chosen = [words.pop(0)] if words and words[0] in TESTS else list(TESTS)
    living: list[str] = []
    for group in chosen:
        for mutation in json.loads((ROOT / f"tests/mutations_{group}.json").read_text()):
            if " ".join(words) not in mutation["name"]:
                continue
            print(f"{group}: {mutation['name']}", flush=True)
            if outcome := lives(mutation, TESTS[group]):
                print(f"  {outcome}", flush=True)
                living.append(f"{mutation['name']} ({outcome})")
    print("\n".join(["Living:", *living]) if living else "None lives.")
    return len(living)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
