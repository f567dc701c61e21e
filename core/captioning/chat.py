"""Models that are asked in words, as in a chat: Qwen-VL's (arXiv:2409.12191, 2502.13923)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import (
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLForConditionalGeneration,
    Qwen2VLProcessor,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
)

from core.base.captioners import CONFIG
from core.base.configs import read_json
from core.captioning import nets
from core.captioning.reader import Reader, Said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from core.base.captioners import Captioner

_NETS: dict[str, tuple[Any, Any]] = {  # by a config's model_type
    "qwen2_vl": (Qwen2VLForConditionalGeneration, Qwen2VLProcessor),
    "qwen2_5_vl": (Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor),
    "qwen3_vl": (Qwen3VLForConditionalGeneration, Qwen3VLProcessor),
}
_MOST_PIXELS = 1024 * 1024  # of a picture as it is read: more cost memory and tell little


def load(captioner: Captioner, prompt: str) -> Reader:
    """`prompt` is the question. Pictures are read one by one: each has a size of its own.

    Raises:
        CaptionerError, MemoryFullError: See `nets.load`.
    """
    name = str(read_json(captioner.path / CONFIG)["model_type"])
    net = nets.load(captioner, *_NETS[name])
    size = net.processor.image_processor.size
    most = size["longest_edge"]  # its name for the number of all pixels
    size["longest_edge"] = min(most, _MOST_PIXELS) if isinstance(most, int) else _MOST_PIXELS

    def one(picture: Image.Image) -> Said:
        content = [{"type": "image", "image": picture}, {"type": "text", "text": prompt}]
        inputs = net.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            tokenize=True,
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
        )
        (said,) = net.answer(inputs)
        asked = inputs["input_ids"].shape[1]
        return Said(net.processor.decode(said[asked:], skip_special_tokens=True).strip())

    def read(pictures: Sequence[Image.Image]) -> list[Said]:
        return [one(picture) for picture in pictures]

    return Reader(read, 1, str(net.device))
