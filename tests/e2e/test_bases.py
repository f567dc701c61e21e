"""Base models that are not whole, are of another kind, or are saved in other ways."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core import cli
from core.base.opening import open_base
from core.base.value import InFolder
from core.config import files
from core.errors import BaseModelError
from core.families import clip, loading
from core.families.device import whole_cpu
from core.families.registry import load
from core.hashing import RememberedHashes
from core.project.layout import Project
from core.training.control import Control
from core.training.train import train

WEIGHTS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}


@pytest.fixture
def base(tmp_path: Path, tiny_base: Path) -> Path:
    return Path(shutil.copytree(tiny_base, tmp_path / "base with space ü 猫"))


def settings(base: Path, part: str, **changed: object) -> None:
    name = "scheduler_config.json" if part == "scheduler" else "config.json"
    file = base / part / name
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))


def loaded(base: Path):
    return load(open_base(base), whole_cpu())


@pytest.mark.parametrize("part", WEIGHTS)
def test_a_missing_tensor_is_named_and_nothing_is_made_up(base: Path, part: str) -> None:
    """Both libraries would fill the hole with random numbers, new ones at each load."""
    file = base / part / WEIGHTS[part]
    tensors = load_file(file)
    lost = sorted(tensors)[3]
    del tensors[lost]
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(BaseModelError, match="not whole") as caught:
        loaded(base)
    assert part in caught.value.message
    assert lost.removeprefix("text_model.") in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("part", WEIGHTS)
def test_a_tensor_of_another_shape_is_named(base: Path, part: str) -> None:
    file = base / part / WEIGHTS[part]
    tensors = load_file(file)
    name = sorted(k for k, t in tensors.items() if t.ndim == 1)[0]
    tensors[name] = torch.zeros(tensors[name].numel() + 8)
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(BaseModelError) as caught:
        loaded(base)
    assert part in caught.value.message


@pytest.mark.parametrize("part", WEIGHTS)
@pytest.mark.parametrize("variant", ["fp16", "non_ema"])
def test_a_folder_with_one_variant_of_its_weights_is_whole(
    base: Path, part: str, variant: str
) -> None:
    file = base / part / WEIGHTS[part]
    file.rename(file.with_suffix(f".{variant}.safetensors"))
    (base / "text_encoder" / "pytorch_model.bin").write_bytes(b"old")
    assert loaded(base).multiple_px == 16


def test_the_plain_variant_counts_where_there_are_several(base: Path) -> None:
    file = base / "unet" / WEIGHTS["unet"]
    shutil.copy(file, file.with_suffix(".fp16.safetensors"))
    assert open_base(base).weights["unet"] == InFolder("")


def test_a_pickle_that_holds_code_is_not_opened_and_told_in_our_words(base: Path) -> None:
    (base / "text_encoder" / WEIGHTS["text_encoder"]).unlink()
    harm = base / "harm"

    class Harm:
        def __reduce__(self):
            return (Path.touch, (harm,))

    with (base / "text_encoder" / "pytorch_model.bin").open("wb") as file:
        pickle.dump(Harm(), file)
    with pytest.raises(BaseModelError, match="text_encoder") as caught:
        loaded(base)
    assert "weights_only=False" not in str(caught.value)
    assert not harm.exists()


@pytest.mark.parametrize(
    ("part", "changed", "words"),
    [
        ("unet", {"in_channels": 9}, "inpainting"),
        ("unet", {"cross_attention_dim": 1024}, "unet of the base model"),
        ("scheduler", {"_class_name": "FlowMatchEulerDiscreteScheduler"}, "flow model"),
        ("scheduler", {"prediction_type": "sample"}, "predicts 'sample'"),
        ("scheduler", {"num_train_timesteps": 900_000}, "training times"),
        ("scheduler", {"num_train_timesteps": 10**9}, "num_train_timesteps"),
        ("text_encoder", {"hidden_size": 10**9}, "hidden_size"),
        ("text_encoder", {"vocab_size": 12}, "text_encoder"),
    ],
)
def test_another_kind_is_named_before_anything_is_loaded(
    base: Path, part: str, changed: dict, words: str
) -> None:
    settings(base, part, **changed)
    with pytest.raises(BaseModelError, match=words):
        loaded(base)


@pytest.mark.parametrize(("size", "edge"), [([8, 8], 64), ([8, 16], 128), (None, 512)])
def test_a_unets_size_may_be_one_edge_two_or_none(base: Path, size, edge: int) -> None:
    settings(base, "unet", sample_size=size)
    assert loaded(base).size_px == edge


def test_a_mark_before_the_index_is_read(base: Path) -> None:
    index = base / "model_index.json"
    index.write_bytes(b"\xef\xbb\xbf" + index.read_bytes())
    assert open_base(base).facts.family == "sd1"


def test_a_text_encoder_of_another_model_is_told(base: Path) -> None:
    settings(base, "unet", cross_attention_dim=64)
    with pytest.raises(BaseModelError):
        loaded(base)


def test_what_fails_only_in_use_fails_at_once(base: Path, monkeypatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError("operands could not be broadcast")

    monkeypatch.setattr(loading.DDIMScheduler, "step", fails)
    with pytest.raises(BaseModelError, match="do not fit together: operands"):
        loaded(base)


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(1)}, file)
    with pytest.raises(BaseModelError, match="no model that is known"):
        open_base(file)


def test_check_and_new_look_at_the_base(project: Project, base: Path, tmp_path, capsys) -> None:
    file = base / "unet" / WEIGHTS["unet"]
    save_file({"conv_in.bias": torch.zeros(32)}, file, {"format": "pt"})
    project.save(files.with_changes(project.config(), [f"base={base}"]))
    assert cli.main(["check", str(project.root)]) == 2
    assert "not whole" in capsys.readouterr().err
    words = ["new", str(tmp_path / "new"), "--base", str(tmp_path / "nowhere"), "--images"]
    assert cli.main([*words, str(project.images)]) == 2
    assert "no base model" in capsys.readouterr().err
    words[3] = str(base)
    assert cli.main([*words, str(project.images / "p00.png")]) == 2
    assert "is no folder" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_wrong_base_is_told_before_the_pictures_are_read(project: Project, monkeypatch) -> None:
    project.save(files.with_changes(project.config(), ["base=/nowhere/sd15"]))
    monkeypatch.setattr("core.training.pictures.read", lambda *_: pytest.fail("read"))
    with pytest.raises(BaseModelError, match="/nowhere/sd15"):
        list(train(project, Control()))


def test_fingerprints_are_remembered_until_a_file_changes(base: Path, tmp_path, monkeypatch):
    memory = tmp_path / "memory.json"
    first = open_base(base).fingerprints(RememberedHashes(memory))
    monkeypatch.setattr("core.hashing.file_hash", lambda path: pytest.fail(f"{path} read again"))
    assert open_base(base).fingerprints(RememberedHashes(memory)) == first
    monkeypatch.undo()
    vocabulary = base / "tokenizer" / "tokenizer_config.json"
    vocabulary.write_text(vocabulary.read_text() + " ")
    changed = open_base(base).fingerprints(RememberedHashes(memory))
    assert {part for part in first if first[part] != changed[part]} == {"tokenizer"}
    memory.write_text("[[[")
    assert open_base(base).fingerprints(RememberedHashes(memory)) == changed


def test_a_changed_tokenizer_asks_a_frozen_encoder_anew(project: Project, base: Path) -> None:
    """What a caption meant before is not taken from the cache."""
    changes = [f"base={base}", "adapter.text_encoder=false", "training.steps=2"]
    project.save(files.with_changes(project.config(), changes))
    list(train(project, Control()))
    file = base / "tokenizer" / "tokenizer.json"
    tree = json.loads(file.read_text())
    vocabulary = tree["model"]["vocab"]
    vocabulary["a</w>"], vocabulary["b</w>"] = vocabulary["b</w>"], vocabulary["a</w>"]
    file.write_text(json.dumps(tree))
    list(train(project, Control()))
    from core.adapters import files as adapter_files

    first, second = (adapter_files.read(run.newest_adapter())[0] for run in project.runs())
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_a_tokenizer_that_does_not_say_its_length_reads_77_tokens(base: Path) -> None:
    file = base / "tokenizer" / "tokenizer_config.json"
    said = json.loads(file.read_text())
    said.pop("model_max_length")
    file.write_text(json.dumps(said))
    model = loaded(base)
    (condition,) = model.family.text_encoders["text_encoder"].encode(model, ["a ball"])
    assert condition["text"].shape == (77, 32)


def test_long_texts_are_read_in_chunks_that_end_with_a_word(tiny_base: Path) -> None:
    tokenizer = loaded(tiny_base).parts["tokenizer"]
    words = " ".join(["abcd"] * 40)  # four tokens each: 160
    made = clip.chunks(tokenizer, words, 75)
    assert [len(chunk) for chunk in made] == [77, 77, 77]
    for chunk, count in zip(made, (72, 72, 16), strict=True):
        assert chunk[0] == tokenizer.bos_token_id
        assert chunk[count + 1] == tokenizer.eos_token_id
        assert set(chunk[count + 1 :]) == {tokenizer.pad_token_id}
    inside = [
        token for chunk, n in zip(made, (72, 72, 16), strict=True) for token in chunk[1 : n + 1]
    ]
    assert inside == tokenizer(words, add_special_tokens=False).input_ids
    assert len(clip.chunks(tokenizer, "", 75)) == 1
    assert len(clip.chunks(tokenizer, "x" * 100, 75)) == 2  # one endless word is cut


def test_a_short_text_beside_a_long_one_is_read_as_it_is_alone(tiny_base: Path) -> None:
    """A picture's loss does not depend on whose caption shares its batch."""
    from core.families.condition import stack

    model = loaded(tiny_base)
    short, long = model.family.text_encoders["text_encoder"].encode(
        model, ["a ball", " ".join(["ball"] * 60)]
    )
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 8, 8, generator=rng)
    t = torch.tensor([400, 400])
    with torch.no_grad():
        together = model.family.predict(model, x, t, stack([short, long]))
        alone = model.family.predict(model, x[:1], t[:1], stack([short]))
    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)


def test_a_prompts_end_is_drawn_however_long_it_is(tiny_base: Path) -> None:
    from core.families.family import DrawOptions, draw_texts

    model = loaded(tiny_base)
    options = DrawOptions(64, 64, 4, 3.0, 0.0)
    start = " ".join(["ball"] * 40)
    drawn = draw_texts(model, ["a ball", f"{start} red", f"{start} blue"], [1, 1, 1], options)
    (alone,) = draw_texts(model, ["a ball"], [1], options)
    assert not torch.equal(drawn[1], drawn[2])
    torch.testing.assert_close(drawn[0], alone, atol=1e-3, rtol=0)
