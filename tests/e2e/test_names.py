"""At full size: which layers each family's target sets are, and what files call them."""

import json
import re

import pytest
import torch
from torch import nn

from core.adapters import formats, programs, reading
from core.adapters.changes import LoRA, Place
from core.base.value import BUNDLED
from core.config.facts import FAMILIES, Facts
from core.families.registry import FAMILIES as FUNCTIONS

COUNTS = {  # of layers in each part; transformer is what kohya's and most others train
    "sd1": {"attention": [128, 48], "transformer": [192, 72]},
    "sd2": {"attention": [128, 92], "transformer": [192, 138]},
    "sdxl": {"attention": [560, 44, 128], "transformer": [722, 66, 192]},
    "chroma": {"attention": [266], "transformer": [418]},
    "sd3": {"attention": [143, 48, 128], "transformer": [213, 72, 192]},
    "flux2": {"attention": [160], "transformer": [192]},
    "qwen-image": {"attention": [480], "transformer": [720], "linear": [840]},
    "krea2": {"attention": [128], "transformer": [256]},
    "zimage": {"attention": [136], "transformer": [238], "linear": [270]},
    "flux": {"attention": [266, 48], "transformer": [418, 72], "linear": [494, 72]},
}
SAME = {  # as another family's
    ("flux", "text_encoder"): "sdxl/text_encoder",
    ("sd3", "text_encoder"): "sdxl/text_encoder",
    ("sd3", "text_encoder_2"): "sdxl/text_encoder_2",
}
ROWS = {facts.family: facts for facts in FAMILIES}
SETS = [(family, name) for family, sets in COUNTS.items() for name in sets]


def full_size(facts: Facts) -> dict[str, nn.Module]:
    """The real nets' shapes without weights: of the shipped configs, else of diffusers' defaults."""
    from diffusers import ModelMixin

    made = {}
    for part, kind in FUNCTIONS[facts.family].nets.items():
        config = {}
        if folder := facts.bundled.get(part) or SAME.get((facts.family, part)):
            file = BUNDLED / folder / "config.json"
            config = json.loads(file.read_text())
        with torch.device("meta"):
            made[part] = (
                kind.from_config(config)
                if issubclass(kind, ModelMixin)
                else kind(kind.config_class.from_dict(config))
            )
    return made


def places(facts: Facts, targets: str) -> list[Place]:
    return [
        Place(part, name)
        for part, net in full_size(facts).items()
        for name, module in net.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
        and re.fullmatch(facts.targets[targets][part], name)
    ]


@pytest.mark.parametrize(("family", "targets"), SETS)
@pytest.mark.parametrize("layout", ["kohya", "diffusers"])
def test_every_layer_has_a_name_of_its_own_and_is_found_again(
    family: str, targets: str, layout: str
) -> None:
    facts = ROWS[family]
    there = places(facts, targets)
    counts = [sum(place.component == part for place in there) for part in facts.names]
    assert counts == COUNTS[family][targets]
    change = LoRA(torch.ones(1, 2), torch.ones(2, 1), 1.0)
    adapter = dict.fromkeys(there, change)
    if layout == "kohya":
        tensors = formats.to_kohya(adapter, facts.names)
        assert len(tensors) == 3 * len(there)
        header = {}
    else:
        tensors, header = formats.to_diffusers(adapter, facts.names)
        assert len(tensors) == 2 * len(there)
    assert reading.from_tensors(tensors, header, facts.names).keys() == set(there)


def test_every_family_is_counted() -> None:
    assert COUNTS.keys() == ROWS.keys() == FUNCTIONS.keys()


READERS = {  # of the usual form, by what their code was seen to do
    "flux": {"ComfyUI", "Forge", "InvokeAI", "diffusers"},
    "flux2": {"ComfyUI", "InvokeAI", "diffusers"},
    "zimage": {"ComfyUI", "InvokeAI", "diffusers"},
    "qwen-image": {"ComfyUI", "InvokeAI", "diffusers"},
    "krea2": {"ComfyUI", "InvokeAI", "diffusers"},
    "chroma": {"ComfyUI", "diffusers"},
    "sd3": {"ComfyUI", "diffusers"},
}


@pytest.mark.parametrize("family", READERS)
def test_who_reads_a_flow_models_adapters(family: str) -> None:
    """docs/models.md says it; of the flat names ComfyUI alone knows all."""
    facts = ROWS[family]
    there = [p for p in places(facts, "transformer") if p.component == facts.denoiser]
    adapter = dict.fromkeys(there, LoRA(torch.ones(1, 2), torch.ones(2, 1), 1.0))
    tensors, header = formats.to_diffusers(adapter, facts.names)
    whole = {r.program for r in programs.readings(tensors, header, facts) if r.whole}
    assert whole == READERS[family]
    flat = programs.readings(formats.to_kohya(adapter, facts.names), {}, facts)
    whole = {r.program for r in flat if r.whole}
    assert whole == ({"ComfyUI", "Forge", "InvokeAI"} if family == "flux" else {"ComfyUI"})
