"""A base model as a value: its family, its configs, and where its weights lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.configs import unreadable
from core.hashing import RememberedHashes, key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.config.facts import Facts

ASSETS = Path(__file__).resolve().parents[2] / "assets"
DEMO_FOLDER = ASSETS / "demo-base"
BUNDLED = ASSETS / "bases"  # configs and vocabularies, for bases that are one file
CONFIG_NAMES = {"scheduler": "scheduler_config.json"}  # others: config.json
ENDINGS = (".safetensors", ".bin")
VARIANTS = ("", "fp16", "bf16", "non_ema", "ema")  # in the order in which they are taken


@dataclass(frozen=True, slots=True)
class InFolder:
    """Weights as diffusers and transformers save them, in the part's own folder."""

    variant: str  # "" or "fp16" ...


@dataclass(frozen=True, slots=True)
class InFile:
    """Weights among others in a .safetensors file."""

    path: Path
    prefix: str  # of the tensors' names
    naming: str  # whose names they have after it: a row of `loading.NAMINGS`


@dataclass(frozen=True, slots=True)
class Unread:
    """Weights that are left where they are: their shapes alone count (see `Base.unread`)."""


@dataclass(frozen=True, slots=True)
class Base:
    """A base model all of whose parts are there."""

    path: Path  # the folder or file that a person chose
    facts: Facts
    configs: Mapping[str, Mapping[str, Any]]  # of each part that has one
    folders: Mapping[str, Path]  # of each part: where its config or vocabulary lies
    weights: Mapping[str, InFolder | InFile | Unread]  # of each net
    notes: tuple[str, ...] = ()  # what was concluded, where the files do not say it

    @property
    def multiple_px(self) -> int:
        """What the sides of pictures are multiples of: places that the net's last level still has.

        A transformer reads two latents by two as one place, if the VAE has not packed them so.
        """
        vae, unet = self.configs["vae"], self.configs.get("unet")
        films = vae.get("temperal_downsample")
        packs = (vae.get("patch_size") or (1,))[0]
        halvings = len(films) if films else len(vae["block_out_channels"]) - 1
        if packs == 1:
            halvings += 1 if unet is None else len(unet["block_out_channels"]) - 1
        return packs * 2**halvings

    def unread(self) -> Base:
        """The same base, whose nets are made without their numbers, on the meta device."""
        return replace(self, weights=dict.fromkeys(self.weights, Unread()))

    def fingerprints(self, remembered: RememberedHashes) -> dict[str, str]:
        """A name for each part's files and settings, by which a changed part is known.

        Raises:
            BaseModelError: A file cannot be read.
        """
        made: dict[str, str] = {}
        try:
            for part in self.facts.parts:
                files = self._files(part)
                content = [x for f in files for x in (f.name, remembered.of(f))]
                made[part] = key_of(*content, *sorted(self.configs.get(part, {}).items()))
        except OSError as error:
            raise unreadable(self.path, error) from error
        remembered.save()
        return made

    def _files(self, part: str) -> list[Path]:
        """What is loaded: configs, vocabularies, and weights of the chosen variant."""
        found = [p for p in sorted(self.folders[part].iterdir()) if p.is_file()]
        weights = [p for p in found if is_weights(p.name)]
        others = [p for p in found if p not in weights]
        where = self.weights.get(part)
        match where:
            case InFile():
                return [*others, where.path]
            case InFolder():
                chosen = [p for p in weights if variant_of(p.name) == where.variant]
                return others + ([p for p in chosen if not p.name.endswith(".bin")] or chosen)
            case Unread() | None:
                return others


def is_weights(name: str) -> bool:
    """Whether a file of a part's folder holds weights, or says where their shards are."""
    return name.endswith(ENDINGS) or ".index." in name


def variant_of(name: str) -> str:
    """`model.fp16.safetensors` to `fp16`; shards and their index belong to the variant they name.

    Sharded: `model.fp16-00001-of-00002.safetensors`, `model.safetensors.index.fp16.json`.
    """
    words = name.replace("-", ".").split(".")
    return next((variant for variant in VARIANTS[1:] if variant in words), "")
