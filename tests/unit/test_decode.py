"""Pictures of more than 8 bits keep their greys; a telephone's are opened."""

from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from core.data.decode import eight_bit, open_picture

HEIC = b64decode("""
AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA
AAAAACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAAEAAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAA
AA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNw
AAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFz
wIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAA
Av////AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAEhtZGF0AAAAPCgBr1jm9Oq//+J8
//o2kh8eP/X/89vVftM/P+jslaV9tHbBRIcPyrBEyKVv3GQGkTdV6NB8du1Vrys3oA==
""")  # 64 x 48 px, red and blue halves


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


@pytest.mark.parametrize("name", ["a.heic", "renamed.jpg"])
def test_a_heic_is_opened_whatever_its_name(name, tmp_path) -> None:
    path = tmp_path / name
    path.write_bytes(HEIC)
    with open_picture(path) as image:
        pixels = np.array(image.convert("RGB"), dtype=int)
    assert pixels.shape == (48, 64, 3)
    assert np.abs(pixels[:, :28] - [200, 40, 40]).max() < 16
    assert np.abs(pixels[:, 36:] - [40, 40, 200]).max() < 16
