"""The program's one entry point, from source and frozen: the window, a command or the worker."""

from __future__ import annotations

import gc
import os
import sys


def main() -> int:
    """`--worker` is decided first: a worker never imports Qt, the window never imports torch."""
    if getattr(sys, "frozen", False):
        _free_children_of_our_libraries()
    arguments = sys.argv[1:]
    if arguments[:1] == ["--worker"]:
        from core.worker.__main__ import main as worker

        return worker()
    if arguments and not arguments[0].startswith("-") and _is_command(arguments[0]):
        from core.cli import main as command

        return command(arguments)
    if arguments[:1] in (["--help"], ["-h"], ["--version"]):
        from core.cli import main as command

        return command(arguments)
    gc.disable()  # until the window stands: looking through what was just imported is time lost
    from app.main import main as window

    return window(arguments)


def _free_children_of_our_libraries() -> None:
    """A file manager that we open would load them; this process has what it needs already."""
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    os.environ.pop("LD_LIBRARY_PATH", None)
    if before is not None:
        os.environ["LD_LIBRARY_PATH"] = before


def _is_command(word: str) -> bool:
    """Anything else is a project to open."""
    return word in {
        *("demo", "get", "new", "caption", "train", "queue", "verify", "sample", "check", "memory"),
        *("export", "inspect", "merge", "resize", "extract", "compare", "unpickle", "rate"),
    }


if __name__ == "__main__":
    import multiprocessing

    multiprocessing.freeze_support()
    sys.exit(main())
