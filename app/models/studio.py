"""What every page works with, in one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QSettings

from app import settings
from app.models.actions import Actions
from app.models.dataset import Dataset
from app.models.framing import Framing
from app.models.news import News
from app.models.pictures import Thumbnails
from app.models.readiness import Lack, lacks
from app.models.run_settings import Settings
from app.models.runs import Runs
from app.models.shelf import Shelf
from app.models.tags import Tags
from app.models.tokens import Tokens
from app.models.waiting import WaitingRuns
from app.models.workspace import Workspace
from app.process.captioner import Captioner
from app.process.fetcher import Fetcher
from app.process.foreseer import Foreseer
from app.process.inspector import Inspector
from app.process.jobs import Jobs
from app.process.maker import Maker
from app.process.rate_finder import RateFinder
from app.process.sampler import Sampler
from app.process.session import Session
from app.process.worker import Worker
from core.project import run_queue

LARGE_PX = 1024
LARGE_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Studio:
    """The open project and all that can be done with it; pages know each other only by it."""

    store: QSettings  # the program's own settings
    news: News
    actions: Actions
    workspace: Workspace
    settings: Settings  # of the next run
    dataset: Dataset
    tags: Tags
    framing: Framing
    tokens: Tokens
    runs: Runs
    tiles: Thumbnails
    large: Thumbnails
    jobs: Jobs
    session: Session
    waiting: WaitingRuns
    sampler: Sampler
    maker: Maker
    inspector: Inspector
    shelf: Shelf
    captioner: Captioner
    fetcher: Fetcher
    foreseer: Foreseer
    rate_finder: RateFinder

    @property
    def run_is_ours(self) -> bool:
        """Whether the run that goes on, or the last, is the open project's; the queue has all."""
        project = self.workspace.project
        return project is not None and self.session.project == project.root.absolute()

    @property
    def training_here(self) -> bool:
        """Whether a run of the open project goes on."""
        return self.session.busy and self.run_is_ours

    def lacks(self) -> list[Lack]:
        """What the next run still lacks."""
        config, rows, project = self.settings.config, self.dataset.rows, self.workspace.project
        if config is None or project is None:
            return []
        looking = bool(self.dataset.busy) and not rows.rowCount()  # nobody knows yet
        pictures = None if looking else rows.rowCount()
        return lacks(config, project.root, pictures, rows.silent)

    def finish(self) -> None:
        """End every process and thread; before the program ends."""
        for stack in (self.dataset.undo_stack, self.settings.undo_stack):
            stack.clear()  # as long as who listens to them is there
        self.jobs.end()
        self.fetcher.finish()
        self.foreseer.finish()
        self.inspector.finish()
        self.dataset.finish()
        self.runs.finish()
        self.tokens.finish()
        self.tiles.finish()
        self.large.finish()


def make_studio(parent: QObject, make_worker: Callable[[QObject], Worker] = Worker) -> Studio:
    """All services, owned by `parent`."""
    store = settings.store()
    jobs = Jobs(parent, make_worker=make_worker)
    run_settings = Settings(parent)
    tiles = Thumbnails(parent)
    runs, maker = Runs(parent), Maker(jobs, parent)
    dataset = Dataset(tiles, parent)
    return Studio(
        store=store,
        news=News(parent),
        actions=Actions(parent),
        workspace=Workspace(store, run_settings, parent),
        settings=run_settings,
        dataset=dataset,
        tags=Tags(dataset.rows, parent),
        framing=Framing(run_settings, parent),
        tokens=Tokens(run_settings, parent),
        runs=runs,
        tiles=tiles,
        large=Thumbnails(parent, edges_px=(LARGE_PX,), filling=False, kept_bytes=LARGE_BYTES),
        jobs=jobs,
        session=Session(jobs, parent),
        waiting=WaitingRuns(run_queue.place(), parent),
        sampler=Sampler(jobs, parent),
        maker=maker,
        inspector=Inspector(Jobs(parent, make_worker=make_worker), parent),
        shelf=Shelf(runs, store, maker, parent),
        captioner=Captioner(jobs, parent),
        fetcher=Fetcher(Jobs(parent, make_worker=make_worker), parent),
        foreseer=Foreseer(Jobs(parent, make_worker=make_worker), parent),
        rate_finder=RateFinder(jobs, parent),
    )
