"""Where a project keeps its things, and how its runs are numbered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core.config import files
from core.config.options import DEMO_BASE, RunConfig
from core.errors import ConfigError, RunError, StorageError

ASSETS = Path(__file__).resolve().parents[2] / "assets"
_RUN_NAME = re.compile(r"^(\d{3,})-")
_CHECKPOINT_NAME = re.compile(r"step\d{6}")
_NAME_BYTES = 80  # file systems allow 255 for a whole name


@dataclass(frozen=True, slots=True)
class Run:
    """One run's folder; it is frozen in `run.toml` and can be replayed from it."""

    root: Path

    @property
    def config_file(self) -> Path:
        return self.root / "run.toml"

    @property
    def log_file(self) -> Path:
        return self.root / "log.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def previews(self) -> Path:
        return self.root / "previews"

    @property
    def adapters(self) -> Path:
        return self.root / "adapters"

    def preview_file(self, step: int, index: int) -> Path:
        """The picture of prompt number `index` at `step`; sorts by step."""
        return self.previews / f"step{step:06}-{index:02}.png"

    def adapter_file(self, name: str, step: int) -> Path:
        """The adapter of a finished or stopped run, in kohya's format."""
        return self.adapters / f"{slug(name)}-step{step:06}.safetensors"

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
        """Whether all steps are done, and the adapter and the previews of the last one are there.

        `config` is the run's own, whose prompts are frozen.
        """
        steps = config.training.steps
        wanted = [self.preview_file(steps, index) for index in range(len(config.preview.prompts))]
        wanted.append(self.adapter_file(config.name, steps))
        trained = self.newest_checkpoint() == self.checkpoint(steps)
        return trained and all(path.exists() for path in wanted)

    def newest_preview(self, step: int, index: int) -> Path | None:
        """The last picture of prompt number `index` up to `step`, of the trained model."""
        found = sorted(self.previews.glob(f"step*-{index:02}.png"))
        first, last = self.preview_file(1, index).name, self.preview_file(step, index).name
        fitting = [p for p in found if first <= p.name <= last]
        return fitting[-1] if fitting else None

    def newest_adapter(self) -> Path | None:
        found = sorted(self.adapters.glob("*.safetensors"))
        return found[-1] if found else None


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
    def bin(self) -> Path:
        """What was removed from the dataset; nothing is ever deleted."""
        return self.root / "bin"

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
        return [self.root / Path(folder).expanduser() for folder in config.dataset.folders]

    def base_path(self, config: RunConfig) -> Path:
        """The base model's folder, absolute."""
        return base_path(config.base, self.root)

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        folder = self.root / "runs"
        if not folder.is_dir():
            return []
        found = [p for p in folder.iterdir() if (p / "run.toml").exists()]
        return [Run(p) for p in sorted(found)]

    def run(self, name: str) -> Run:
        """One run by its folder's name, or the newest for "".

        Raises:
            RunError: There is none.
        """
        runs = self.runs()
        for run in reversed(runs):
            if name in ("", run.root.name):
                return run
        raise RunError(
            f"{self.root} has no run {name!r}." if name else f"{self.root} has no run yet.",
            hint="Start one with Train.",
        )

    def new_run(self, config: RunConfig) -> Run:
        """Make the next run's folder and freeze `config` in it.

        Raises:
            StorageError: The project's folder cannot be written.
        """
        folder = self.root / "runs"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            taken = [int(m[1]) for p in folder.iterdir() if (m := _RUN_NAME.match(p.name))]
            run = Run(folder / f"{max(taken, default=0) + 1:03}-{slug(config.name)}")
            run.root.mkdir()
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
    """The folder that a config's `base` stands for."""
    return ASSETS / "demo-base" if base == DEMO_BASE else root / Path(base).expanduser()


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
    if project.config_file.exists():
        raise ConfigError(f"{root} already holds a project.", hint="Open it, or choose another.")
    project.save(config)
    try:
        project.images.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError.writing(project.images, error) from error
    return project
