"""Two judges of pictures: what is shown, in whose hand. Each knows how far it can be trusted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

TRUSTED = 0.95  # on real drawings never seen; below it a judge may not judge


def _block(inside: int, outside: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(),
        nn.Conv2d(outside, outside, 3, 1, 1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(),
    )


class Classifier(nn.Module):
    """A few convolutions on pictures (B, 3, 128, 128), 0 to 1; gives logits (B, classes)."""

    def __init__(self, classes: int, *, halved: bool) -> None:
        super().__init__()
        # A subject is seen at 64 px as well as at 128; a hand is known by its finest lines.
        self.first = nn.AvgPool2d(2) if halved else nn.Identity()
        widths = (32, 64, 128, 192) if halved else (24, 48, 96, 128)
        blocks = [_block(3, widths[0], 2)]
        blocks += [_block(a, b, 2) for a, b in pairwise(widths)]
        self.body = nn.Sequential(*blocks)
        self.last = nn.Linear(widths[-1] * (4 if halved else 1), classes)
        # Where a part is tells subjects apart (quarters); a hand is the same everywhere.
        self.pool = nn.AdaptiveAvgPool2d(2 if halved else 1)
        self.drop = nn.Dropout(0.2)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (B, classes)."""
        x = self.pool(self.body(self.first(pictures * 2 - 1)))
        return self.last(self.drop(x.flatten(1)))


@dataclass(frozen=True, slots=True)
class Judge:
    """A trained classifier, its classes, and its share of right answers on drawings never seen."""

    question: str  # subject or style
    net: Classifier
    classes: list[str]
    right: float

    @property
    def trusted(self) -> bool:
        """Whether it may judge."""
        return self.right >= TRUSTED

    @torch.no_grad()
    def answers(self, pictures: np.ndarray, among: list[str] | None = None) -> list[str]:
        """Its answer to each picture (N, 128, 128, 3), uint8; `among` leaves it fewer to choose."""
        self.net.eval()
        device = next(self.net.parameters()).device
        names = among or self.classes
        columns = torch.tensor([self.classes.index(name) for name in names])
        found: list[str] = []
        for start in range(0, len(pictures), 128):
            x = torch.from_numpy(pictures[start : start + 128]).to(device)
            logits = self.net(x.permute(0, 3, 1, 2).float() / 255).cpu()[:, columns]
            found += [names[i] for i in logits.argmax(dim=1).tolist()]
        return found

    def save(self, folder: Path) -> None:
        """Write it in half precision."""
        folder.mkdir(parents=True, exist_ok=True)
        halves = {name: t.detach().cpu().half() for name, t in self.net.state_dict().items()}
        said = {"classes": json.dumps(self.classes), "right": str(self.right)}
        save_file(halves, folder / f"{self.question}.safetensors", said)


def load(folder: Path, question: str) -> Judge:
    """A judge as it was saved."""
    path = folder / f"{question}.safetensors"
    with safe_open(path, "pt") as file:
        said = file.metadata()
    classes = json.loads(said["classes"])
    net = Classifier(len(classes), halved=question == "subject")
    net.load_state_dict({name: t.float() for name, t in load_file(path).items()})
    return Judge(question, net, classes, float(said["right"]))
