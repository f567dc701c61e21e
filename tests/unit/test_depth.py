"""Pictures of more than 8 bits keep their greys."""

import numpy as np
import pytest
from PIL import Image

from core.data.depth import eight_bit


@pytest.mark.parametrize(
    ("values", "kind", "wanted"),
    [
        ([0, 257, 32896, 65535], np.uint16, [0, 1, 128, 255]),
        ([0, 257, 32896, 65535], np.int32, [0, 1, 128, 255]),
        ([0, 7, 128, 255], np.int32, [0, 7, 128, 255]),
        ([0.0, 0.25, 0.5, 1.0], np.float32, [0, 64, 128, 255]),
        ([0, 7, 128, 255], np.uint8, [0, 7, 128, 255]),
    ],
)
def test_the_whole_range_is_kept(values, kind, wanted) -> None:
    image = Image.fromarray(np.array([values], kind))
    got = np.array(eight_bit(image), dtype=int)[0]
    assert np.abs(got - wanted).max() <= 1


def test_big_endian_tiffs_are_read_too() -> None:
    content = np.array([0, 65535], ">u2").tobytes()
    assert np.array(eight_bit(Image.frombytes("I;16B", (2, 1), content))).tolist() == [[0, 255]]
