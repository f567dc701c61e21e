"""Where a project keeps its things, and how its runs are numbered."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from core.base.opening import open_base
from core.base.value import DEMO_FOLDER, Base
from core.config import files
from core.config.options import DEMO_BASE, RunConfig, Told
from core.errors import BaseModelError, ConfigError, RunError, StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_RUN_NAME = re.compile(r"^(\d{3,})-")
_CHECKPOINT_NAME = re.compile(r"step\d{6}")
_NAME_BYTES = 80  # file systems allow 255 for a whole name


@dataclass(frozen=True, slots=True)
class Run:
    """One run's folder; it is frozen in `run.toml` and can be replayed from it."""

    root: Path

    @property
    def project(self) -> Project:
        """Whose run it is."""
        return Project(self.root.parents[1])

    @property
    def config_file(self) -> Path:
        return self.root / "run.toml"

    @property
    def began(self) -> bool:
        """Whether it was ever trained; one that waits in the queue was not."""
        return self.log_file.exists()

    @property
    def log_file(self) -> Path:
        return self.root / "log.jsonl"

    @property
    def manifest_file(self) -> Path:
        return self.root / "manifest.json"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def previews(self) -> Path:
        return self.root / "previews"

    @property
    def adapters(self) -> Path:
        return self.root / "adapters"

    @property
    def best(self) -> Path:
        """The trained numbers of the step that held-out pictures were drawn best at."""
        return self.root / "best"

    def best_file(self, step: int) -> Path:
        return self.best / f"step{step:06}.safetensors"

    def preview_file(self, step: int, index: int) -> Path:
        """The picture of prompt number `index` at `step`; sorts by step."""
        return self.previews / f"step{step:06}-{index:02}.png"

    def adapter_file(self, name: str, step: int) -> Path:
        """The adapter of a finished or stopped run, in kohya's format.

        The run's number is in its name: all runs' adapters end up in one folder of another program.
        """
        return self.adapters / f"{slug(name)}-{self.number:03}-step{step:06}.safetensors"

    @property
    def number(self) -> int:
        """As its folder's name says; 0 where that was renamed."""
        match = _RUN_NAME.match(self.root.name)
        return int(match[1]) if match else 0

    def checkpoint(self, step: int) -> Path:
        return self.checkpoints / f"step{step:06}"

    def complete_checkpoints(self) -> list[Path]:
        """Those that a run can go on from, oldest first; half-written ones have another name."""
        if not self.checkpoints.is_dir():
            return []
        named = sorted(p for p in self.checkpoints.iterdir() if _CHECKPOINT_NAME.fullmatch(p.name))
        return [folder for folder in named if (folder / "state.json").exists()]

    def newest_checkpoint(self) -> Path | None:
        found = self.complete_checkpoints()
        return found[-1] if found else None

    def complete(self, config: RunConfig) -> bool:
        """Whether the adapter and the previews of the last step are there.

        `config` is the run's own, whose prompts are frozen. Its checkpoints may have been removed
        to save room.
        """
        steps = config.training.steps
        wanted = [self.preview_file(steps, index) for index in range(len(config.preview.prompts))]
        # whatever a version before this one called it
        trained = any(self.adapters.glob(f"*-step{steps:06}.safetensors"))
        return trained and all(path.exists() for path in wanted)

    def newest_preview(self, step: int, index: int) -> Path | None:
        """The last picture of prompt number `index` up to `step`, of the trained model."""
        found = sorted(self.previews.glob(f"step*-{index:02}.png"))
        first, last = self.preview_file(1, index).name, self.preview_file(step, index).name
        fitting = [p for p in found if first <= p.name <= last]
        return fitting[-1] if fitting else None

    def newest_adapter(self) -> Path | None:
        found = sorted(self.adapters.glob("*.safetensors"), key=lambda p: p.stem.rpartition("-")[2])
        return found[-1] if found else None

    def sweep(self) -> None:
        """Remove what a killed process was writing; only its next owner may."""
        for litter in [*self.root.rglob(".writing-*.part"), *self.checkpoints.glob(".step*.part")]:
            if litter.is_dir():
                shutil.rmtree(litter, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):  # another program looks at it: next time
                    litter.unlink()


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with `project.toml`."""

    root: Path

    @property
    def config_file(self) -> Path:
        return self.root / "project.toml"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def focus_file(self) -> Path:
        """What crops are to keep of its pictures; see `core.data.focus`."""
        return self.root / "focus.json"

    @property
    def marks_file(self) -> Path:
        """What is said of its pictures and folders; see `core.data.marks`."""
        return self.root / "marks.json"

    @property
    def catalogue(self) -> Path:
        """What was found of each picture; see `core.data.catalogue`."""
        return self.cache / "pictures.sqlite"

    @property
    def bin(self) -> Path:
        """What was removed from the dataset; nothing is ever deleted."""
        return self.root / "bin"

    @property
    def adapters(self) -> Path:
        """What was made of adapters by hand: of another rank, several as one."""
        return self.root / "adapters"

    def made_adapters(self) -> list[Path]:
        """Those files, newest first."""
        found: dict[Path, int] = {}
        for path in self.adapters.glob("*.safetensors"):
            with contextlib.suppress(OSError):  # removed meanwhile
                found[path] = path.stat().st_mtime_ns
        return sorted(found, key=lambda path: (-found[path], path.name))

    def config(self) -> RunConfig:
        """The settings of the next run.

        Raises:
            ConfigError, NewerVersionError: See `core.config.files.decode`.
        """
        return files.load(self.config_file)

    def save(self, config: RunConfig) -> None:
        files.save(config, self.config_file)

    def folders(self, config: RunConfig) -> list[Path]:
        """The dataset's folders, absolute."""
        return [_absolute(folder, self.root) for folder in config.dataset.folders]

    def class_folder(self, config: RunConfig) -> Path | None:
        """Where its class pictures are, absolute; None for none."""
        folder = config.dataset.class_folder
        return _absolute(folder, self.root) if folder else None

    def base(self, config: RunConfig) -> Base:
        """The base model that `config` names, looked at and not loaded.

        Raises:
            BaseModelError: It is not there, not whole, or of a kind that is not supported.
        """
        return named_base(
            config.base, self.root, config.vae, config.prediction, config.rest, config.texts
        )

    def start(self, config: RunConfig) -> Path | None:
        """The adapter that a run goes on from."""
        return _absolute(config.adapter.start, self.root) if config.adapter.start else None

    def runs(self) -> list[Run]:
        """All runs, oldest first: by number, then by the time they were begun."""
        folder = self.root / "runs"
        if not folder.is_dir():
            return []
        begun: dict[Run, int] = {}
        for run in map(Run, folder.iterdir()):
            with contextlib.suppress(OSError):  # it is none, is just removed, or may not be read
                begun[run] = run.config_file.stat().st_mtime_ns
        return sorted(begun, key=lambda run: (run.number, begun[run]))

    def run(self, name: str) -> Run:
        """One run by its folder's name or its number, or the newest for "".

        Raises:
            RunError: There is none.
        """
        runs = self.runs()
        for run in reversed(runs):
            if name in ("", run.root.name) or (name.isdecimal() and int(name) == run.number):
                return run
        there = ", ".join(run.root.name for run in runs[-10:])
        raise RunError(
            f"{self.root} has no run {name!r}." if name else f"{self.root} has no run yet.",
            hint=f"There are: {there}." if there else "Start one with Train.",
        )

    def new_run(self, config: RunConfig) -> Run:
        """Make the next run's folder and freeze `config` in it, with what it goes on from.

        Raises:
            StorageError: The project's folder cannot be written.
        """
        folder = self.root / "runs"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            taken = [int(m[1]) for p in folder.iterdir() if (m := _RUN_NAME.match(p.name))]
            run = Run(folder / f"{max(taken, default=0) + 1:03}-{slug(config.name)}")
            run.root.mkdir()
            if start := self.start(config):
                kept = run.root / f"start{start.suffix}"
                copy = shutil.copytree if start.is_dir() else shutil.copyfile
                copy(start, kept)
                own = replace(config.adapter, start=kept.relative_to(self.root).as_posix())
                config = replace(config, adapter=own)
        except OSError as error:
            raise StorageError.writing(folder, error) from error
        files.save(config, run.config_file)
        return run


def is_project(folder: Path) -> bool:
    """Whether a project can be opened there; False also for what cannot be reached."""
    try:
        return (folder / "project.toml").exists()
    except OSError:  # a network drive that is gone, a folder that may not be read
        return False


def base_path(base: str, root: Path) -> Path:
    """The folder or file that a config's `base` stands for."""
    return DEMO_FOLDER if base == DEMO_BASE else _absolute(base, root)


def _absolute(path: str, root: Path) -> Path:
    """A path of the settings; ~someone stays what it is where nobody is called that."""
    return root / os.path.expanduser(path)  # noqa: PTH111 - Path's own raises


def named_base(
    base: str,
    root: Path,
    vae: str = "",
    told: Told = "auto",
    rest: str = "",
    texts: Sequence[str] = (),
) -> Base:
    """The base model that settings name, looked at and not loaded; paths relative to `root`.

    Raises:
        BaseModelError: None is named, or it is not there, not whole, or of a kind that is not
            supported.
    """
    if not base:
        raise BaseModelError(
            "No base model is chosen.",
            hint="Choose one on the Train page, or name it: --base MODEL, for a project --set "
            "base=MODEL. MODEL is a .safetensors file or a model folder.",
        )
    own_vae, folder = (_absolute(path, root) if path else None for path in (vae, rest))
    files = [_absolute(path, root) for path in texts]
    return open_base(base_path(base, root), own_vae, told, folder, files)


def slug(name: str) -> str:
    """`name` as a file name on every system: letters, digits, - and _, and not too many."""
    fitting = re.sub(r"[^\w-]+", "-", name).encode()[:_NAME_BYTES].decode(errors="ignore")
    return fitting.strip("-_") or "run"


def create(root: Path, config: RunConfig) -> Project:
    """Make a new project's folder.

    Raises:
        ConfigError: There is a project already.
        StorageError: The folder cannot be written.
    """
    project = Project(root)
    if is_project(root):
        raise ConfigError(f"{root} already holds a project.", hint="Open it, or choose another.")
    project.save(config)
    try:
        project.images.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError.writing(project.images, error) from error
    return project
