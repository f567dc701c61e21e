"""The settings of the next run: each is set by itself, written at once, and can be undone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack
from typing_extensions import override

from core.base.opening import facts_of
from core.base.value import Base
from core.config import files, presets
from core.config.facts import Facts
from core.config.options import RunConfig
from core.config.presets import Preset
from core.errors import BaseModelError, RestMissingError, TextsMissingError, UserError
from core.project.layout import Project, named_base

Values = Mapping[str, object]  # by dotted path: training.steps
ONE_EDIT_SECONDS = 1.5  # between two changes of one setting that are one step back


@dataclass(frozen=True, slots=True)
class _Open:
    project: Project
    in_file: RunConfig  # as last read or written


class Settings(QObject):
    """What the window shows, and the project's file, which other programs may write, too."""

    changed = Signal()  # `config` is another
    failed = Signal(str)  # in words

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.undo_stack = QUndoStack(self)
        self.config: RunConfig | None = None
        self._open: _Open | None = None

    @property
    def saved(self) -> bool:
        """Whether the file holds the settings that the window shows."""
        return self._open is None or self.config == self._open.in_file

    def open(self, project: Project) -> None:
        """Read another project's.

        Raises:
            UserError: They cannot be read; those before stay.
        """
        config = project.config()
        self.config, self._open = config, _Open(project, config)
        self.undo_stack.clear()
        self.changed.emit()

    def close(self) -> None:
        """There is no project."""
        self.config, self._open = None, None
        self.undo_stack.clear()
        self.changed.emit()

    def set(self, path: str, value: object) -> None:
        """Set one setting, by its dotted path; no other changes."""
        self.change({path: value})

    def change(self, values: Values) -> None:
        """Set those that belong together, as one step back."""
        if self.config is None:
            return
        before = values_of(self.config)
        new = {path: value for path, value in values.items() if before[path] != value}
        if new:
            old = {path: before[path] for path in new}
            self.undo_stack.push(_Change(self._put, old, new))

    def facts(self) -> Facts:
        """Of the base model that is chosen; the first family's where there is none."""
        root = self._open.project.root if self._open else Path()
        return facts_of(self.config.base if self.config else "", root)

    def base(self) -> Base | None:
        """The chosen base model, looked at and not loaded; None where it cannot be read."""
        if self._open is None or self.config is None or not self.config.base:
            return None
        try:
            return self._open.project.base(self.config)
        except UserError:
            return None

    def use_preset(self, preset: Preset) -> None:
        """Set what the preset stands for, on the base that is chosen."""
        if self.config is not None:
            self.replace(presets.apply(preset, self.config, self.facts()))

    def preset(self) -> Preset | None:
        """The one that the settings follow."""
        return None if self.config is None else presets.matching(self.config, self.facts())

    def use_base(
        self, base: str, rest: str = "", texts: tuple[str, ...] = (), vae: str = ""
    ) -> Base | None:
        """Train on another base; what fits only one of the two follows, a preset stays one.

        Its own VAE is used where it has one, and what it predicts is what its files say. `rest` is
        a folder for what a transformer alone lacks, `texts` and `vae` are files of what it lacks.

        Raises:
            BaseModelError: It is none that can be trained; nothing is changed.
            RestMissingError: It is a transformer alone, and wants `rest`.
            TextsMissingError: A text encoder's weights are missing, and wants `texts`.
            VaeMissingError: The VAE's are, and none was chosen before.
        """
        if self.config is None:
            return None
        root = self._open.project.root if self._open else Path()
        try:
            there = named_base(base, root, vae, rest=rest, texts=texts)
        except (RestMissingError, TextsMissingError):
            raise
        except BaseModelError:
            if vae or not (vae := self.config.vae):
                raise
            there = named_base(base, root, vae, rest=rest, texts=texts)
        config = presets.on_base(self.config, base, self.facts(), there.facts)
        beside = {"vae": vae, "rest": rest, "texts": texts}
        self.replace(msgspec.structs.replace(config, **beside, prediction="auto"))
        return there

    def check_texts(self, texts: tuple[str, ...]) -> None:
        """Whether the base reads these files of text encoders.

        Raises:
            BaseModelError: It does not; or it is not chosen or not there.
        """
        if self.config is not None:
            root = self._open.project.root if self._open else Path()
            config = self.config
            named_base(config.base, root, config.vae, config.prediction, config.rest, texts)

    def replace(self, config: RunConfig) -> None:
        """Set whatever differs in `config`, as one step back."""
        self.change(values_of(config))

    def save(self) -> None:
        """Write them; what others changed in the file stays."""
        if self._open is None or self.config is None:
            return
        project = self._open.project
        try:
            whole = files.merged(self._open.in_file, self.config, project.config())
            project.save(whole)
        except UserError as error:
            self.failed.emit(str(error))
            return
        self._open = _Open(project, whole)
        if whole != self.config:
            self.config = whole
            self.changed.emit()

    def refresh(self) -> None:
        """Take over what another program has changed in the file."""
        if self._open is None or not self.saved:
            return
        try:
            there = self._open.project.config()
        except UserError:  # half written, perhaps; the scan of the pictures tells
            return
        if there != self.config:
            self.config, self._open = there, _Open(self._open.project, there)
            self.changed.emit()

    def _put(self, values: Values) -> bool:
        """What a change, its undo and its redo do. False if they do not fit the rest."""
        if self.config is None:
            return False
        tree = msgspec.to_builtins(self.config)
        for path, value in values.items():
            *sections, option = path.split(".")
            place = tree
            for section in sections:
                place = place[section]
            place[option] = value
        try:
            self.config = msgspec.convert(tree, RunConfig)
        except msgspec.ValidationError as error:
            self.failed.emit(f"That setting cannot be used: {error}.")
            self.changed.emit()  # so that the field shows what is true
            return False
        self.changed.emit()
        self.save()
        return True


class _Change(QUndoCommand):
    """Some settings from their old values to new ones; the others stay as they are then."""

    ID = 2

    def __init__(self, put: Callable[[Values], bool], old: Values, new: Values) -> None:
        super().__init__("Settings")
        self._put, self._old, self._new = put, dict(old), dict(new)
        self._when = time.monotonic()

    @override
    def id(self) -> int:
        return self.ID

    @override
    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, _Change) or other._new.keys() != self._new.keys():
            return False
        if other.isObsolete() or other._when - self._when > ONE_EDIT_SECONDS:
            return False
        self._new, self._when = other._new, other._when
        return True

    @override
    def redo(self) -> None:
        self.setObsolete(not self._put(self._new))

    @override
    def undo(self) -> None:
        self._put(self._old)


def values_of(config: RunConfig) -> dict[str, object]:
    """Every setting by its dotted path."""
    return dict(_flat(msgspec.to_builtins(config), ""))


def _flat(tree: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", tuple(value) if isinstance(value, list) else value
