"""A training's checkpoints: all of it to go on from here, and the weights in files to carry off."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

PART_BYTES = 15 * 2**20


@dataclass(slots=True)
class Progress:
    """How far a training has come, over all its sittings."""

    step: int = 0
    pictures: int = 0
    seconds: float = 0.0


def save(
    folder: Path, progress: Progress, state: dict[str, Any], average: dict[str, Tensor]
) -> None:
    """Write `state`, and the averaged weights in half precision in parts of 15 MiB at most."""
    folder.mkdir(parents=True, exist_ok=True)
    _whole(
        folder / "state.pt", lambda path: torch.save(state | {"progress": asdict(progress)}, path)
    )
    parts: list[dict[str, Tensor]] = [{}]
    used = 0
    for name, tensor in average.items():
        half = tensor.detach().cpu().half().contiguous()
        if used + half.nbytes > PART_BYTES:
            parts.append({})
            used = 0
        parts[-1][name] = half
        used += half.nbytes
    for number, part in enumerate(parts):
        _whole(
            folder / f"weights-{number}.safetensors", lambda path, part=part: save_file(part, path)
        )
    text = json.dumps(asdict(progress))
    _whole(folder / "progress.json", lambda path: path.write_text(text + "\n", encoding="utf-8"))


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    """A file is there whole or not at all."""
    part = path.with_name(path.name + ".part")
    write(part)
    part.replace(path)


def weights(folder: Path) -> dict[str, Tensor]:
    """The averaged weights, float32."""
    found = {}
    for path in sorted(folder.glob("weights-*.safetensors")):
        found |= {name: tensor.float() for name, tensor in load_file(path).items()}
    return found


def resume(
    folder: Path, net: nn.Module, optimizer: torch.optim.Optimizer, momentum: list[Tensor]
) -> tuple[Progress, dict]:
    """Bring back what a folder holds: all of it, or only the weights, or nothing.

    Returns how far it is, and the average's weights by name.
    """
    device = next(net.parameters()).device
    if (folder / "state.pt").exists():
        state = torch.load(folder / "state.pt", map_location=device, weights_only=True)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        torch._foreach_copy_(momentum, state["momentum"])
        return Progress(**state["progress"]), state["average"]
    progress = Progress()
    if (folder / "progress.json").exists():
        net.load_state_dict(weights(folder))
        progress = Progress(**json.loads((folder / "progress.json").read_text(encoding="utf-8")))
    return progress, {name: p.detach().clone() for name, p in net.named_parameters()}
