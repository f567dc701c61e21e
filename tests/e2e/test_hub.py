"""Base models from the hub, from a server of ours that speaks as the hub does."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.base import hub
from core.base.captioners import open_captioner
from core.base.opening import open_base
from core.errors import BaseModelError, StorageError
from tests.tiny_captioners import CAPTIONERS

ROOT = Path(__file__).parents[2]
REVISION = "a" * 40


@dataclass
class Hub:
    """One repository, and what was asked for."""

    folder: Path
    status: int = 200  # of everything
    error: str = ""  # the hub's word for why
    cut_after: int = 0  # bytes of a large file, once; then the line is dead
    asked: list[str] = field(default_factory=list)
    config: dict | None = None  # as the hub tells it
    server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def files(self) -> dict[str, Path]:
        return {
            p.relative_to(self.folder).as_posix(): p
            for p in sorted(self.folder.rglob("*"))
            if p.is_file()
        }


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        served: Hub = self.server.served
        if served.status != 200:
            self.send_response(served.status)
            if served.error:
                self.send_header("X-Error-Code", served.error)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path.startswith("/api/models/"):
            siblings = [
                {"rfilename": name, "size": p.stat().st_size} for name, p in served.files().items()
            ]
            content = json.dumps(
                {
                    "id": "maker/model", "sha": REVISION, "siblings": siblings,
                    "cardData": {"license": "openrail"}, "tags": [], "private": False,
                    "downloads": 1, "likes": 1, "config": served.config,
                }
            ).encode()  # fmt: skip
            self.whole(content, "application/json", body=body)
            return
        name = re.sub(rf"^/maker/model/resolve/{REVISION}/", "", self.path)
        content = served.files()[name].read_bytes()
        if body:
            served.asked.append(f"{name} {self.headers.get('Range', '')}".strip())
        begin = int(re.findall(r"\d+", self.headers.get("Range", "0"))[0])
        self.send_response(206 if begin else 200)
        self.send_header("ETag", f'"{sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Accept-Ranges", "bytes")
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        if not body:
            return
        if served.cut_after and len(content) > served.cut_after and not begin:
            self.wfile.write(content[: served.cut_after])
            self.wfile.flush()
            served.cut_after = 0
            served.status = 503
            self.close_connection = True
            return
        self.wfile.write(content[begin:])

    def whole(self, content: bytes, kind: str, *, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)


@pytest.fixture
def there(tmp_path: Path, tiny_base: Path) -> Iterator[Hub]:
    """The tiny base as a repository, with what else such ones hold."""
    folder = tmp_path / "repository"
    shutil.copytree(tiny_base, folder)
    (folder / "model.ckpt").write_bytes(b"pickle")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    (folder / "unet" / "diffusion_pytorch_model.non_ema.safetensors").write_bytes(b"other")
    (folder / "safety_checker").mkdir()
    (folder / "safety_checker" / "model.safetensors").write_bytes(b"not wanted")
    (folder / "LICENSE.md").write_text("as you like")
    served = Hub(folder)
    served.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    served.server.served = served
    thread = threading.Thread(target=served.server.serve_forever, daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()


CODE = """
import sys
from pathlib import Path
from core.base import hub
from core.errors import UserError
url, to, stop_at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
told = []
def tell(name, done, total):
    told.append((done, total))
    if stop_at and done >= stop_at:
        raise hub.StoppedError
try:
    offer = hub.offer("maker/model", url)
    print(offer.licence, offer.total_bytes, len(offer.files))
    hub.fetch(offer, to, tell, url)
    assert told == sorted(told) and (not told or told[-1] == (offer.total_bytes,) * 2), told
    print("whole")
except hub.StoppedError:
    print("stopped")
except UserError as error:
    print(type(error).__name__, error)
"""


def fetched(served: Hub, to: Path, stop_at: int = 0) -> str:
    """In a process of its own: the tests' one may reach nothing."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CODE, served.url, str(to), str(stop_at)],
        capture_output=True, text=True, cwd=ROOT, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_base_is_fetched_whole_and_opens(there: Hub, tmp_path: Path, tiny_base: Path) -> None:
    to = tmp_path / "models" / "model"
    said = fetched(there, to)
    assert said.startswith("openrail ")
    assert said.endswith("whole\n")
    ours = {p.relative_to(to).as_posix() for p in to.rglob("*") if p.is_file()}
    assert ours == {*(p.relative_to(tiny_base).as_posix() for p in tiny_base.rglob("*")
                      if p.is_file()), "LICENSE.md"}  # fmt: skip
    assert open_base(to).facts.title == open_base(tiny_base).facts.title
    there.asked.clear()
    assert fetched(there, to).endswith("whole\n")
    assert there.asked == []  # it is all there


def test_a_stop_keeps_what_is_there_and_the_next_goes_on(there: Hub, tmp_path: Path) -> None:
    big = there.folder / "unet" / "diffusion_pytorch_model.safetensors"
    to = tmp_path / "m"
    assert fetched(there, to, stop_at=1000).endswith("stopped\n")
    done = {p.name for p in to.rglob("*.json")}
    there.asked.clear()
    assert fetched(there, to).endswith("whole\n")
    assert (to / "unet" / big.name).read_bytes() == big.read_bytes()
    assert not [line for line in there.asked if line.split()[0].rpartition("/")[2] in done - {
        "config.json", "tokenizer_config.json"}]  # fmt: skip


def test_a_line_that_dies_in_a_file_goes_on_within_it(there: Hub, tmp_path: Path) -> None:
    big = there.folder / "unet" / "diffusion_pytorch_model.safetensors"
    half = there.cut_after = big.stat().st_size // 2
    to = tmp_path / "m"
    said = fetched(there, to)
    assert "could not be reached for maker/model" in said
    assert "what was fetched stays" in said
    there.status = 200
    there.asked.clear()
    assert fetched(there, to).endswith("whole\n")
    (again,) = [line for line in there.asked if big.name in line and "unet" in line]
    assert 0 < int(re.findall(r"bytes=(\d+)-", again)[0]) <= half
    assert not list(to.rglob("*.part"))
    assert (to / "unet" / big.name).read_bytes() == big.read_bytes()


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (403, "GatedRepo", "wants its terms accepted first. Open its page"),
        (404, "RepoNotFound", "The hub has no maker/model"),
        (503, "", "could not be reached"),
    ],
)
def test_why_it_cannot_be_fetched_is_said(there: Hub, tmp_path, status, error, words) -> None:
    there.status, there.error = status, error
    said = fetched(there, tmp_path / "m")
    assert said.startswith("BaseModelError")
    assert words in said


def test_a_file_that_came_otherwise_is_not_kept(there: Hub, tmp_path: Path) -> None:
    """A half that another program left there under that name."""
    big = there.folder / "unet" / "diffusion_pytorch_model.safetensors"
    there.cut_after = big.stat().st_size // 2
    to = tmp_path / "m"
    fetched(there, to)
    (part,) = to.rglob("*.part")
    part.write_bytes(bytes(part.stat().st_size))
    there.status = 200
    assert "came otherwise than the hub has it" in fetched(there, to)
    assert not (to / "unet" / big.name).exists()
    assert fetched(there, to).endswith("whole\n")
    assert (to / "unet" / big.name).read_bytes() == big.read_bytes()


def test_nobody_answers(there: Hub, tmp_path: Path) -> None:
    there.server.shutdown()
    there.server.server_close()
    assert "could not be reached for maker/model" in fetched(there, tmp_path / "m")


def test_a_full_disk_is_told_before(tmp_path: Path, monkeypatch) -> None:
    offer = hub.Offer("maker/model", REVISION, "", {"model_index.json": 10**18})
    with pytest.raises(StorageError, match=r"1000000000\.0 GB are to be fetched") as caught:
        hub.fetch(offer, tmp_path / "new" / "m", lambda *_: None)
    assert "another disk" in caught.value.hint


SHARDED = {
    "model_index.json": 1, "README.md": 1, "sd.safetensors": 9, "v1.ckpt": 9,
    "text_encoder/config.json": 1,
    "text_encoder/model.safetensors": 4, "text_encoder/model.fp16.safetensors": 2,
    "unet/config.json": 1,
    "unet/diffusion_pytorch_model-00001-of-00002.safetensors": 5,
    "unet/diffusion_pytorch_model-00002-of-00002.safetensors": 5,
    "unet/diffusion_pytorch_model.safetensors.index.json": 1,
    "unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors": 5,
    "unet/diffusion_pytorch_model.safetensors.index.fp16.json": 1,
    "unet/model.onnx": 7,
    "tokenizer/merges.txt": 1, "tokenizer/vocab.json": 1, "tokenizer/tokenizer_config.json": 1,
    "tokenizer_2/spiece.model": 1, "tokenizer_2/tokenizer.json": 1,
    "scheduler/scheduler_config.json": 1,
    "feature_extractor/preprocessor_config.json": 1,
    "images/shown.png": 3,
    "vae/config.json": 1, "vae/diffusion_pytorch_model.safetensors": 3,
    "vae/diffusion_pytorch_model.bin": 3,
}  # fmt: skip


def test_what_makes_up_a_base() -> None:
    assert set(hub.wanted(SHARDED)) == {
        "model_index.json",
        "text_encoder/config.json", "text_encoder/model.fp16.safetensors",
        "unet/config.json", "unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors",
        "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
        "tokenizer/merges.txt", "tokenizer/vocab.json", "tokenizer/tokenizer_config.json",
        "tokenizer_2/spiece.model", "tokenizer_2/tokenizer.json",
        "scheduler/scheduler_config.json",
        "vae/config.json", "vae/diffusion_pytorch_model.safetensors",
    }  # fmt: skip


def test_what_makes_up_a_captioner() -> None:
    florence = {
        "config.json": 1, "generation_config.json": 1, "model.safetensors": 9, "LICENSE": 1,
        "pytorch_model.bin": 9, "tf_model.h5": 9, "modeling_florence2.py": 1, "README.md": 1,
        "preprocessor_config.json": 1, "processor_config.json": 1, "tokenizer.json": 1,
        "vocab.json": 1, "merges.txt": 1, "chat_template.jinja": 1, "onnx/model.onnx": 9,
    }  # fmt: skip
    assert set(hub.wanted(florence)) == {
        "config.json", "generation_config.json", "model.safetensors", "LICENSE",
        "preprocessor_config.json", "processor_config.json", "tokenizer.json",
        "vocab.json", "merges.txt", "chat_template.jinja",
    }  # fmt: skip
    sharded = {
        "config.json": 1, "model-00001-of-00002.safetensors": 5, "model.safetensors.index.json": 1,
        "model-00002-of-00002.safetensors": 5, "pytorch_model.bin.index.json": 1,
    }  # fmt: skip
    assert set(hub.wanted(sharded)) == sharded.keys() - {"pytorch_model.bin.index.json"}
    tagger = {
        "model.onnx": 9, "selected_tags.csv": 1, "config.json": 1, "model.safetensors": 9,
        "model.msgpack": 9, "sw_jax_cv_config.json": 1, "README.md": 1,
    }  # fmt: skip
    assert set(hub.wanted(tagger)) == {"model.onnx", "selected_tags.csv"}
    with pytest.raises(BaseModelError, match="only there as a pickle"):
        hub.wanted({"config.json": 1, "pytorch_model.bin": 9})


@pytest.mark.parametrize("name", ["tagger", "blip"])
def test_a_captioner_is_fetched_and_opens(there: Hub, tmp_path: Path, name: str) -> None:
    shutil.rmtree(there.folder)
    CAPTIONERS[name](there.folder)
    (there.folder / "README.md").write_text("about it")
    (there.folder / "code.py").write_text("import os")
    there.config = {"model_type": name} if name != "tagger" else None
    to = tmp_path / "m"
    said = fetched(there, to)
    assert said.endswith("whole\n"), said
    assert {p.name for p in there.folder.iterdir()} - {p.name for p in to.iterdir()} == {
        "README.md", "code.py"
    }  # fmt: skip
    assert open_captioner(to).kind.name == name


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "llama"}, "maker/model is a llama."),
        ({"model_type": "florence2", "auto_map": {}}, "wants code of its own to be run."),
    ],
)
def test_what_could_not_be_used_is_not_fetched(there: Hub, tmp_path, config, words: str) -> None:
    shutil.rmtree(there.folder)
    CAPTIONERS["blip"](there.folder)
    there.config = config
    said = fetched(there, tmp_path / "m")
    assert said.startswith("BaseModelError")
    assert words in said
    assert there.asked == []


def test_no_name_leads_out_of_the_folder() -> None:
    odd = ("../x.json", "LICENSE/../../x", "unet/../x.json", "..\\x.json", "/x.json", "./x.json")
    assert set(hub.wanted({"model_index.json": 1, **dict.fromkeys(odd, 1)})) == {"model_index.json"}


def test_what_is_no_base_is_said() -> None:
    with pytest.raises(BaseModelError, match="no model in diffusers' layout"):
        hub.wanted({"sd.safetensors": 1})
    pickled = {"model_index.json": 1, "unet/config.json": 1, "unet/model.bin": 1}
    with pytest.raises(BaseModelError, match="only there as a pickle"):
        hub.wanted(pickled)


def test_a_worker_fetches_over_its_pipe_and_stops(there: Hub, tmp_path: Path) -> None:
    """The real worker: what it tells, and that a stop leaves what the next goes on from."""
    from core.protocol import wire
    from core.protocol.commands import FetchJob, Stop
    from core.protocol.events import Fetched, FetchStarted, Finished

    to = tmp_path / "m"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}

    def told(*words) -> list:
        job = FetchJob(repo="maker/model", to=str(to), endpoint=there.url)
        sent = b"".join(wire.to_line(word) for word in (job, *words))
        with subprocess.Popen(
            [sys.executable, "stylewright.py", "--worker"], cwd=ROOT, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as worker:  # fmt: skip
            worker.stdin.write(sent)
            worker.stdin.flush()
            lines = worker.stdout.read().splitlines(keepends=True)
            assert worker.wait() == 0, worker.stderr.read()
        return [wire.event_from(line) for line in lines]

    assert told(Stop())[-1] == Finished(stopped=True)
    events = told()
    started = next(e for e in events if isinstance(e, FetchStarted))
    assert (started.repo, started.licence, started.path) == ("maker/model", "openrail", str(to))
    (fetched_,) = [e for e in events if isinstance(e, Fetched)]
    assert "Stable Diffusion 1" in fetched_.words
    assert not fetched_.captioner
    assert events[-1] == Finished()
    assert open_base(to).facts.family == "sd1"
    shutil.rmtree(to)
    shutil.rmtree(there.folder)
    CAPTIONERS["tagger"](there.folder)
    (fetched_,) = [e for e in told() if isinstance(e, Fetched)]
    assert (fetched_.words, fetched_.captioner) == ("WD tagger", True)
