"""BLIP: one short sentence, which may be begun for it (Li et al. 2022, arXiv:2201.12086)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import BlipForConditionalGeneration, BlipProcessor

from core.captioning import nets
from core.captioning.reader import Reader, Said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from core.base.captioners import Captioner

_LONGEST = 60  # tokens: it was taught short ones, and repeats itself in long ones


def load(captioner: Captioner, prompt: str) -> Reader:
    """`prompt` are the words that each sentence begins with.

    Raises:
        CaptionerError, MemoryFullError: See `nets.load`.
    """
    net = nets.load(captioner, BlipForConditionalGeneration, BlipProcessor)

    def read(pictures: Sequence[Image.Image]) -> list[Said]:
        words = [prompt] * len(pictures) if prompt else None
        inputs = net.processor(images=list(pictures), text=words, return_tensors="pt")
        said = net.answer(inputs, beams=3, longest=_LONGEST)
        texts = net.processor.batch_decode(said, skip_special_tokens=True)
        return [Said(text.strip()) for text in texts]

    return Reader(read, net.at_once, str(net.device))
