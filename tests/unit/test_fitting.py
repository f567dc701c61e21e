"""What is changed for a smaller memory: as little as it takes, and in a sensible order."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.config import files
from core.config.facts import FLUX, SDXL
from core.config.options import AdapterConfig, DatasetConfig, RunConfig, TrainingConfig
from core.training.fitting import fitted

WISHED = RunConfig(
    name="Wished",
    base="x",
    dataset=DatasetConfig(resolution_px=1024, more_resolutions_px=(768, 512)),
    training=TrainingConfig(batch_size=4),
)
BITS = {"whole": 16, "int8": 8, "nf4": 4}


def needed(config: RunConfig, at_once: int) -> int:
    """A base of 160, and a picture of 10 a million pixels, a third of it computed anew."""
    base = 10 * BITS[config.training.base_precision]
    edges = [config.dataset.resolution_px, *config.dataset.more_resolutions_px]
    picture = 10 * max(edges) ** 2 / 2**20 / (3 if config.training.recompute else 1)
    return round(base + at_once * picture)


def options(fit) -> dict[str, str]:
    return {change.option or "at once": change.value for change in fit.changes}


def test_what_fits_stays_as_it_is() -> None:
    fit = fitted(WISHED, SDXL, 200, needed)
    assert (fit.config, fit.at_once, fit.changes, fit.fits) == (WISHED, 4, (), True)


@pytest.mark.parametrize(
    ("room", "wanted"),
    [
        (199, {"training.recompute": "true"}),
        (170, {"training.recompute": "true", "at once": "2"}),
        (164, {"training.recompute": "true", "at once": "1"}),
        (90, {"training.recompute": "true", "at once": "1", "training.base_precision": "int8"}),
        (44, {"training.recompute": "true", "at once": "1", "training.base_precision": "nf4"}),
    ],
)
def test_the_cheapest_change_comes_first(room: int, wanted: dict[str, str]) -> None:
    fit = fitted(WISHED, SDXL, room, needed)
    assert options(fit) == wanted
    assert fit.fits
    assert fit.bytes <= room
    assert fit.config.training.batch_size == 4  # what is learnt of a step stays
    assert fit.config.dataset == WISHED.dataset


def test_pictures_become_smaller_last() -> None:
    fit = fitted(WISHED, SDXL, 42, needed)
    assert fit.config.training.base_precision == "nf4"
    assert fit.config.dataset.resolution_px == 768
    assert fit.config.dataset.more_resolutions_px == (512,)  # none above the new one
    assert len({change.option for change in fit.changes}) == len(fit.changes) == 4


def test_that_nothing_fits_is_said() -> None:
    fit = fitted(WISHED, SDXL, 1, needed)
    assert not fit.fits
    assert fit.config.dataset.resolution_px == 256
    assert fit.bytes == needed(fit.config, 1)


def test_flow_models_compute_anew_as_they_are() -> None:
    fit = fitted(WISHED, FLUX, 100, needed)
    assert "training.recompute" not in options(fit)


def test_what_is_compiled_is_not_moved() -> None:
    compiled = replace(WISHED, training=replace(WISHED.training, compile=True))
    fit = fitted(compiled, SDXL, 1, needed, beside=True)
    assert fit.config.training.stream_base
    changes = [f"{change.option}={change.value}" for change in fit.changes if change.option]
    assert "training.compile=false" in changes
    assert (
        files.with_changes(compiled, changes).training == fit.config.training
    )  # as the window takes them over


def test_a_loha_is_not_held_in_4_bits() -> None:
    loha = RunConfig(name="Wished", base="x", adapter=AdapterConfig(kind="loha"))
    fit = fitted(loha, SDXL, 1, needed)
    assert fit.config.training.base_precision == "int8"


def test_few_runs_are_asked_for() -> None:
    asked: list[int] = []

    def counting(config: RunConfig, at_once: int) -> int:
        asked.append(at_once)
        return needed(config, at_once)

    fitted(WISHED, SDXL, 44, counting)
    assert len(asked) <= 4


def test_pictures_go_in_pieces_only_where_that_helps() -> None:
    """Here while pictures are encoded 200 are needed, in pieces 40; a step needs 174 at the least."""

    def encoding_more(config: RunConfig, at_once: int) -> int:
        encoding = 40 if config.training.vae_tiles == "always" else 200
        return max(encoding, needed(config, at_once))

    fit = fitted(WISHED, SDXL, 175, encoding_more)
    assert options(fit) == {
        "training.recompute": "true",
        "at once": "1",
        "training.vae_tiles": "always",
    }
    assert (fit.fits, fit.bytes) == (True, encoding_more(fit.config, 1))
    assert "training.vae_tiles" not in options(fitted(WISHED, SDXL, 90, needed))


def beside(config: RunConfig, at_once: int) -> int:
    """As `needed`; of a streamed base a tenth, of activations that are elsewhere a quarter."""
    base = 10 * BITS[config.training.base_precision] / (10 if config.training.stream_base else 1)
    activations = needed(config, at_once) - 10 * BITS[config.training.base_precision]
    return round(base + activations / (4 if config.training.offload_activations else 1))


@pytest.mark.parametrize(
    ("room", "wanted"),
    [
        (162, {"training.recompute", "at once", "training.offload_activations"}),
        (7, {"training.offload_activations", "training.base_precision", "training.stream_base"}),
    ],
)
def test_beside_a_gpu_there_is_another_memory(room: int, wanted: set[str]) -> None:
    """What changes no result comes before what does; what is slowest before smaller pictures."""
    fit = fitted(WISHED, SDXL, room, beside, beside=True)
    assert fit.fits
    assert wanted <= options(fit).keys()
    assert fit.config.dataset == WISHED.dataset
    assert "training.stream_base" not in options(fitted(WISHED, SDXL, room, beside))
    assert fitted(WISHED, SDXL, 162, beside, beside=True).config.training.base_precision == "whole"


def test_a_base_that_is_streamed_is_not_held_in_8_bits() -> None:
    loha = RunConfig(name="Wished", base="x", adapter=AdapterConfig(kind="loha"))
    fit = fitted(loha, SDXL, 20, beside, beside=True)
    assert fit.fits
    assert fit.config.training.stream_base
    assert fit.config.training.base_precision == "whole"
    assert "training.base_precision" not in options(fit)
    in_8 = RunConfig(name="W", base="x", training=TrainingConfig(base_precision="int8"))
    assert not fitted(in_8, SDXL, 1, beside, beside=True).config.training.stream_base
    streamed = RunConfig(name="W", base="x", training=TrainingConfig(stream_base=True))
    assert fitted(streamed, SDXL, 1, beside, beside=True).config.training.base_precision == "nf4"
