"""Files of published transformers: what goes with them is here, but for other weights."""

import dataclasses
import json
import re
import shutil
from functools import lru_cache
from pathlib import Path

import diffusers
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from core.base import encoders, published
from core.base.opening import open_base
from core.base.value import BUNDLED, InFile
from core.base.vocabulary import vocabulary_of
from core.errors import RestMissingError, TextsMissingError, VaeMissingError
from core.families import loading
from core.families.device import whole_cpu
from core.families.namings import NAMINGS
from core.families.registry import FAMILIES, load
from tests import comfy, ldm, original
from tests.conftest import made
from tests.e2e.test_single_files import header_file

NAMES = {family.split("-")[0]: name for family, name in original.NAMES.items()}
NAMES["qwen-image"] = original.qwen_image
ROWS = {row.folders["transformer"]: row for row in published.PUBLISHED}


def file_of(row: published.Published, path: Path, prefix: str = "") -> Path:
    """The header of its transformer, as its authors name the tensors."""
    tensors = NAMES[row.family](_true_net(row.folders["transformer"]).state_dict())
    return header_file(path, {prefix + name: tensor.shape for name, tensor in tensors.items()})


@lru_cache(maxsize=1)  # to make one takes ten seconds
def _true_net(folder: str) -> torch.nn.Module:
    config = json.loads((BUNDLED / folder / "config.json").read_text())
    with torch.device("meta"):
        return getattr(diffusers, config["_class_name"]).from_config(config)


@pytest.mark.parametrize("name", ROWS)
def test_at_true_size_it_is_known_and_every_tensor_has_its_place(tmp_path: Path, name: str) -> None:
    row = ROWS[name]
    file = file_of(row, tmp_path / "file.safetensors")
    with pytest.raises(TextsMissingError) as raised:
        open_base(file)
    assert "--text" in raised.value.hint
    assert "--rest" in raised.value.hint
    base = published.rest_of(*_looked_at(file, ""), _facts(row.family))
    prefixed = file_of(row, tmp_path / "prefixed.safetensors", "model.diffusion_model.")
    same = published.rest_of(*_looked_at(prefixed, "model.diffusion_model."), _facts(row.family))
    assert base
    assert same
    assert base.folders == same.folders
    assert base.folders["transformer"] == BUNDLED / name
    family = FAMILIES[row.family]
    net = loading.empty_net(base, "transformer", family.nets["transformer"])
    tensors = NAMES[row.family](net.state_dict())
    turned = NAMINGS[base.facts.alone_naming](dict(tensors), "", net)
    assert {n: t.shape for n, t in net.state_dict().items()} == {
        n: turned[n].shape for n in net.state_dict()
    }
    for part in base.facts.text_encoders:  # a file of each would be taken
        kind, width = encoders.kind_of(base.configs[part])
        assert kind
        assert encoders.in_words(kind, width) in raised.value.message


def _looked_at(file: Path, prefix: str) -> tuple:
    from core.base.single_file import read_header

    return file, read_header(file), prefix


def _facts(family: str):
    from core.config.facts import FAMILIES as ROWS_OF_FACTS

    return next(row for row in ROWS_OF_FACTS if row.family == family)


def test_of_unusual_size_a_folder_is_asked_for(tmp_path: Path) -> None:
    row = ROWS["flux/transformer-dev"]
    shapes = dict(_looked_at(file_of(row, tmp_path / "a.safetensors"), "")[1].shapes)
    fewer = {n: s for n, s in shapes.items() if not n.startswith("double_blocks.18.")}
    fill = {**shapes, "img_in.weight": (3072, 384)}
    for number, odd in enumerate((fewer, fill)):
        with pytest.raises(RestMissingError, match=r"Flux\.1 model of unusual size") as raised:
            open_base(header_file(tmp_path / f"{number}.safetensors", odd))
        assert "--rest" in raised.value.hint


@pytest.mark.parametrize(
    ("folder", "kind", "numbers"),
    [  # as their makers count them
        ("t5", "T5EncoderModel", 4_762_310_656),
        ("qwen3-4b", "Qwen3ForCausalLM", 4_022_468_096),
        ("qwen3-8b", "Qwen3ForCausalLM", 8_190_735_360),
        ("qwen2.5-vl-7b", "Qwen2_5_VLForConditionalGeneration", 8_292_166_656),
        ("qwen3-vl-4b", "Qwen3VLModel", 4_437_815_808),
    ],
)
def test_text_encoders_have_their_published_size(folder: str, kind: str, numbers: int) -> None:
    tree = json.loads((BUNDLED / folder / "config.json").read_text())
    net = getattr(transformers, kind)
    with torch.device("meta"):
        built = net._from_config(net.config_class.from_dict(tree))
    assert sum(p.numel() for p in built.parameters()) == numbers


# ---------------------------------------------------------------- vocabularies

SAID = (
    "Transformers (formerly known as pytorch-transformers and pytorch-pretrained-bert) provides "
    "general-purpose architectures (BERT, GPT-2, RoBERTa, XLM, DistilBert, XLNet...) for Natural "
    "Language Understanding (NLU) and Natural Language Generation (NLG) with over 32+ pretrained "
    "models in 100+ languages and deep interoperability between Jax, PyTorch and TensorFlow."
)
QWENS = (  # transformers' tests of Qwen2's tokenizer
    8963, 388, 320, 69514, 3881, 438, 4510, 27414, 32852, 388, 323, 4510, 27414, 21334, 35722, 1455,
    529, 8, 5707, 4586, 58238, 77235, 320, 61437, 11, 479, 2828, 12, 17, 11, 11830, 61437, 64, 11,
    1599, 10994, 11, 27604, 321, 33, 529, 11, 29881, 6954, 32574, 369, 18448, 11434, 45451, 320, 45,
    23236, 8, 323, 18448, 11434, 23470, 320, 30042, 38, 8, 448, 916, 220, 18, 17, 10, 80669, 4119,
    304, 220, 16, 15, 15, 10, 15459, 323, 5538, 94130, 2897, 1948, 619, 706, 11, 5355, 51, 21584,
    323, 94986, 13,
)  # fmt: skip
CHINESE = "🤗 Transformers 提供了可以轻松地下载并且训练先进的预训练模型的 API 和工具。"
CHINESE_IDS = (
    144834, 80532, 93685, 83744, 34187, 73670, 104261, 29490, 62189, 103937, 104034, 102830, 98841,
    104034, 104949, 9370, 5333, 58143, 102011, 1773,
)  # fmt: skip


def test_qwens_vocabulary_is_its_makers() -> None:
    tokenizer = transformers.Qwen2Tokenizer.from_pretrained(BUNDLED / "qwen2")
    assert tuple(tokenizer(SAID).input_ids) == QWENS
    assert tuple(tokenizer(CHINESE).input_ids) == CHINESE_IDS
    marked = "<|im_start|>user\nHello, world!<|im_end|>\n<|endoftext|><think>\n\n</think>"
    assert tokenizer(marked).input_ids == [
        151644, 872, 198, 9707, 11, 1879, 0, 151645, 198, 151643, 151667, 271, 151668,
    ]  # fmt: skip
    assert tokenizer.decode(tokenizer(CHINESE).input_ids) == CHINESE
    assert tokenizer.pad_token_id == 151643
    assert tokenizer.eos_token_id == 151645


def test_qwens_chat_is_that_of_one_who_asks() -> None:
    tokenizer = transformers.Qwen2Tokenizer.from_pretrained(BUNDLED / "qwen2")
    asked = [{"role": "user", "content": "a cat"}]
    before = "<|im_start|>user\na cat<|im_end|>\n<|im_start|>assistant\n"
    for thinking, after in ((True, ""), (False, "<think>\n\n</think>\n\n")):
        said = tokenizer.apply_chat_template(
            asked, tokenize=False, add_generation_prompt=True, enable_thinking=thinking
        )
        assert said == before + after


def test_t5s_vocabulary_is_its_makers() -> None:
    tokenizer = transformers.T5Tokenizer.from_pretrained(BUNDLED / "t5")
    said = "translate English to German: The house is wonderful."  # of transformers' documents
    assert tokenizer(said).input_ids == [13959, 1566, 12, 2968, 10, 37, 629, 19, 1627, 5, 1]
    assert tokenizer("The <extra_id_0> walks in <extra_id_1> park").input_ids == [
        37, 32099, 10681, 16, 32098, 2447, 1,
    ]  # fmt: skip
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)
    assert len(tokenizer) == 32100


# ---------------------------------------------------------------- use


@pytest.fixture(params=["flux", "chroma", "sd3", "flux2", "zimage", "qwen-image", "krea2"])
def known(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Path, str]:
    """A small model of each family, whose small files are those that are shipped."""
    folder = made(request.param, tmp_path_factory)
    facts = open_base(folder).facts
    shutil.copytree(folder, tmp_path / "bundled", ignore=shutil.ignore_patterns("*.safetensors"))
    row = published.Published(facts.family, {}, {}, {part: part for part in facts.parts})
    monkeypatch.setattr(published, "PUBLISHED", (row,))
    monkeypatch.setattr(published, "BUNDLED", tmp_path / "bundled")
    return folder, request.param


def test_a_checkpoint_with_all_in_it_is_the_folders_model(known, tmp_path: Path) -> None:
    """`flux1-dev-fp8` and others of ComfyUI's: text encoders and VAE under names of their own."""
    folder, row = known
    whole = load(open_base(folder), whole_cpu())
    tensors = {
        f"model.diffusion_model.{n}": t
        for n, t in original.NAMES[row](
            load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
        ).items()
    }
    inside = {"CLIPTextModel": "clip_l", "T5EncoderModel": "t5xxl"}
    # those of the small Stable Diffusion 3 are of one width: there alone the names' order tells
    clips = {"text_encoder": "clip_g", "text_encoder_2": "clip_l", "text_encoder_3": "t5xxl"}
    for part in whole.facts.text_encoders:
        net = whole.parts[part]
        name = clips[part] if row == "sd3" else inside.get(type(net).__name__, "qwen3_4b")
        prefix = f"text_encoders.{name}.transformer."
        tensors |= {prefix + n: t for n, t in comfy.file_of(net).items()}
    vae = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    file = tmp_path / "all.safetensors"
    save_file({n: t.clone().contiguous() for n, t in tensors.items()}, file)
    with pytest.raises(VaeMissingError, match="has no vae") as raised:
        open_base(file)
    assert "--vae" in raised.value.hint
    tensors |= {f"vae.{n}": t for n, t in vae.items()}
    save_file({n: t.clone().contiguous() for n, t in tensors.items()}, file)
    base = open_base(file)
    assert {where.path for where in base.weights.values() if isinstance(where, InFile)} == {file}
    ours = load(base, whole_cpu())
    for part in ("transformer", "vae", *whole.facts.text_encoders):
        mine, wanted = ours.parts[part].state_dict(), whole.parts[part].state_dict()
        assert mine.keys() == wanted.keys()
        assert all(torch.equal(mine[n], wanted[n]) for n in wanted if n != "lm_head.weight"), part
    assert vocabulary_of(base).count("a cat") == vocabulary_of(open_base(folder)).count("a cat")


def test_what_is_chosen_beside_it_comes_before_its_own(known, tmp_path: Path) -> None:
    folder, row = known
    base = open_base(folder)
    tensors = original.NAMES[row](
        load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    )
    file = tmp_path / "alone.safetensors"
    save_file({n: t.contiguous() for n, t in tensors.items()}, file)
    there = open_base(file, rest=folder)  # the folder's weights, as ever
    assert {part: there.folders[part] for part in base.facts.parts} == dict(base.folders)
    with pytest.raises(TextsMissingError):
        open_base(file)
    assert dataclasses.replace(there, path=folder).configs == base.configs


FILM = (  # Wan's names, of diffusers', by the place of a layer in its level
    (r"(en|de)coder\.conv_in", r"\1coder.conv1"),
    (r"(en|de)coder\.norm_out", r"\1coder.head.0"),
    (r"(en|de)coder\.conv_out", r"\1coder.head.2"),
    (r"mid_block\.attentions\.0", "middle.1"),
    (r"mid_block\.resnets\.0", "middle.0"),
    (r"mid_block\.resnets\.1", "middle.2"),
    (r"encoder\.down_blocks\.(\d+)", r"encoder.downsamples.\1"),
    (r"((?:down|up)samples\.\d+|middle\.[02])\.norm1", r"\1.residual.0"),
    (r"((?:down|up)samples\.\d+|middle\.[02])\.conv1", r"\1.residual.2"),
    (r"((?:down|up)samples\.\d+|middle\.[02])\.norm2", r"\1.residual.3"),
    (r"((?:down|up)samples\.\d+|middle\.[02])\.conv2", r"\1.residual.6"),
    (r"conv_shortcut", "shortcut"),
    (r"^quant_conv", "conv1"),
    (r"^post_quant_conv", "conv2"),
)


def wans(name: str) -> str:
    def flat(found: re.Match[str]) -> str:
        level, place = int(found[1]), 3 if found[2].startswith("up") else int(found[2][-1])
        return f"decoder.upsamples.{4 * level + place}"

    name = re.sub(r"decoder\.up_blocks\.(\d+)\.(resnets\.\d|upsamplers\.0)", flat, name)
    for old, new in FILM:
        name = re.sub(old, new, name)
    return name


@pytest.mark.parametrize("form", ["flux", "flux2", "film"])
def test_a_vae_in_its_authors_names_is_read(tmp_path: Path, form: str) -> None:
    """`ae`, `flux2-vae` and `qwen_image_vae`, as ComfyUI has them, at true size by their names."""
    row = {"flux": "flux/transformer-dev", "flux2": "flux2/transformer-4b",
           "film": "qwen-image/transformer"}[form]  # fmt: skip
    config = json.loads((BUNDLED / ROWS[row].folders["vae"] / "config.json").read_text())
    with torch.device("meta"):
        net = getattr(diffusers, config["_class_name"]).from_config(config)
    wanted = net.state_dict()
    if form == "film":
        theirs = {wans(name): tensor for name, tensor in wanted.items()}
    else:
        numbers = {name: tensor for name, tensor in wanted.items() if name.startswith("bn.")}
        theirs = ldm.vae({n: t for n, t in wanted.items() if n not in numbers}) | numbers
        if form == "flux2":
            theirs = {
                re.sub("^(quant|post_quant)_conv", lambda m: {"quant": "encoder.quant_conv",
                       "post_quant": "decoder.post_quant_conv"}[m[1]], name): tensor
                for name, tensor in theirs.items()
            }  # fmt: skip
    file = header_file(tmp_path / "vae.safetensors", {n: tuple(t.shape) for n, t in theirs.items()})
    texts = file_of(ROWS[row], tmp_path / "net.safetensors")
    base = open_base(texts, file, whole=False)
    where = base.weights["vae"]
    assert isinstance(where, InFile)
    turned = NAMINGS[where.naming](theirs, where.prefix, net)
    assert {n: t.shape for n, t in wanted.items()} == {n: turned[n].shape for n in wanted}
