"""What a step learns from depends on seed and step alone, and weighs every picture alike."""

import itertools
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from core.config.options import DatasetConfig, NoiseConfig, RunConfig, TrainingConfig
from core.data import batches
from core.data.batches import Item, Sample
from core.data.buckets import Size, frame

PLAIN_NOISE = NoiseConfig()
BUCKETS = [Size(64, 64)] * 5 + [Size(96, 64)] * 3


class Picture(NamedTuple):
    """What a plan asks of one."""

    bucket: Size
    repeats: int = 1
    of_class: bool = False
    weight: float = 1.0


SHOWN = [Picture(bucket) for bucket in BUCKETS]


def items(count: int) -> list[Item]:
    rng = torch.Generator().manual_seed(1)
    return [
        Item(
            str(n),
            frame(Size(80, 64), Size(64, 64)),
            f"picture {n}",
            torch.randn(4, 2, 2, generator=rng),
            torch.full((4, 2, 2), 0.1 * (n + 1)),
            Path(f"{n}.png"),
        )
        for n in range(count)
    ]


def drawn(
    count: int,
    step: int,
    *,
    batch_size: int | None = None,
    dropout: float = 0.0,
    noise: NoiseConfig = PLAIN_NOISE,
):
    samples = [Sample(n, 1.0) for n in range(count)]
    return batches.draw(
        items(count),
        samples,
        RunConfig(
            name="",
            base="",
            dataset=DatasetConfig(caption_dropout=dropout),
            training=TrainingConfig(seed=7),
            noise=noise,
        ),
        step=step,
        batch_size=batch_size or count,
    )


def test_a_plan_joined_in_the_middle_is_the_same_plan() -> None:
    whole = list(itertools.islice(batches.plan(SHOWN, 2, 7, 1), 20))
    epochs = [batches.epoch(SHOWN, 2, 7, number) for number in range(4)]
    assert whole == list(itertools.chain(*epochs))  # it begins with a whole epoch
    for first in (2, 5, 6, 13):
        rest = list(itertools.islice(batches.plan(SHOWN, 2, 7, first), 20 - first + 1))
        assert rest == whole[first - 1 :]


def test_an_epoch_shows_every_picture_and_no_batch_mixes_buckets() -> None:
    for number in range(5):
        made = batches.epoch(SHOWN, 2, 3, number)
        assert {sample.item for sample in itertools.chain(*made)} == set(range(8))
        assert all(len({BUCKETS[sample.item] for sample in batch}) == 1 for batch in made)
        assert Counter(map(len, made)) == {2: 5}


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 8])
def test_over_an_epoch_every_picture_weighs_the_same(batch_size: int) -> None:
    """A lone picture of an odd shape once weighed four times a square, at batch size 4."""
    shapes = [Size(64, 64)] * 9 + [Size(96, 64)] * 2 + [Size(64, 128)]
    for number in range(3):
        weighs: dict[int, float] = defaultdict(float)
        for batch in batches.epoch(list(map(Picture, shapes)), batch_size, 3, number):
            for sample in batch:
                weighs[sample.item] += sample.weight
        assert weighs.keys() == set(range(12))
        assert all(weight == pytest.approx(1) for weight in weighs.values())


def test_a_batch_is_no_larger_than_the_most_pictures_of_one_shape() -> None:
    assert batches.whole_batch(SHOWN, 64) == 5
    assert batches.whole_batch(SHOWN, 2) == 2


def test_epochs_and_seeds_differ() -> None:
    assert batches.epoch(SHOWN, 2, 3, 0) != batches.epoch(SHOWN, 2, 3, 1)
    assert batches.epoch(SHOWN, 2, 3, 0) != batches.epoch(SHOWN, 2, 4, 0)


def test_each_purpose_of_a_step_has_numbers_of_its_own() -> None:
    seeds = {
        batches.step_seed(seed, step, purpose)
        for seed in range(3)
        for step in range(50)
        for purpose in ("batch", "noise", "dropout")
    }
    assert len(seeds) == 450


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8, 11])
def test_every_span_of_the_path_is_visited_once_before_one_is_visited_again(batch_size) -> None:
    steps = -(-batches.SPANS // batch_size)
    spans = steps * batch_size
    for first in (1, 1 + 5 * steps):
        u = torch.cat([drawn(batch_size, first + n).u for n in range(steps)])
        assert sorted((u * spans).long().tolist()) == list(range(spans))
    orders = {tuple((drawn(batch_size, 1 + w * steps).u * spans).long().tolist()) for w in range(9)}
    assert len(orders) > 3  # the order is random


def test_a_batch_that_is_not_full_covers_the_path_by_itself() -> None:
    u = drawn(2, 3, batch_size=4).u
    assert sorted((u * 2).long().tolist()) == [0, 1]


def test_latents_have_each_pictures_mean_and_spread() -> None:
    made = torch.stack([drawn(3, step).latents for step in range(1, 800)])
    for n, item in enumerate(items(3)):
        torch.testing.assert_close(made[:, n].mean(0), item.mean, atol=0.06, rtol=0)
        spread = made[:, n].std(0)
        torch.testing.assert_close(spread, item.std, atol=0.03, rtol=0)


def test_a_share_of_captions_is_left_empty() -> None:
    empty = sum(drawn(8, step, dropout=0.25).captions.count("") for step in range(1, 500))
    assert empty / (8 * 499) == pytest.approx(0.25, abs=0.03)
    assert "" not in drawn(8, 1).captions


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_parts_of_a_draw_are_the_draw(size: int) -> None:
    whole = drawn(5, 4, dropout=0.5)
    parts = list(whole.parts(size))
    assert max(len(part.latents) for part in parts) == size
    for name in ("latents", "noise", "u", "weights"):
        assert torch.equal(torch.cat([getattr(p, name) for p in parts]), getattr(whole, name))
    assert sum((part.captions for part in parts), ()) == whole.captions
    assert {part.batch_size for part in parts} == {5}


def test_repeats_come_as_often_and_weigh_as_much() -> None:
    shown = [Picture(Size(64, 64), 3), Picture(Size(64, 64)), Picture(Size(96, 64), 2)]
    assert batches.whole_batch(shown, 64) == 4
    for batch_size in (1, 2, 3, 4):
        made = list(itertools.chain(*batches.epoch(shown, batch_size, 3, 0)))
        weighs: dict[int, float] = defaultdict(float)
        for sample in made:
            weighs[sample.item] += sample.weight
        assert {n: round(w, 9) for n, w in weighs.items()} == {0: 3, 1: 1, 2: 2}
    # a batch of one is never filled up: each comes exactly as often
    assert Counter(s.item for s in itertools.chain(*batches.epoch(shown, 1, 3, 0))) == {
        0: 3,
        1: 1,
        2: 2,
    }


@pytest.mark.parametrize(("count", "of"), [(7, 2), (7, 3), (2, 4)])
def test_the_shares_of_a_draw_are_the_draw_and_alike_in_size(count: int, of: int) -> None:
    whole = drawn(count, 3)
    shares = [whole.share(number, of) for number in range(of)]
    assert torch.cat([share.noise for share in shares]).equal(whole.noise)
    assert sum((share.captions for share in shares), ()) == whole.captions
    sizes = [len(share.u) for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert {share.batch_size for share in shares} == {whole.batch_size}


def test_class_pictures_come_beside_as_often_as_the_others_and_take_turns() -> None:
    square, wide = Size(64, 64), Size(96, 64)
    shown = [
        *[Picture(square, 2), Picture(square), Picture(wide)],
        *[Picture(square, of_class=True, weight=0.25)] * 7,
        Picture(Size(32, 32), of_class=True),  # beside nothing of its shape
    ]
    assert batches.whole_batch(shown, 64) == 6
    times: Counter[int] = Counter()
    for number in range(7):  # 3 of 7 in each: each comes three times
        made = batches.epoch(shown, 4, 3, number)
        assert len(made) == len(batches.epoch(shown, 4, 3, 0))  # what a plan counts on
        weighs: dict[int, float] = defaultdict(float)
        for sample in itertools.chain(*made):
            weighs[sample.item] += sample.weight
        assert {n: round(weighs[n], 9) for n in range(3)} == {0: 2, 1: 1, 2: 1}
        of_class = {n: round(weight, 9) for n, weight in weighs.items() if n > 2}
        assert of_class == dict.fromkeys(of_class, 0.25)
        assert len(of_class) == 3
        times.update(of_class.keys())
    assert times == dict.fromkeys(range(3, 10), 3)


def test_few_class_pictures_come_several_times() -> None:
    shown = [Picture(Size(64, 64), 5), Picture(Size(64, 64), of_class=True)]
    weighs: dict[int, float] = defaultdict(float)
    for sample in itertools.chain(*batches.epoch(shown, 3, 3, 0)):
        weighs[sample.item] += sample.weight
    assert weighs == pytest.approx({0: 5, 1: 5})
