"""What a run was made of: by it anyone can tell whether another is the same."""

from __future__ import annotations

import importlib.metadata
import json
from typing import TYPE_CHECKING

from core import version
from core.config.files import write_beside

if TYPE_CHECKING:
    from core.project.layout import Run
    from core.training.setup import Prepared

LIBRARIES = ("torch", "diffusers", "transformers", "peft", "numpy", "pillow")


def write(run: Run, prepared: Prepared) -> None:
    """Write `manifest.json` into the run's folder.

    Raises:
        StorageError: It cannot be written.
    """
    text = json.dumps(of(prepared), indent=1, ensure_ascii=False, sort_keys=True)
    write_beside(run.manifest_file, text.encode() + b"\n")


def of(prepared: Prepared) -> dict[str, object]:
    """Each picture by its content, with what was told of it; the base by its parts; versions.

    Of pictures the BLAKE2 of their files stands there (`b2sum -l 128`), not their paths.
    """
    return {
        "pictures": [
            {
                "file": item.path.name,
                "blake2": item.content,
                "caption": item.caption,
                "learnt": learnt,
                "repeats": item.repeats,
            }
            | ({"class": True} if item.of_class else {})
            for items, learnt in ((prepared.items, True), (prepared.held_out, False))
            for item in items
        ],
        "not_used": sorted(path.name for path in prepared.unused),
        "base": dict(prepared.model.keys),
        "device": prepared.device,
        "seed": prepared.config.training.seed,
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES}
        | {"stylewright": version.VERSION},
    }


def short(prepared: Prepared) -> dict[str, str]:
    """For an adapter's header: names for the pictures with their captions, and for the base."""
    return {"stylewright_dataset": prepared.dataset_key, "stylewright_base": prepared.base_key}
