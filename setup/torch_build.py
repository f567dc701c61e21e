"""Which build of torch a machine gets.

For NVIDIA's cards this table decides, by the CUDA that the driver speaks and by the compute
capability of every card. uv's own detection (`--torch-backend=auto`) looks at the driver alone: it
gives a GTX 10xx with a new driver a build without kernels for it, and an older driver one that
torch is no longer made in. It decides where the table cannot: for AMD's cards, and where NVIDIA's
driver does not say what it is or has.
"""

from __future__ import annotations

from typing import NamedTuple

from setup.cards import Card, Graphics
from setup.words import WITHOUT_GPU, SetupError

TORCH = "torch==2.13.0"
AUTO = "auto"  # uv's word


class Build(NamedTuple):
    """A build for NVIDIA's cards: what it asks of the driver, and whom it has kernels for."""

    name: str
    cuda: float  # within a major version older drivers run newer builds
    oldest: float  # compute capability
    newest: float


# From torch's own matrix for 2.12 to 2.14; cards of a later minor number run the earlier's kernels.
BUILDS = (Build("cu130", 13.0, 7.5, 12.9), Build("cu126", 12.0, 5.0, 9.9))
OLDEST_DRIVER = "525"  # the first that speaks CUDA 12.0
NEW_DRIVER = "580"  # the first that speaks CUDA 13.0


class Choice(NamedTuple):
    """A build, and what a person should know about it."""

    build: str
    remark: str = ""

    @property
    def needs_card(self) -> bool:
        """Whether it was chosen for a card, which must be seen to compute."""
        return self.build != "cpu"


def choose(graphics: Graphics) -> Choice:
    """The build with kernels for all cards, or else the one for the best card.

    Raises:
        SetupError: The driver is too old for the best card.
    """
    if graphics.maker == "Apple":
        return Choice("mps")
    if graphics.maker == "AMD":
        return Choice(AUTO, graphics.remark)
    if graphics.maker != "NVIDIA":
        return Choice("cpu", graphics.remark)
    best = max(graphics.cards, key=lambda card: card.capability)
    if graphics.cuda and graphics.cuda < BUILDS[-1].cuda:
        raise SetupError(
            f"The NVIDIA driver is too old for torch: it speaks CUDA {graphics.cuda}, and "
            f"{BUILDS[-1].cuda} is needed.\nInstall driver {OLDEST_DRIVER} or newer and run "
            f"start.py again; or, as for cards before the GTX 900 there is none, set "
            f"{WITHOUT_GPU}=1 to train without the {best.name}."
        )
    if not graphics.cuda or not best.capability or best.capability > BUILDS[0].newest:
        return Choice(AUTO)
    if best.capability < BUILDS[-1].oldest:
        return Choice("cpu", f"{best.name}: torch is no longer made for a card of its age.")
    usable = [build for build in BUILDS if build.cuda <= graphics.cuda]
    for build in usable:
        if all(serves(build, card) for card in graphics.cards):
            return Choice(build.name)
    for build in usable:
        if serves(build, best):
            left_out = [card.name for card in graphics.cards if not serves(build, card)]
            return Choice(
                build.name,
                f"No build of torch fits all cards. It gets the one for {best.name}; "
                f"left out: {', '.join(left_out)}.",
            )
    raise SetupError(
        f"The NVIDIA driver is too old for the {best.name}.\n"
        f"Install driver {NEW_DRIVER} or newer and run start.py again, or set {WITHOUT_GPU}=1 to "
        "train without the card."
    )


def serves(build: Build, card: Card) -> bool:
    """Whether a build has kernels for a card."""
    return build.oldest <= card.capability <= build.newest
