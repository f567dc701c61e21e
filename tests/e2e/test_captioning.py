"""Captioners of every kind: known by their files, loaded whole, asked, over the worker's pipe."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from PIL import Image

from core.base.captioners import KINDS, WELL_KNOWN, open_captioner
from core.captioning import reader
from core.captioning.captions import captioned
from core.captioning.reader import Reader, Said
from core.captioning.tagger import in_words, prepared
from core.data.decode import open_rgb
from core.errors import CaptionerError, MemoryFullError, UserError
from core.protocol import wire
from core.protocol.commands import CaptionJob, Stop
from core.protocol.events import Captioned, Event, Failed, Finished, Progress, Warned
from tests.conftest import draw_picture
from tests.tiny_captioners import CAPTIONERS, TAGS, tagger_numbers

ROOT = Path(__file__).parents[2]
OF_SENTENCES = [name for name in CAPTIONERS if name != "tagger"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Each captioner of tests/tiny_captioners.py, made once."""
    there = tmp_path_factory.mktemp("captioners")

    def made(name: str) -> Path:
        return there / name if (there / name).exists() else CAPTIONERS[name](there / name)

    return made


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Of other sizes and colours each."""
    sizes = ((64, 64), (48, 96), (120, 40))
    return [draw_picture(tmp_path / f"p{n}.png", n, size) for n, size in enumerate(sizes)]


def told(read: Reader, paths: list[Path]) -> list[Captioned | Warned]:
    return list(captioned(read, paths, lambda: False))


@pytest.mark.parametrize("name", CAPTIONERS)
def test_every_kind_tells_of_every_picture(name: str, folder, pictures: list[Path]) -> None:
    found = open_captioner(folder(name))
    assert (name in found.kind.model_types) or found.kind.name == name
    loaded = reader.load(found)
    events = told(loaded, pictures)
    assert [Path(event.path) for event in events] == pictures
    assert all(isinstance(event, Captioned) for event in events)
    said = [(event.text, tuple(event.tags)) for event in events]
    assert len(set(said)) == len(pictures), "a picture makes a difference"
    assert all(bool(text) != bool(tags) for text, tags in said)
    assert told(reader.load(found), pictures) == events  # no chance in it


@pytest.mark.parametrize("name", OF_SENTENCES)
def test_what_is_asked_for_makes_a_difference(name: str, folder, pictures: list[Path]) -> None:
    found = open_captioner(folder(name))
    other = found.kind.wishes[1].prompt if len(found.kind.wishes) > 1 else "a fox"
    before, after = (told(reader.load(found, prompt), pictures) for prompt in ("", other))
    assert [event.text for event in before] != [event.text for event in after]


@pytest.mark.parametrize("name", ["blip", "florence2"])
def test_several_at_once_tell_the_same(name: str, folder, pictures: list[Path]) -> None:
    loaded = reader.load(open_captioner(folder(name)))
    together = loaded.read([open_rgb(path) for path in pictures])
    assert together == [loaded.read([open_rgb(path)])[0] for path in pictures]


def test_blip_goes_on_from_the_words_it_is_given(folder, pictures: list[Path]) -> None:
    loaded = reader.load(open_captioner(folder("blip")), "a fox")
    assert all(event.text.startswith("a fox") for event in told(loaded, pictures))


def reference(path: Path, edge: int) -> np.ndarray:
    """As the taggers' author prepares a picture, written anew: numpy in place of pasting."""
    with Image.open(path) as image:
        rgba = np.asarray(image.convert("RGBA"), np.float64)
    alpha = rgba[..., 3:] / 255
    on_white = np.rint(rgba[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    height, width = on_white.shape[:2]
    longer = max(height, width)
    square = np.full((longer, longer, 3), 255, np.uint8)
    top, left = (longer - height) // 2, (longer - width) // 2
    square[top : top + height, left : left + width] = on_white
    scaled = np.asarray(Image.fromarray(square).resize((edge, edge), Image.Resampling.BICUBIC))
    return scaled[..., [2, 1, 0]].astype(np.float32)[None]


@pytest.mark.parametrize("size", [(37, 20), (20, 37), (16, 16), (7, 5), (101, 64)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_tagger_sees_a_picture_as_its_author_has_it(tmp_path: Path, size, mode: str) -> None:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (size[1], size[0], len(mode)), dtype=np.uint8)
    path = tmp_path / "p.png"
    Image.fromarray(pixels).save(path)
    seen = prepared(open_rgb(path), 16)
    assert seen.shape == (1, 16, 16, 3)
    assert seen.dtype == np.float32
    assert np.abs(seen - reference(path, 16)).max() <= 2  # of 255: rounding of what shines through
    if mode == "RGB":
        assert (seen == reference(path, 16)).all()


def test_a_taggers_scores_are_its_nets(folder, pictures: list[Path]) -> None:
    """Computed once more by numpy; ratings and other categories are no part of a caption."""
    weights, bias = tagger_numbers()
    (event, *_) = told(reader.load(open_captioner(folder("tagger"))), pictures[1:])
    sums = reference(pictures[1], 16).reshape(-1) @ weights + bias
    scores = 1 / (1 + np.exp(-sums))
    wanted = {
        in_words(name): score
        for (_, name, category, _), score in zip(TAGS, scores, strict=True)
        if category in (0, 4) and score > 0.1
    }
    assert wanted
    assert {tag.name: tag.score for tag in event.tags} == pytest.approx(wanted, abs=1e-4)
    assert [tag.name for tag in event.tags] == sorted(wanted, key=lambda name: -wanted[name])
    assert {tag.name for tag in event.tags if tag.character} <= {"hatsune miku"}


def test_faces_keep_their_underscores() -> None:
    assert [in_words(name) for name in ("long_hair", "^_^", "fox_(animal)", "||_||")] == [
        "long hair", "^_^", "fox (animal)", "||_||"
    ]  # fmt: skip


def altered(folder: Path, copy: Path, change: Callable[[Path], object]) -> Path:
    shutil.copytree(folder, copy)
    change(copy)
    return copy


def as_on_the_hub(folder: Path) -> None:
    """The layout of files and the names of classes that repositories have which are some years old.

    Pictures' settings in a file of their own, with the quick classes' names; special tokens in one
    of their own; a chat's template as JSON; settings for videos; chance in the model's settings.
    """
    both = folder / "processor_config.json"
    settings = json.loads(both.read_text()) if both.exists() else {}
    pictures = folder / "preprocessor_config.json"
    if own := settings.pop("image_processor", None):
        pictures.write_text(json.dumps({**own, "processor_class": settings["processor_class"]}))
        both.unlink()
        if len(settings) > 1:
            both.write_text(json.dumps(settings))
    said = json.loads(pictures.read_text())
    kind = str(said["image_processor_type"])
    if kind.startswith("Qwen2VL"):
        size = said.pop("size")
        said |= {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]}
        said |= {"image_processor_type": f"{kind}Fast", "processor_class": "Qwen3VLProcessor"}
        (folder / "video_preprocessor_config.json").write_text(
            json.dumps({**said, "video_processor_type": "Qwen3VLVideoProcessor"})
        )
    pictures.write_text(json.dumps(said))
    if (template := folder / "chat_template.jinja").exists():
        (folder / "chat_template.json").write_text(
            json.dumps({"chat_template": template.read_text()})
        )
        template.unlink()
    tokens = folder / "tokenizer_config.json"
    held = json.loads(tokens.read_text())
    special = {name: held[name] for name in held if name.endswith("_token") and held[name]}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    generation = folder / "generation_config.json"
    usual = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20}
    generation.write_text(json.dumps({**json.loads(generation.read_text()), **usual}))


@pytest.mark.parametrize("name", OF_SENTENCES)
def test_older_layouts_tell_the_same(name: str, folder, pictures, tmp_path: Path) -> None:
    older = altered(folder(name), tmp_path / "older", as_on_the_hub)
    wanted = told(reader.load(open_captioner(folder(name))), pictures)
    assert told(reader.load(open_captioner(older)), pictures) == wanted


def with_config(**values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))

    return change


def cut_csv(folder: Path) -> None:
    rows = (folder / "selected_tags.csv").read_text().splitlines(keepends=True)
    (folder / "selected_tags.csv").write_text("".join(rows[:-1]))


def without_a_tensor(folder: Path) -> None:
    file = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(file)
    tensors.pop(sorted(tensors)[3])
    safetensors.torch.save_file(tensors, file, {"format": "pt"})


def as_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("blip", with_config(model_type="llama"), "is a llama, which is not read. Choose one of"),
        ("blip", with_config(model_type=7), "is a 7, which is not read"),
        ("florence2", with_config(auto_map={}), "wants code of its own .*florence-community"),
        ("blip", lambda f: (f / "config.json").unlink(), "is no captioner: it has neither"),
        ("blip", lambda f: (f / "config.json").write_text("{"), "it is no JSON"),
        ("blip", lambda f: (f / "processor_config.json").unlink(), "no preprocessor_config.json"),
        ("blip", as_pickle, "are a pickle, which can run code"),
        ("blip", lambda f: (f / "model.safetensors").unlink(), "has no .safetensors file"),
        ("tagger", lambda f: (f / "selected_tags.csv").unlink(), "has no selected_tags.csv"),
        ("tagger", lambda f: (f / "model.onnx").unlink(), "has no model.onnx"),
    ],
)  # fmt: skip
def test_what_is_none_is_told_by_its_files(name: str, change, words: str, folder, tmp_path) -> None:
    broken = altered(folder(name), tmp_path / "broken", change)
    with pytest.raises(CaptionerError, match=words) as caught:
        open_captioner(broken)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("blip", without_a_tensor, "is not whole: it lacks"),
        ("qwen3_vl", without_a_tensor, "is not whole: it lacks"),
        ("blip", lambda f: (f / "tokenizer.json").write_text("{}"), "cannot be loaded"),
        ("blip", lambda f: (f / "model.safetensors").write_bytes(b"x" * 99_999), "cannot be loaded"),
        ("florence2", with_config(text_config={"vocab_size": 900_000, "d_model": 512,
                                               "model_type": "bart"}), "its net wants"),
        ("tagger", cut_csv, "does not work: .* has 9 tags"),
        ("tagger", lambda f: (f / "model.onnx").write_bytes(b"x" * 99), "cannot be loaded"),
        ("tagger", lambda f: (f / "selected_tags.csv").write_bytes(b"\xff"), "cannot be read"),
        ("tagger", lambda f: (f / "selected_tags.csv").write_text("a,b\n1,2\n"), "no column 'name'"),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_never_asked(name: str, change, words: str, folder, tmp_path) -> None:
    broken = altered(folder(name), tmp_path / "broken", change)
    with pytest.raises(UserError, match=words):
        reader.load(open_captioner(broken))


def test_a_large_number_that_is_no_size_is_none(folder, tmp_path: Path) -> None:
    """As the rotary base of Qwen3-VL; sizes are still looked at."""
    large = altered(folder("qwen3_vl"), tmp_path / "large", with_config(rope_theta=5_000_000))
    assert open_captioner(large).kind.name == "chat"
    broken = altered(folder("qwen3_vl"), tmp_path / "broken", with_config(hidden_size=5_000_000))
    with pytest.raises(CaptionerError, match="its hidden_size is 5e"):
        open_captioner(broken)


def test_a_base_and_a_file_are_no_captioners(tmp_path: Path, tiny_base: Path) -> None:
    with pytest.raises(CaptionerError, match="is a base model"):
        open_captioner(tiny_base)
    with pytest.raises(CaptionerError, match="is a file"):
        open_captioner(tiny_base / "model_index.json")
    with pytest.raises(CaptionerError, match="cannot be read: No such file"):
        open_captioner(tmp_path / "nowhere")


def test_without_onnxruntime_a_tagger_says_what_is_missing(folder, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(CaptionerError, match="needs onnxruntime, which cannot be loaded") as caught:
        reader.load(open_captioner(folder("tagger")))
    assert "another kind of captioner" in caught.value.hint


def test_no_torch_is_loaded_for_a_tagger(folder, pictures: list[Path]) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom core.base.captioners import open_captioner\n"
        "from core.captioning import reader\nfrom core.captioning.captions import captioned\n"
        "loaded = reader.load(open_captioner(Path(sys.argv[1])))\n"
        "assert list(captioned(loaded, [Path(sys.argv[2])], lambda: False))[0].tags\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    words = [sys.executable, "-c", code, str(folder("tagger")), str(pictures[0])]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_one_picture_that_cannot_be_is_told_and_the_others_go_on(pictures: list[Path]) -> None:
    pictures[1].write_bytes(b"no picture")

    def read(images: list[Image.Image]) -> list[Said]:
        if any(image.size == (120, 40) for image in images):
            raise ValueError("what an odd shape\nmore")
        return [Said(f"{image.width} wide") for image in images]

    events = told(Reader(read, 8, "CPU"), pictures)
    assert [Path(event.path) for event in events] == [pictures[1], pictures[0], pictures[2]]
    assert events[0].message.startswith("p1.png cannot be opened (")
    assert events[1].text == "64 wide"
    assert events[2].message == "p2.png could not be captioned (what an odd shape)."


def test_too_small_a_memory_takes_fewer_at_once(pictures: list[Path]) -> None:
    asked: list[int] = []

    def read(images: list[Image.Image], room: int) -> list[Said]:
        asked.append(len(images))
        if len(images) > room:
            raise MemoryFullError("full")
        return [Said("x") for _ in images]

    events = told(Reader(lambda images: read(images, 1), 3, "GPU"), pictures)
    assert [event.path for event in events] == [str(path) for path in pictures]
    assert asked == [3, 1, 1, 1]
    with pytest.raises(MemoryFullError):
        told(Reader(lambda images: read(images, 0), 3, "GPU"), pictures)


def in_worker(job: CaptionJob, *words: Stop, stop_after: int = 0) -> tuple[int, list[Event]]:
    """A real worker over its pipe; `stop_after` so many captions it is told to stop."""
    with subprocess.Popen(
        [sys.executable, "stylewright.py", "--worker"], cwd=ROOT, env=dict(os.environ),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as worker:  # fmt: skip
        worker.stdin.write(b"".join(wire.to_line(word) for word in (job, *words)))
        worker.stdin.flush()
        events: list[Event] = []
        for line in worker.stdout:
            events.append(wire.event_from(line))
            if stop_after and sum(isinstance(one, Captioned) for one in events) == stop_after:
                worker.stdin.write(wire.to_line(Stop()))
                worker.stdin.flush()
                stop_after = 0
        return worker.wait(), events


@pytest.mark.parametrize("name", CAPTIONERS)
def test_a_worker_tells_of_each_picture_as_it_comes(name: str, folder, pictures) -> None:
    pictures[1].write_bytes(b"no picture")
    job = CaptionJob(model=str(folder(name)), pictures=[str(path) for path in pictures])
    code, events = in_worker(job)
    assert code == 0
    captions = [event for event in events if isinstance(event, Captioned)]
    assert captions == told(reader.load(open_captioner(folder(name))), [pictures[0], pictures[2]])
    (warned,) = [event for event in events if isinstance(event, Warned)]
    assert warned.path == str(pictures[1])
    counted = [event.done for event in events if isinstance(event, Progress) and event.total == 3]
    assert counted == [0, 0, 1, 2, 3]
    assert events[-1] == Finished()


def test_stop_is_seen_between_two_pictures(folder, tmp_path: Path) -> None:
    paths = [draw_picture(tmp_path / f"p{n:03}.png", n, (900, 900)) for n in range(60)]
    job = CaptionJob(model=str(folder("tagger")), pictures=[str(path) for path in paths])
    code, events = in_worker(job, stop_after=2)
    assert code == 0
    assert events[-1] == Finished(stopped=True)
    assert 2 <= sum(isinstance(event, Captioned) for event in events) < len(paths)


def test_a_worker_says_why_it_cannot(tmp_path: Path) -> None:
    code, events = in_worker(CaptionJob(model=str(tmp_path), pictures=[]))
    assert code == 2
    assert isinstance(events[-1], Failed)
    assert events[-1].code == "captioner"
    assert not events[-1].traceback


def test_wishes_can_be_named_by_their_titles(folder, pictures: list[Path]) -> None:
    found = open_captioner(folder("florence2"))
    by_name, by_task = (
        told(reader.load(found, words), pictures[:1])
        for words in ("a PARAGRAPH", "<MORE_DETAILED_CAPTION>")
    )
    assert by_name == by_task != told(reader.load(found), pictures[:1])
    assert found.kind.asked("") == "<DETAILED_CAPTION>"
    assert open_captioner(folder("blip")).kind.asked("a fox") == "a fox"
    assert open_captioner(folder("tagger")).kind.asked("") == ""


def test_each_kind_has_its_reader_and_each_known_one_its_words() -> None:
    assert set(reader._MODULES) == {kind.name for kind in KINDS}
    for known in WELL_KNOWN:
        assert "/" in known.repo
        assert " GB" in known.sentence
