"""`get`: a base model or a captioner from the hub, into a folder that one can see."""

from __future__ import annotations

import time
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from core.base import captioners, hub
from core.cli import telling
from core.cli.stopping import stopping


def get(repo: str = "", *, to: Path | None = None) -> None:
    """Fetch a base model or a captioner from the hub; without a name, list some that many use.

    Begun again after a stop, it goes on where it ended.

    Args:
        repo: Owner and name, as its page has them.
        to: The folder for it; by default one of its name in "Stylewright models" in your home.
    """
    console = telling.console()
    if not repo:
        for known in (*hub.WELL_KNOWN, *captioners.WELL_KNOWN):
            telling.line(console, f"{known.repo}\n    {known.title}. {known.sentence}")
        telling.line(console, "Fetch one: stylewright get OWNER/NAME. Its page tells its licence.")
        return
    folder = (to or usual_folder(repo)).expanduser().absolute()
    offer = hub.offer(repo)
    if not fetch(offer, folder):
        telling.line(console, "Stopped; what is there stays, and the same command goes on.")
        return
    telling.line(console, f"{folder}: {hub.words_of(offer, folder)}")
    if offer.captioner:
        telling.line(console, f'Next: stylewright caption PROJECT --model "{folder}"')
    else:
        telling.line(console, f'Next: stylewright new PROJECT --base "{folder}" --images FOLDER')


def usual_folder(repo: str) -> Path:
    """Where a repository's model goes unless a person says otherwise."""
    return Path.home() / hub.MODELS_FOLDER / repo.rpartition("/")[2]


def fetch(offer: hub.Offer, folder: Path) -> bool:
    """Fetch what is offered, and show how far it is; False if it was stopped.

    Raises:
        BaseModelError, StorageError: See `hub.fetch`.
    """
    console = telling.console()
    licence = f" Licence: {offer.licence}." if offer.licence else " Its page tells its licence."
    size = f"{offer.total_bytes / 1e9:.1f} GB in {len(offer.files)} files"
    telling.line(console, f"{offer.repo}: {size}, to {folder}.{licence}")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with stopping() as control, Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=offer.total_bytes)
        told = [0.0]

        def tell(name: str, done: int, total: int) -> None:
            if control.stop.is_set():
                raise hub.StoppedError
            bar.update(task, description=name, completed=done, total=total)
            if not console.is_terminal and time.monotonic() - told[0] > 30:  # noqa: PLR2004 - seconds
                told[0] = time.monotonic()
                telling.line(console, f"{done / 1e9:.2f} of {total / 1e9:.2f} GB, {name}")

        try:
            hub.fetch(offer, folder, tell)
        except hub.StoppedError:
            return False
    return True
