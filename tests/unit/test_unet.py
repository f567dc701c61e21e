"""What a UNet's config says of it."""

from types import SimpleNamespace

import pytest

from core.families import unet


@pytest.mark.parametrize(
    ("edge", "kinds", "attended"),
    [
        (64, ["CrossAttnDownBlock2D", "DownBlock2D"], 64),
        (32, ["DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"], 16),
        ([96, 128], ["DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"], 32),
        (32, ["DownBlock2D", "AttnDownBlock2D"], 16),
        (32, ["DownBlock2D", "DownBlock2D", "DownBlock2D"], 8),  # the middle block's
        (None, ["CrossAttnDownBlock2D"], 64),
    ],
)
def test_the_largest_edge_that_attention_sees(
    edge: object, kinds: list[str], attended: int
) -> None:
    config = SimpleNamespace(sample_size=edge, down_block_types=kinds)
    assert unet.attended_edge(SimpleNamespace(config=config)) == attended
