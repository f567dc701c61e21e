"""Models from the hub: which of a repository's files make one up, and fetching them.

A base in diffusers' layout, or a captioner.

What was fetched stays: begun again, it goes on where it ended. Nothing is ever fetched unasked.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.base.captioners import CONFIG, OWN_CODE, TAGGER_NAMES, TAGGER_NET, kind_of, open_captioner
from core.base.folder import INDEX
from core.base.value import VARIANTS, is_weights, variant_of
from core.errors import BaseModelError, StorageError

Tell = Callable[[str, int, int], None]  # the file in hand; how many bytes are there, of how many
PREFERRED = ("fp16", "bf16", "")  # of weights that come in several precisions: the smaller file
MODELS_FOLDER = "Stylewright models"  # in one's home
SPARE_BYTES = 2**30  # that a disk should keep
_WITHOUT = ("safety_checker", "feature_extractor")  # no picture is drawn with them here
# A file, or one in a folder: no other name is written to, whatever a repository says it holds.
_PLAIN = re.compile(r"(\w[\w-]*/)?\w[\w.-]*")
_TIMEOUT_SECONDS = 20.0
_CHUNK_BYTES = 2**20
_PARTIAL = 206  # HTTP: the answer begins where it was asked to
_SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Known:
    """A base that many people use."""

    repo: str
    title: str
    sentence: str


WELL_KNOWN = (
    Known(
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "Stable Diffusion 1.5",
        "Small and quick; most styles, 512 px. About 6 GB of a card's memory.",
    ),
    Known(
        "stabilityai/stable-diffusion-xl-base-1.0",
        "Stable Diffusion XL",
        "1024 px, far better pictures. About 10 GB of a card's memory, 8 with nf4.",
    ),
    Known(
        "Tongyi-MAI/Z-Image",
        "Z-Image",
        "New and strong, reads long sentences. About 16 GB of a card's memory.",
    ),
    Known(
        "black-forest-labs/FLUX.2-klein-base-4B",
        "Flux.2 klein 4B",
        "New, made for training; use adapters on the distilled one, too. About 16 GB.",
    ),
    Known(
        "lodestones/Chroma1-HD",
        "Chroma",
        "Flux.1's kind, free in licence and subject. About 24 GB of a card's memory.",
    ),
    Known("Qwen/Qwen-Image", "Qwen-Image", "Very large: about 24 GB of a card's memory with nf4."),
)


class StoppedError(Exception):
    """Raised by `Tell` to end a fetch; what is there stays."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is to fetch."""

    repo: str
    revision: str
    licence: str  # as the repository's card names it; "" is not said
    files: Mapping[str, int]  # those that are wanted, and their bytes

    @property
    def total_bytes(self) -> int:
        return sum(self.files.values())

    @property
    def captioner(self) -> bool:
        """Else it is a base."""
        return INDEX not in self.files


def wanted(files: Mapping[str, int]) -> dict[str, int]:
    """Of a repository's files those of a whole base in diffusers' layout, or of a captioner.

    Each part's weights in one precision, the smaller; no pickles, nor what other programs want.

    Raises:
        BaseModelError: It has neither.
    """
    if INDEX in files:
        chosen = _of_base(files)
    elif {TAGGER_NET, TAGGER_NAMES} <= files.keys():
        chosen = [TAGGER_NET, TAGGER_NAMES]
    elif CONFIG in files:
        chosen = _of_part("model", [n for n in files if "/" not in n and _PLAIN.fullmatch(n)])
    else:
        raise BaseModelError(
            f"That repository holds no model in diffusers' layout (no {INDEX}), nor a captioner "
            f"(no {CONFIG}).",
            hint="If it holds a single .safetensors file, fetch that in a browser and choose it.",
        )
    chosen += [name for name in files if _PLAIN.fullmatch(name) and _is_licence(name)]
    return {name: files[name] for name in files if name in set(chosen)}


def _is_licence(name: str) -> bool:
    return name.upper().startswith("LICENSE") and "/" not in name


def _of_base(files: Mapping[str, int]) -> list[str]:
    parts: dict[str, list[str]] = {}
    chosen = [INDEX]
    for name in filter(_PLAIN.fullmatch, files):
        part, slash, _ = name.partition("/")
        if slash and part not in _WITHOUT:
            parts.setdefault(part, []).append(name)
    for part, names in parts.items():
        if any(name.endswith((".json", ".safetensors")) for name in names):
            chosen += _of_part(part, names)
    return chosen


def _of_part(part: str, names: list[str]) -> list[str]:
    weights = [name for name in names if is_weights(name)]
    others = [name for name in names if name.endswith((".json", ".txt", ".model", ".jinja"))]
    others = [name for name in others if name not in weights]
    safe = [name for name in weights if name.endswith(".safetensors")]
    if weights and not safe:
        raise BaseModelError(
            f"That repository's {part} is only there as a pickle, which can run code.",
            hint="Choose another copy of the model, with .safetensors files.",
        )
    if not safe:
        return others
    there = {variant_of(name.rpartition("/")[2]) for name in safe}
    order = [*PREFERRED, *(v for v in VARIANTS if v not in PREFERRED)]
    variant = next(v for v in order if v in there)
    return others + [
        name
        for name in weights
        if variant_of(name.rpartition("/")[2]) == variant
        and (name.endswith(".safetensors") or ".safetensors.index." in name)
    ]


def offer(repo: str, endpoint: str | None = None) -> Offer:
    """What a repository holds.

    Raises:
        BaseModelError: It is not there, is of no use here, wants its terms accepted, or the hub is
            out of reach.
    """
    os.environ["HF_HUB_OFFLINE"] = "0"  # of this process, which was asked to fetch something
    from huggingface_hub import HfApi

    def ask() -> Any:  # noqa: ANN401 - ModelInfo
        return HfApi(endpoint=endpoint).model_info(
            repo, files_metadata=True, timeout=_TIMEOUT_SECONDS
        )

    info = _named(repo, ask)
    files = {one.rfilename: one.size or 0 for one in info.siblings or ()}
    licence = str((info.card_data or {}).get("license_name") or "") if info.card_data else ""
    licence = licence or str((info.card_data or {}).get("license") or "")
    made = Offer(repo, info.sha or "main", licence, wanted(files))
    if made.captioner and TAGGER_NET not in made.files:
        _check_kind(repo, info.config or {})
    return made


def _check_kind(repo: str, config: Mapping[str, Any]) -> None:
    """Refuse what could not be used, before gigabytes of it are fetched; the hub may not know."""
    name = config.get("model_type")
    if name is not None and (kind_of(str(name)) is None or OWN_CODE in config):
        raise BaseModelError(
            f"{repo} is a {name}"
            + (" that wants code of its own to be run." if OWN_CODE in config else "."),
            hint="Without a name `get` lists base models and captioners that can be used.",
        )


def fetch(what: Offer, folder: Path, tell: Tell, endpoint: str | None = None) -> None:
    """Fetch an offer's files into a folder; those that are whole are passed over.

    Raises:
        BaseModelError: As for `offer`; or a file came otherwise than the hub has it.
        StorageError: The disk has no room, or the folder cannot be written to.
        StoppedError: `tell` raised it.
    """
    there = {name: _size(folder / name) for name in what.files}
    whole = {name for name, size in there.items() if size == what.files[name]}
    done = sum(what.files[name] for name in whole)
    _check_room(folder, what.total_bytes - done)
    for name in (name for name in what.files if name not in whole):

        def say(bytes_there: int, name: str = name, before: int = done) -> None:
            tell(name, before + bytes_there, what.total_bytes)

        _named(what.repo, partial(_fetch_one, what, name, folder, say, endpoint), folder)
        done += what.files[name]


def words_of(what: Offer, folder: Path) -> str:
    """What was fetched, in words.

    Raises:
        BaseModelError, CaptionerError: It is not whole, or none that can be used.
    """
    if what.captioner:
        return open_captioner(folder).words
    from core.base.opening import open_base  # a start of the window has no need of these
    from core.base.words import in_words

    return in_words(open_base(folder))


def _fetch_one(
    what: Offer, name: str, folder: Path, say: Callable[[int], None], endpoint: str | None
) -> None:
    """One file, beside and renamed; the library's own way begins anew after a stop."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, get_session

    url = hf_hub_url(what.repo, name, revision=what.revision, endpoint=endpoint)
    known = get_hf_file_metadata(url, endpoint=endpoint)
    target = folder / name
    part = target.with_name(f"{target.name}.{(known.etag or what.revision)[:16]}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    begun = max(0, _size(part))
    size = what.files[name] if known.size is None else known.size
    say(begun)
    if begun < size:
        address = known.location or url
        # a token is for the hub alone, not for the servers that it sends one to
        own = urlsplit(address).netloc == urlsplit(url).netloc
        headers = {**(build_hf_headers() if own else {}), "Range": f"bytes={begun}-"}
        with get_session().stream("GET", address, headers=headers, follow_redirects=True) as answer:
            answer.raise_for_status()
            goes_on = answer.status_code == _PARTIAL
            begun = begun if goes_on else 0
            with part.open("ab" if goes_on else "wb") as file:
                for chunk in answer.iter_bytes(_CHUNK_BYTES):
                    file.write(chunk)
                    begun += len(chunk)
                    say(begun)
    _check_whole(what.repo, part, size, known.etag or "")
    part.replace(target)
    say(size)


def _check_whole(repo: str, part: Path, size: int, etag: str) -> None:
    """Whether a file is the hub's; of large ones it knows the SHA-256."""
    wrong = _size(part) != size
    if not wrong and len(etag) == _SHA256_DIGITS:
        with part.open("rb") as file:
            wrong = hashlib.file_digest(file, "sha256").hexdigest() != etag
    if wrong:
        part.unlink()
        raise BaseModelError(
            f"{part.name.partition('.')[0]} of {repo} came otherwise than the hub has it.",
            hint="Try again: that file is fetched anew.",
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _check_room(folder: Path, needed_bytes: int) -> None:
    place = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    if needed_bytes + SPARE_BYTES > free:
        raise StorageError(
            f"{needed_bytes / 1e9:.1f} GB are to be fetched, and the disk of {place} has "
            f"{free / 1e9:.1f} GB left.",
            hint="Make room, or choose a folder on another disk.",
        )


def _named(repo: str, do: Callable[[], Any], folder: Path | None = None) -> Any:  # noqa: ANN401
    """What the hub says, in words."""
    from huggingface_hub import errors

    try:
        return do()
    except errors.GatedRepoError as error:
        raise BaseModelError(
            f"{repo} wants its terms accepted first.",
            hint="Open its page in a browser, log in and accept; then run `hf auth login` once, "
            "or set HF_TOKEN.",
        ) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise BaseModelError(
            f"The hub has no {repo}, or only for its owner.",
            hint="Name it as its page does: owner/name.",
        ) from error
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError) as error:
        raise _unreachable(repo, error) from error
    except OSError as error:
        if folder is not None and error.errno:
            raise StorageError.writing(folder, error) from error
        raise _unreachable(repo, error) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] in ("httpx", "httpcore", "httpx2"):
            raise _unreachable(repo, error) from error
        raise


def _unreachable(repo: str, error: Exception) -> BaseModelError:
    return BaseModelError(
        f"The hub could not be reached for {repo}: {_first_line(error)}.",
        hint="Check the connection and try again; what was fetched stays.",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0][:200] or type(error).__name__).rstrip(".")
