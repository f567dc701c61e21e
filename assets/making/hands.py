"""The icon sets that draw for the demo base: each is a hand, with the word that names its style."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Hand:
    """One icon set, or one of the weights that a set comes in."""

    word: str  # of its style, in captions
    folder: str  # the package's name after @iconify-json/
    kind: str  # colour, solid, line
    ending: str = ""  # what icon names of this weight end with


HANDS = (
    Hand("noto", "noto", "colour"),
    Hand("vintage", "noto-v1", "colour"),
    Hand("twemoji", "twemoji", "colour"),
    Hand("fluent", "fluent-emoji-flat", "colour"),
    Hand("gloss", "fluent-emoji", "colour"),
    Hand("firefox", "fxemoji", "colour"),
    Hand("park", "icon-park", "solid"),
    Hand("contrast", "fluent-emoji-high-contrast", "solid"),
    Hand("game", "game-icons", "solid"),
    Hand("material", "mdi", "solid"),
    Hand("awesome", "fa7-solid", "solid"),
    Hand("phosphor", "ph", "solid", "-fill"),
    Hand("lucide", "lucide", "line"),
    Hand("tabler", "tabler", "line"),
    Hand("huge", "hugeicons", "line"),
    Hand("parkline", "icon-park-outline", "line"),
    Hand("thin", "ph", "line", "-thin"),
    Hand("duotone", "ph", "line", "-duotone"),
    Hand("cute", "mingcute", "line", "-line"),
    Hand("pixel", "pixelarticons", "line"),
)
# Where a set means another thing by a name: an organ, a hand, a company.
OTHER_THINGS = {
    "icon-park": {"heart", "palm", "apple", "bell", "remind"},
    "icon-park-outline": {"heart", "palm", "apple", "bell", "remind"},
    "mdi": {"apple", "mouse", "bat"},
    "mingcute": {"apple"},
    "pixelarticons": {"apple"},
    "hugeicons": {"apple", "palm"},
}
JUDGED = Hand("openmoji", "openmoji", "colour")  # the demo's own style: no base ever sees it
COLOUR_HANDS = tuple(hand.word for hand in HANDS if hand.kind == "colour")


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing the demo base can draw: `role` is style, preview or base."""

    role: str
    icon: str  # its name in the emoji sets
    word: str
    others: tuple[str, ...]  # its names in the other sets, beside its own two


@cache
def subjects() -> tuple[Subject, ...]:
    """The lines of subjects.txt: role, icon, word; after a colon, further names or a dash."""
    found = []
    for line in (HERE / "subjects.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            first, _, others = line.partition(":")
            role, icon, word = first.split(maxsplit=2)
            found.append(Subject(role, icon, word.strip(), tuple(others.split())))
    return tuple(found)


@cache
def icon_set(folder: Path) -> dict[str, tuple[str, float, float]]:
    """Icon name to SVG body, width and height, aliases included, from an @iconify-json package."""
    data = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
    width, height = data.get("width", 16), data.get("height", 16)
    icons = {
        name: (icon["body"], icon.get("width", width), icon.get("height", height))
        for name, icon in data["icons"].items()
    }
    for name, alias in data.get("aliases", {}).items():
        if alias["parent"] in icons and not alias.keys() & {"hFlip", "vFlip", "rotate"}:
            icons[name] = icons[alias["parent"]]
    return icons


def drawing(icons: Path, hand: Hand, subject: Subject) -> tuple[str, float, float] | None:
    """A hand's drawing of a subject, where it has one.

    Emoji sets share their names. In the others a subject goes by its word, and by what subjects.txt
    adds; a dash there says that they mean another thing by it.
    """
    bodies = icon_set(icons / hand.folder)
    if "moji" in hand.folder or hand.folder.startswith("noto"):
        names = [subject.icon, subject.icon.replace("-", "")]
        if hand.folder == "fxemoji":
            names += [subject.word.replace(" ", ""), *subject.others]
    elif "-" in subject.others:
        return None
    else:
        word = re.sub(r"\W+", "-", subject.word)
        names = [word, *subject.others]
    for name in names:
        if name in OTHER_THINGS.get(hand.folder, ()):
            continue
        if name + hand.ending in bodies:
            return bodies[name + hand.ending]
    return None
