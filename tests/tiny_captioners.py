"""Captioners of random weights in the shape of real ones, made on the fly."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from tests.tiny import LETTERS

EDGE_PX = 32
LONGEST = 10  # tokens of a text
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_blip(folder: Path, seed: int = 0) -> Path:
    """BLIP with one thin layer on each side; each word is a letter."""
    import torch
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipProcessor
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    torch.manual_seed(seed)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"]
    words = [*special, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = {word: n for n, word in enumerate(words)}
    tokenizer = BertTokenizer(vocab=vocabulary, bos_token="[DEC]")
    text = {
        "vocab_size": len(words), "hidden_size": 32, "encoder_hidden_size": 32,
        "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "max_position_embeddings": 128, "bos_token_id": 5, "sep_token_id": 3, "eos_token_id": 3,
        "pad_token_id": 0,
    }  # fmt: skip
    vision = {
        "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "image_size": EDGE_PX, "patch_size": 8,
        "initializer_range": 0.5,
    }  # fmt: skip
    net = BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision))
    _stir(net)
    size = {"height": EDGE_PX, "width": EDGE_PX}
    processor = BlipProcessor(BlipImageProcessorPil(size=size), tokenizer)
    net.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def write_florence2(folder: Path, seed: int = 0) -> Path:
    """Florence-2 with a step of its tower and one layer of BART on each side."""
    import torch
    from transformers import (
        BartTokenizer,
        Florence2Config,
        Florence2ForConditionalGeneration,
        Florence2Processor,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(seed)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = [*LETTERS, *(letter.upper() for letter in LETTERS if letter.isalpha()), "?", "\u0120"]
    vocabulary = {token: n for n, token in enumerate([*special, *letters])}
    tokenizer = BartTokenizer(
        vocab=vocabulary, merges=[], extra_special_tokens={"image_token": "<image>"}
    )
    text = {
        "vocab_size": len(tokenizer), "d_model": 32, "encoder_layers": 1, "decoder_layers": 1,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32, "max_position_embeddings": 512, "bos_token_id": 0,
        "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2, "model_type": "bart",
        "init_std": 0.3,
    }  # fmt: skip
    vision = {
        "depths": (1, 1), "patch_size": (7, 3), "patch_stride": (4, 2), "patch_padding": (3, 1),
        "patch_prenorm": (False, True), "embed_dim": (16, 32), "num_heads": (2, 4),
        "num_groups": (2, 4), "window_size": 4, "projection_dim": 32, "drop_path_rate": 0.0,
    }  # fmt: skip
    config = Florence2Config(
        text_config=text, vision_config=vision, image_token_id=tokenizer.image_token_id,
        bos_token_id=0, pad_token_id=1, eos_token_id=2,
    )  # fmt: skip
    net = Florence2ForConditionalGeneration(config)
    _stir(net)
    size = {"height": EDGE_PX, "width": EDGE_PX}
    pictures = CLIPImageProcessorPil(size=size, do_center_crop=False, do_resize=True)
    pictures.image_seq_length = (EDGE_PX // 8) ** 2 + 1
    processor = Florence2Processor(image_processor=pictures, tokenizer=tokenizer)
    net.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _qwen_tokenizer() -> Any:
    from transformers import Qwen2Tokenizer

    special = [
        "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
        "<|image_pad|>", "<|video_pad|>",
    ]  # fmt: skip
    vocabulary = {token: n for n, token in enumerate([*special, *LETTERS, "\u0120", "\u010a"])}
    made = Qwen2Tokenizer(vocab=vocabulary, merges=[], additional_special_tokens=special[1:])
    made.chat_template = CHAT
    return made


def _write_qwen(folder: Path, config_kind: Any, net_kind: Any, **vision: object) -> Path:
    import torch
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    torch.manual_seed(0)
    tokenizer = _qwen_tokenizer()
    ids = {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"<|{token}|>")
        for name, token in (
            ("image", "image_pad"), ("video", "video_pad"),
            ("vision_start", "vision_start"), ("vision_end", "vision_end"),
        )
    }  # fmt: skip
    config = config_kind(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 32,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
            "head_dim": 16, "initializer_range": 0.3,
            "rope_scaling": {"type": "default", "rope_type": "default", "mrope_section": [2, 3, 3]},
            "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 0,
        },
        vision_config={
            "depth": 2, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
            "patch_size": 8, "spatial_merge_size": 2, "temporal_patch_size": 2,
            "initializer_range": 0.3, **vision,
        },
        **ids,
    )  # fmt: skip
    net = net_kind(config)
    _stir(net)
    pictures = Qwen2VLImageProcessorPil(
        patch_size=8, merge_size=2, temporal_patch_size=2,
        size={"shortest_edge": 16 * 16, "longest_edge": 64 * 64},
    )  # fmt: skip
    net.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    pictures.save_pretrained(folder)
    return folder


def write_qwen2_vl(folder: Path) -> Path:
    """Qwen2-VL with two thin layers on each side."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    return _write_qwen(
        folder, Qwen2VLConfig, Qwen2VLForConditionalGeneration,
        hidden_size=32, embed_dim=16, mlp_ratio=2,
    )  # fmt: skip


def write_qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL, likewise."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    return _write_qwen(
        folder, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration,
        out_hidden_size=32, window_size=32, fullatt_block_indexes=[1],
    )  # fmt: skip


def write_qwen3_vl(folder: Path) -> Path:
    """Qwen3-VL, likewise."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    return _write_qwen(
        folder, Qwen3VLConfig, Qwen3VLForConditionalGeneration,
        out_hidden_size=32, num_position_embeddings=64, deepstack_visual_indexes=[0],
    )  # fmt: skip


def _stir(net: Any) -> None:
    """Weights so large that a picture makes a difference to what is said of it, which is short."""
    import torch

    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in net.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.4, generator=generator)
    net.generation_config.max_new_tokens = LONGEST


TAGS = (  # id, name, category, count
    (9999999, "general", 9, 100), (9999998, "explicit", 9, 90), (470575, "1girl", 0, 80),
    (8601, "long_hair", 0, 70), (212816, "solo", 0, 60), (13197, "^_^", 0, 50),
    (2373, "fox_(animal)", 0, 40), (411263, "hatsune_miku", 4, 30), (1, "some_artist", 1, 20),
    (464575, "tree", 0, 10),
)  # fmt: skip


def write_tagger(folder: Path, edge_px: int = 16, seed: int = 0) -> Path:
    """A WD tagger of one layer: its scores are sigmoids of sums over all pixels."""
    weights, bias = tagger_numbers(edge_px, seed)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(_onnx(weights, bias, edge_px))
    with (folder / "selected_tags.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("tag_id", "name", "category", "count"), *TAGS])
    return folder


def tagger_numbers(edge_px: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The weights and the biases of such a tagger."""
    generator = np.random.default_rng(seed)
    inputs = edge_px * edge_px * 3
    weights = generator.normal(0, 12 / inputs, (inputs, len(TAGS))).astype(np.float32) / 16
    return weights, generator.normal(0.5, 1.0, len(TAGS)).astype(np.float32)


def _onnx(weights: np.ndarray, bias: np.ndarray, edge_px: int) -> bytes:
    """Flatten, MatMul, Add, Sigmoid, in ONNX' own protobuf, for which no library is wanted."""
    nodes = (
        (["pictures"], "flat", "Flatten"), (["flat", "w"], "sums", "MatMul"),
        (["sums", "b"], "raw", "Add"), (["raw"], "scores", "Sigmoid"),
    )  # fmt: skip
    graph = b"".join(
        _field(1, b"".join([*(_field(1, n) for n in ins), _field(2, out), _field(4, kind)]))
        for ins, out, kind in nodes
    )
    graph += _field(2, "tagger") + _field(5, _tensor("w", weights)) + _field(5, _tensor("b", bias))
    graph += _field(11, _value("pictures", ["n", edge_px, edge_px, 3]))
    graph += _field(12, _value("scores", ["n", len(bias)]))
    return _number(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _number(2, 13))


def _tensor(name: str, array: np.ndarray) -> bytes:
    dims = b"".join(_number(1, size) for size in array.shape)
    return dims + _number(2, 1) + _field(8, name) + _field(9, array.tobytes())


def _value(name: str, shape: list[str | int]) -> bytes:
    dims = [_field(2, size) if isinstance(size, str) else _number(1, size) for size in shape]
    kind = _number(1, 1) + _field(2, b"".join(_field(1, dim) for dim in dims))
    return _field(1, name) + _field(2, _field(1, kind))


def _field(number: int, content: str | bytes) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


CAPTIONERS = {
    "blip": write_blip,
    "florence2": write_florence2,
    "qwen2_vl": write_qwen2_vl,
    "qwen2_5_vl": write_qwen2_5_vl,
    "qwen3_vl": write_qwen3_vl,
    "tagger": write_tagger,
}
