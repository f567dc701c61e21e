"""Florence-2: a caption as long as its task says (Xiao et al. 2023, arXiv:2311.06242)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import Florence2ForConditionalGeneration, Florence2Processor

from core.captioning import nets
from core.captioning.reader import Reader, Said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from core.base.captioners import Captioner


def load(captioner: Captioner, prompt: str) -> Reader:
    """`prompt` is a task: `<CAPTION>`, `<DETAILED_CAPTION>`, `<MORE_DETAILED_CAPTION>`.

    Raises:
        CaptionerError, MemoryFullError: See `nets.load`.
    """
    net = nets.load(captioner, Florence2ForConditionalGeneration, Florence2Processor)

    def read(pictures: Sequence[Image.Image]) -> list[Said]:
        tasks = [prompt] * len(pictures)
        inputs = net.processor(images=list(pictures), text=tasks, return_tensors="pt")
        said = net.answer(inputs, beams=3)
        texts = net.processor.batch_decode(said, skip_special_tokens=True)
        return [Said(text.strip()) for text in texts]

    return Reader(read, net.at_once, str(net.device))
