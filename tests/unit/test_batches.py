"""Which pictures a step sees depends on seed and step alone."""

import itertools
from collections import Counter

from core.data import batches
from core.data.buckets import Size

BUCKETS = [Size(64, 64)] * 5 + [Size(96, 64)] * 3


def test_a_plan_joined_in_the_middle_is_the_same_plan() -> None:
    whole = list(itertools.islice(batches.plan(BUCKETS, 2, 7, 1), 20))
    for first in (2, 5, 6, 13):
        rest = list(itertools.islice(batches.plan(BUCKETS, 2, 7, first), 20 - first + 1))
        assert rest == whole[first - 1 :]


def test_an_epoch_shows_every_picture_and_no_batch_mixes_buckets() -> None:
    for number in range(5):
        made = batches.epoch(BUCKETS, 2, 3, number)
        assert set(itertools.chain(*made)) == set(range(8))
        assert all(len({BUCKETS[i] for i in batch}) == 1 for batch in made)
        assert Counter(map(len, made)) == {2: 5}


def test_epochs_and_seeds_differ() -> None:
    assert batches.epoch(BUCKETS, 2, 3, 0) != batches.epoch(BUCKETS, 2, 3, 1)
    assert batches.epoch(BUCKETS, 2, 3, 0) != batches.epoch(BUCKETS, 2, 4, 0)


def test_each_purpose_of_a_step_has_numbers_of_its_own() -> None:
    seeds = {
        batches.step_seed(seed, step, purpose)
        for seed in range(3)
        for step in range(50)
        for purpose in ("batch", "noise", "dropout")
    }
    assert len(seeds) == 450
