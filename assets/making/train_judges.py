"""Train the judges on real drawings of all hands, and judge them on drawings never seen.

The subject judge never sees some whole drawings (a subject by a hand), neither as they are nor
moved nor in a made-up style. The style judge never sees some whole subjects, the 20 that the demo
is judged on among them.
"""

from __future__ import annotations

import argparse
import math
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from hands import COLOUR_HANDS, JUDGED, subjects
from judge import Classifier, Judge
from pack import Row, read
from torch import Tensor, nn

HELD_EACH = 8
BATCH = 64


def held_drawing(row: Row) -> bool:
    """One in eight pairs of subject and hand."""
    return zlib.crc32(f"judge/{row.word}/{row.hand}".encode()) % HELD_EACH == 0


def held_subject(row: Row) -> bool:
    """The demo's 20 and one in eight of the others."""
    judged = {subject.word for subject in subjects() if subject.role == "preview"}
    return row.word in judged or zlib.crc32(f"judge/{row.word}".encode()) % HELD_EACH == 0


def moved(pictures: Tensor, rng: torch.Generator) -> Tensor:
    """Pictures (B, 3, H, W), 0 to 1: shifted, turned, resized, mirrored, in other colours."""
    count = len(pictures)

    def spread(least: float, most: float) -> Tensor:
        return least + (most - least) * torch.rand(count, generator=rng)

    turn, size = spread(-0.25, 0.25), spread(0.85, 1.2)
    mirror = torch.where(spread(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = turn.cos() * size, turn.sin() * size
    right, down = spread(-0.15, 0.15), spread(-0.15, 0.15)
    matrix = torch.stack([cos * mirror, -sin, right, sin * mirror, cos, down], dim=1)
    grid = F.affine_grid(matrix.view(-1, 2, 3).to(pictures.device), list(pictures.shape), False)
    made = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    mix = torch.eye(3) + 0.35 * torch.randn(count, 3, 3, generator=rng)
    mix = mix / mix.sum(dim=2, keepdim=True).clamp(min=0.3)
    mix[spread(0, 1) < 0.25] = torch.full((3, 3), 1 / 3)  # some without colour
    return torch.einsum("bij,bjhw->bihw", mix.to(made.device), made).clamp(0, 1)


def nudged(pictures: Tensor, rng: torch.Generator) -> Tensor:
    """Pictures (B, 3, H, W), 0 to 1: shifted by pixels, mirrored, some a little soft.

    A hand is in its lines and colours, so these stay; a decoder's softness is no hand.
    """
    down, right = torch.randint(-6, 7, (2,), generator=rng).tolist()
    made = pictures.roll((down, right), (2, 3))
    mirror, soft = torch.rand(2, len(made), 1, 1, 1, generator=rng).to(made.device)
    made = torch.where(mirror < 0.5, made.flip(-1), made)
    blurred = F.avg_pool2d(F.pad(made, (1, 1, 1, 1), "replicate"), 3, 1)
    return torch.lerp(made, blurred, (soft - 0.4).clamp(min=0))


def demo_subjects() -> list[str]:
    """The 60 that the demo trains on or is judged on."""
    return [subject.word for subject in subjects() if subject.role != "base"]


def taught(
    net: Classifier,
    table: tuple[np.ndarray, Tensor, Callable[[Tensor, torch.Generator], Tensor]],
    shares: Tensor,
    steps: int,
    rate: float,
) -> None:
    """Steps on pictures and their labels, each as often as its share, changed by the third."""
    pictures, labels, changed = table
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.05)
    rng = torch.Generator().manual_seed(0)
    began = time.monotonic()
    total = 0.0
    for step in range(steps):
        for group in optimizer.param_groups:
            rise = min(1, (step + 1) / 100)
            group["lr"] = rate * rise * 0.5 * (1 + math.cos(math.pi * step / steps))
        chosen = torch.multinomial(shares, BATCH, replacement=True, generator=rng)
        x = torch.from_numpy(pictures[chosen.numpy()]).to(labels.device)
        x = changed(x.permute(0, 3, 1, 2).float() / 255, rng)
        loss = F.cross_entropy(net(x), labels[chosen], label_smoothing=0.05)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimizer.step()
        optimizer.zero_grad()
        total += loss.item()
        if (step + 1) % 100 == 0:
            print(f"{step + 1} {total / 100:.3f} {time.monotonic() - began:.0f} s", flush=True)
            total = 0.0


def train(question: str, data: tuple[np.ndarray, list[Row]], args: argparse.Namespace) -> Judge:
    """A judge, with its share of right answers on what was held back.

    A subject is learnt among all of them first, then half of the time among the demo's.
    """
    pictures, rows = data
    subject = question == "subject"
    held = np.array([(held_drawing if subject else held_subject)(row) for row in rows])
    names = [row.word if subject else row.style for row in rows]
    classes = sorted(set(names))
    labels = torch.tensor([classes.index(name) for name in names])
    # Every class as often as another, but for openmoji, against which the style judge decides.
    counts = torch.bincount(labels, minlength=len(classes)).float()
    shares = (1 / counts.sqrt())[labels] * torch.from_numpy(~held).float()
    if not subject:
        shares[labels == classes.index(JUDGED.word)] *= 4
    net = Classifier(len(classes), halved=subject).to(args.device)
    table = (pictures, labels.to(args.device), moved if subject else nudged)
    if subject:
        taught(net, table, shares, args.subject_steps, 2e-3)
        judged = torch.tensor([row.word in demo_subjects() for row in rows])
        shares[judged] *= shares[~judged].sum() / shares[judged].sum()
        taught(net, table, shares, args.demo_steps, 1e-3)
    else:
        taught(net, table, shares, args.style_steps, 2e-3)
    judge = Judge(question, net.cpu(), classes, 0.0)
    right = (tested_subject if subject else tested_style)(judge, pictures, rows, held)
    return Judge(question, judge.net, classes, right)


def tested_subject(judge: Judge, pictures: np.ndarray, rows: list[Row], held: np.ndarray) -> float:
    """On unseen drawings in colour of the demo's 60 subjects, as they are, among those 60."""
    demo = demo_subjects()
    hands = {*COLOUR_HANDS, JUDGED.word}
    real = [
        i for i, row in enumerate(rows) if held[i] and row.hand in hands and row.style == row.hand
    ]
    every = judge.answers(pictures[real])
    share = np.mean([answer == rows[i].word for i, answer in zip(real, every, strict=True)])
    print(
        f"subject: {share:.1%} of {len(real)} unseen pictures, {len(judge.classes)} to choose from"
    )
    ours = [i for i in real if rows[i].word in demo]
    for among in (judge.classes, demo):
        answers = judge.answers(pictures[ours], among)
        wrong = [
            f"{rows[i].word} by {rows[i].hand}: {answer}"
            for i, answer in zip(ours, answers, strict=True)
            if answer != rows[i].word
        ]
        share = 1 - len(wrong) / len(ours)
        print(f"subject: {share:.1%} of {len(ours)} of the demo's, {len(among)} to choose from")
    print("; ".join(wrong))
    return float(share)


def tested_style(judge: Judge, pictures: np.ndarray, rows: list[Row], held: np.ndarray) -> float:
    """OpenMoji or not, on unseen subjects: the worse of both shares of right answers."""
    real = [i for i, row in enumerate(rows) if held[i]]
    answers = judge.answers(pictures[real])
    share = np.mean([answer == rows[i].style for i, answer in zip(real, answers, strict=True)])
    print(f"style: {share:.1%} of {len(real)} unseen pictures, {len(judge.classes)} to choose from")
    said = np.array([answer == JUDGED.word for answer in answers])
    true = np.array([rows[i].style == JUDGED.word for i in real])
    yes, no = said[true].mean(), 1 - said[~true].mean()
    print(f"style: {yes:.1%} of {true.sum()} in OpenMoji's are known, {no:.1%} of the others")
    return float(min(yes, no))


def main() -> None:
    """Train both, and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, nargs="+", required=True, help="OpenMoji's among them")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subject-steps", type=int, default=2400)
    parser.add_argument("--demo-steps", type=int, default=1600)
    parser.add_argument("--style-steps", type=int, default=700)
    parser.add_argument("--only", choices=("subject", "style"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_flush_denormal(True)
    data = read(*args.pack)
    for question in ("style", "subject"):
        if args.only in (None, question):
            judge = train(question, data, args)
            judge.save(args.out)
            print(f"{question}: {judge.right:.1%}, {'may' if judge.trusted else 'may NOT'} judge")


if __name__ == "__main__":
    main()
