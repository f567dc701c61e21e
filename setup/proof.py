"""Run in a new environment: what torch computes on. Prints one line of JSON; `setup` reads it."""

from __future__ import annotations

import json

import diffusers  # noqa: F401 - that they load is part of the proof
import peft  # noqa: F401
import torch
import transformers  # noqa: F401


def computes_on(device: str) -> str:
    """Empty, or why not: a build without a card's kernels fails at the first of them."""
    try:
        x = torch.randn(1, 4, 16, 16, device=device)
        y = torch.nn.functional.conv2d(x, torch.randn(4, 4, 3, 3, device=device))
        (y.flatten(1) @ y.flatten(1).T).sum().item()
    except (RuntimeError, AssertionError) as error:  # CUDA's and cuDNN's, torch's own
        return str(error).strip().partition("\n")[0]
    return ""


def cards() -> dict[str, str]:
    """Each card's name, and why it does not compute."""
    if torch.backends.mps.is_available():
        return {"Apple's GPU": computes_on("mps")}
    return {
        f"{torch.cuda.get_device_name(index)} (card {index})": computes_on(f"cuda:{index}")
        for index in range(torch.cuda.device_count())
    }


def why_none() -> str:
    """What torch says when it sees no card."""
    if torch.version.cuda is None and torch.version.hip is None:
        return f"this build of torch ({torch.__version__}) is made for no card"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return str(error).strip().partition("\n")[0]
    return "it says nothing about why"


if __name__ == "__main__":
    found = cards()
    report = {"torch": torch.__version__, "cards": found, "why": "" if found else why_none()}
    print("\n" + json.dumps(report))
