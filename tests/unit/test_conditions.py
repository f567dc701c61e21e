"""What the denoiser is told: computed where an encoder is trained, else kept."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.config.facts import SD1
from core.data.cache import Cache
from core.diffusion.path import Flow
from core.families.condition import stack
from core.families.device import whole_cpu
from core.families.family import Model, ModelFamily, TextEncoder
from core.families.parts import Parts
from core.training.conditions import Conditions


class Asked:
    """A text encoder that counts."""

    def __init__(self, name: str) -> None:
        self.name, self.times = name, 0

    def encode(self, model: Model, texts):
        scale = model.parts[self.name]
        self.times += len(texts)
        return [{self.name: torch.ones(len(text), 2) * scale} for text in texts]


@pytest.fixture
def asked() -> tuple[Asked, Asked]:
    return Asked("small"), Asked("large")


def model_of(asked, keys: dict[str, str] | None = None) -> Model:
    def unused(*_: object):
        raise AssertionError

    encoders = {
        one.name: TextEncoder((one.name,), one.encode, lambda _, text: (len(text), 75))
        for one in asked
    }
    family = ModelFamily("two", {}, unused, encoders, unused, (), unused, unused, unused)
    return Model(
        family=family,
        facts=SD1,
        parts=Parts({"small": lambda: 2.0, "large": lambda: 3.0}),
        keys=keys or {"small": "a", "large": "b"},
        path=Flow(),
        size_px=64,
        multiple_px=8,
        place=whole_cpu(),
    )


def test_one_encoder_trains_while_the_others_words_are_kept(asked, tmp_path: Path) -> None:
    small, large = asked
    tell = Conditions(model_of(asked), {"small"}, Cache(tmp_path))
    for _ in range(3):
        told = tell.of(["abc", "de"], [])
    assert (small.times, large.times) == (6, 2)
    assert told.keys() == {"small", "small_mask", "large", "large_mask"}
    assert told["large"].tolist() == [[[3, 3]] * 3, [[3, 3], [3, 3], [0, 0]]]
    Conditions(model_of(asked), {"small"}, Cache(tmp_path)).of(["abc"], [])
    assert large.times == 2  # from the disk


def test_what_is_kept_belongs_to_its_part_and_its_files(asked, tmp_path: Path) -> None:
    _, large = asked
    Conditions(model_of(asked), (), Cache(tmp_path)).of(["abc"], [])
    changed = model_of(asked, {"small": "other", "large": "b"})
    Conditions(changed, (), Cache(tmp_path)).of(["abc"], [])
    assert large.times == 1
    Conditions(model_of(asked, {"small": "a", "large": "other"}), (), Cache(tmp_path)).of(
        ["abc"], []
    )
    assert large.times == 2


def test_an_encoder_sees_only_the_parts_it_says_it_reads(asked, tmp_path: Path) -> None:
    """So that nothing it depends on can be forgotten in the cache's key."""
    _, large = asked
    large.encode = lambda model, texts: [{"large": torch.ones(1, 1) * model.parts["small"]}]
    with pytest.raises(KeyError, match="small"):
        Conditions(model_of(asked), {"small"}, Cache(tmp_path)).of(["abc"], [])


def test_a_cache_takes_no_function_that_may_see_more(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more than its arguments"):
        Cache(tmp_path).get(lambda text: {"text": torch.ones(1)}, text="a")


def test_a_models_key_is_of_what_it_holds_and_where() -> None:
    model = model_of((Asked("small"), Asked("large")))
    assert model.only(("small",)).key == model.only(("small",)).key
    assert model.only(("small",)).key != model.only(("large",)).key
    half = replace(model.place, compute=torch.float16)
    assert replace(model, place=half).key != model.key


def test_conditions_of_one_length_need_no_mask() -> None:
    made = stack([{"text": torch.ones(3, 2), "pooled": torch.ones(4)}] * 2)
    assert {name: tuple(t.shape) for name, t in made.items()} == {
        "text": (2, 3, 2),
        "pooled": (2, 4),
    }
