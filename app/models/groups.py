"""What the pictures on the wall are grouped by: their folders, or their shapes in the next run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from app.figures import count_of
from app.models.dataset import Dataset
from app.models.framing import Framing
from app.models.run_settings import Settings
from app.models.shown_rows import Grouping, ShownRows
from core.data.scan import Picture

NONE, FOLDERS, SHAPES = "No groups", "By folder", "By shape"
CHOICES = (NONE, FOLDERS, SHAPES)
FEW = 256  # pictures: where there are more, enough for a batch are learnt from


class Groups:
    """Names groups, and says of a shape whether a batch finds enough of it."""

    def __init__(self, dataset: Dataset, framing: Framing, settings: Settings) -> None:
        self._dataset, self._framing, self._settings = dataset, framing, settings

    def by(self, choice: str) -> Grouping | None:
        """How to group; None is not at all."""
        match choice:
            case "By folder":
                return Grouping(self._folder_of)
            case "By shape":
                return Grouping(self._framing.shape_of, largest_first=True)
            case _:
                return None

    def _folder_of(self, picture: Picture) -> str:
        project, folder = self._dataset.project, picture.path.parent
        if project is not None and folder.is_relative_to(project.root):
            folder = folder.relative_to(project.root)
        return str(folder)

    def headings(self, choice: str, shown: ShownRows) -> list[str]:
        """In words, in order."""
        said = [f"{name}:  {count_of(count, 'picture')}" for name, count in shown.sections]
        if choice == SHAPES and not shown.searched:
            ends = list(accumulate((count for _, count in shown.sections), initial=0))
            pictures = shown.pictures
            learnt = [self._learnt(pictures[begin:end]) for begin, end in pairwise(ends)]
            config = self._settings.config
            most = min(config.training.batch_size if config else 1, max(learnt, default=0))
            said = [
                f"{words}, fewer than a batch of {most}" if count < most else words
                for words, count in zip(said, learnt, strict=True)
            ]
        return said

    def _learnt(self, pictures: Sequence[Picture]) -> int:
        """How many a run learns from in an epoch, or, of many, how many there are."""
        config, said = self._settings.config, self._dataset.marking.said
        if config is None or len(pictures) > FEW:
            return len(pictures)
        marks = ((one, said.of(one.path)) for one in pictures)
        return sum(
            said.repeats(one.path.parent, config.dataset)
            for one, mark in marks
            if not (mark.unused or mark.held_out)
        )
