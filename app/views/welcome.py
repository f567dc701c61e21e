"""The first start: what the program does, in pictures, and the two ways to begin."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app.models.recent import Recent, recent_projects
from app.models.studio import Studio
from app.views import story
from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.collage import Collage

RECENT = 5
CARD_WIDTH_PX = 152  # its height stands in the style sheet
TALLEST_PX = 480  # the story
WIDEST_PX = 1600


class Welcome(QWidget):
    """Where no project is open."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio = studio
        self._recent: list[tuple[Recent, QPushButton]] = []
        self._made = False

    @override
    def showEvent(self, event: QShowEvent) -> None:
        """Made once it is seen: who opens a project need not wait for it."""
        if not self._made:
            self._made = True
            self._make()
        super().showEvent(event)

    def _make(self) -> None:
        studio, actions = self._studio, self._studio.actions
        buttons = QHBoxLayout()
        buttons.setSpacing(16)
        buttons.addWidget(ActionButton(actions["project.demo"], primary=True))
        buttons.addWidget(ActionButton(actions["dataset.add"], words="Drop or choose pictures"))
        buttons.addStretch()
        self._heading = labels.small("Recent")
        self._cards = QHBoxLayout()
        self._cards.setSpacing(16)
        inside = QWidget()
        inside.setMaximumWidth(WIDEST_PX)
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(16)
        layout.addStretch(1)
        layout.addWidget(labels.huge("Teach a model your style"))
        layout.addLayout(self._make_story(), stretch=4)
        layout.addLayout(buttons)
        layout.addWidget(self._heading)
        layout.addLayout(self._cards)
        layout.addStretch(1)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(inside)
        studio.workspace.opened.connect(self._on_opened)
        studio.tiles.ready.connect(self._on_tile_ready)
        self._on_opened()

    def _make_story(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        for number, (picture, title, words) in enumerate(
            (
                (story.yours(2), "Your pictures", "15 to 100 of one style"),
                (story.change(), "Before and after", "what the model draws for the same words"),
                (story.file(), "One small file", "for ComfyUI, Forge, A1111 and diffusers"),
            )
        ):
            if number:
                arrow = labels.title("\u2192")
                arrow.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
                row.addWidget(arrow)
            row.addWidget(_panel(picture, title, words), stretch=1)
        return row

    @Slot()
    def _on_opened(self) -> None:
        """Offer what was open lately."""
        for _, card in self._recent:
            self._cards.removeWidget(card)
            card.hide()
            card.deleteLater()
        while self._cards.count():
            self._cards.takeAt(0)
        self._recent = []
        if self._studio.workspace.project is None:
            found = recent_projects(self._studio.workspace.recent()[:RECENT])
            self._recent = [(one, self._make_card(one)) for one in found]
        for _, card in self._recent:
            self._cards.addWidget(card)
        self._cards.addStretch()
        self._heading.setVisible(bool(self._recent))
        self._on_tile_ready("")

    def _make_card(self, recent: Recent) -> QPushButton:
        card = QPushButton()
        card.setObjectName("card")
        card.setFixedWidth(CARD_WIDTH_PX)
        card.setAccessibleName(recent.name)
        card.setToolTip(str(recent.root))
        card.clicked.connect(lambda: self._studio.workspace.open(recent.root))
        picture = Collage(1)
        name = labels.small(recent.name)
        name.setWordWrap(False)
        column = QVBoxLayout(card)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(4)
        column.addWidget(picture, stretch=1)
        column.addWidget(name)
        return card

    @Slot(str)
    def _on_tile_ready(self, name: str) -> None:
        for recent, card in self._recent:
            if recent.picture and name in ("", str(recent.picture)):
                image = self._studio.tiles.get(Path(recent.picture))
                picture = card.findChild(Collage)
                if image and picture:
                    picture.show_images([image])


def _panel(picture: QWidget, title: str, words: str) -> QFrame:
    panel = QFrame()
    panel.setObjectName("panel")
    panel.setMaximumHeight(TALLEST_PX)
    column = QVBoxLayout(panel)
    column.setContentsMargins(16, 16, 16, 12)
    column.setSpacing(4)
    column.addWidget(picture, stretch=1)
    column.addSpacing(4)
    heading = QLabel(title)
    heading.setObjectName("strong")
    column.addWidget(heading)
    column.addWidget(labels.small(words))
    return panel
