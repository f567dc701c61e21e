"""The door to base models: a folder or a file that a person chose, checked before it is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.base import encoders
from core.base.configs import read_json
from core.base.folder import DIFFUSERS_WEIGHTS, family_of, open_folder, weights_variant
from core.base.single_file import PREDICTING, facts_of_file, open_file, read_header
from core.base.value import CONFIG_NAMES, Base, InFile, InFolder
from core.config.facts import DEMO, FAMILIES, FLOW, Facts, that_predicts
from core.config.options import DEMO_BASE
from core.errors import BaseModelError, TextsMissingError, VaeMissingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.config.options import Told

INPAINTING_CHANNELS = 9
PREDICTIONS = ("epsilon", "v_prediction")  # of schedulers that are asked; of others the flow
_VAES = ("first_stage_model.", "vae.")  # what a VAE's names begin with beside a net
_TIMES = 10_000  # of a scheduler; real ones have 1,000
_WHOLE = "Choose a file that holds the whole model."
_VAE = "Choose a VAE beside it (vae in the settings, --vae)"
_TEXTS = "Choose a file of each (texts in the settings, --text)"
_REST = ", or a {} folder as diffusers saves it, of which the rest is taken (rest, --rest)."


def facts_of(base: str, root: Path) -> Facts:
    """The row of a config's `base`; the first family's where it is not there, or not known."""
    if base == DEMO_BASE:
        return DEMO
    path = root / Path(base).expanduser()
    try:
        if path.is_file():
            return facts_of_file(path)
        facts = family_of(path)
    except BaseModelError:
        return FAMILIES[0]
    try:
        scheduler = read_json(path / "scheduler" / CONFIG_NAMES["scheduler"])
    except BaseModelError:
        return facts
    return that_predicts(facts, scheduler.get("prediction_type", "epsilon"))


def open_base(
    path: Path,
    vae: Path | None = None,
    told: Told = "auto",
    rest: Path | None = None,
    texts: Sequence[Path] = (),
    *,
    whole: bool = True,
) -> Base:
    """Look at a base model, a folder or one file, without loading its weights.

    Args:
        path: Where it is.
        vae: Another VAE than its own; None is its own.
        told: What a person says that it predicts; "auto" is what its files say.
        rest: A folder of the same family, for what a file of a transformer alone lacks. Its weights
            may be missing where `vae` and `texts` have them.
        texts: Files of text encoders, in the place of its own; each is known by its header.
        whole: Whether all weights must be there: not where nothing is drawn or read with it.

    Raises:
        BaseModelError: It is no base model, of a kind that is not supported, or a part is missing.
        RestMissingError: It is a transformer alone, and there is no `rest`.
        TextsMissingError: A text encoder's weights are missing.
        VaeMissingError: The VAE's are.
    """
    if path.is_dir():
        base = open_folder(path)
    elif path.is_file():
        base = _with_own(open_file(path, rest))
    else:
        raise BaseModelError(
            f"There is no base model at {path}.",
            hint="Choose a model folder as diffusers saves it, or a .safetensors file.",
        )
    if vae is not None:
        base = _with_vae(base, vae)
    if texts:
        base = _with_texts(base, texts)
    if told != "auto" and base.facts.predicts != FLOW:
        scheduler = {**base.configs["scheduler"], **PREDICTING[told]}
        base = replace(base, configs={**base.configs, "scheduler": scheduler}, notes=())
    if whole:
        _check_whole(base)
    if base.facts.predicts == FLOW:
        return base
    _check_kind(base)
    predicts = base.configs["scheduler"].get("prediction_type", "epsilon")
    return replace(base, facts=that_predicts(base.facts, predicts))


def _with_vae(base: Base, vae: Path) -> Base:
    """The same base with another VAE: a folder as diffusers saves it, or a .safetensors file.

    Raises:
        BaseModelError: It is none.
    """
    if vae.is_dir():
        weights: InFolder | InFile = InFolder(weights_variant(vae, DIFFUSERS_WEIGHTS))
        return replace(
            base,
            configs={**base.configs, "vae": read_json(vae / "config.json")},
            folders={**base.folders, "vae": vae},
            weights={**base.weights, "vae": weights},
        )
    if found := _vae_in(vae, (*_VAES, "")):
        return replace(base, weights={**base.weights, "vae": found})
    raise BaseModelError(f"{vae} is no VAE.", hint="Choose a VAE of the base model's family.")


def _vae_in(file: Path, prefixes: Sequence[str]) -> InFile | None:
    """A VAE that a file holds under one of these names."""
    names = read_header(file).shapes
    for prefix in prefixes:
        for sign, naming in (
            ("decoder.up_blocks.", "diffusers"),
            ("decoder.up.", "ldm_vae"),
            ("decoder.upsamples.", "film_vae"),
        ):
            if any(name.startswith(prefix + sign) for name in names):
                return InFile(file, prefix, naming)
    return None


def _with_own(base: Base) -> Base:
    """The same base with the text encoders and the VAE that its file holds beside a transformer."""
    if not base.facts.alone:
        return base
    if found := _vae_in(base.path, _VAES):
        base = replace(base, weights={**base.weights, "vae": found})
    return _with_encoders(base, encoders.beside_a_net(base.path))


def _with_texts(base: Base, texts: Sequence[Path]) -> Base:
    """The same base with text encoders of files.

    Raises:
        BaseModelError: One is none, or none that the base reads; or two are the same one.
    """
    return _with_encoders(base, [encoders.recognised(path) for path in texts])


def _with_encoders(base: Base, told: Sequence[encoders.Encoder]) -> Base:
    weights = dict(base.weights)
    taken: dict[str, Path] = {}
    for found in told:
        path = found.where.path
        own = {part: encoders.kind_of(base.configs[part]) for part in base.facts.text_encoders}
        fitting = [part for part, known in own.items() if known == (found.kind, found.width)]
        part = next((part for part in fitting if part not in taken), "")
        if not fitting:
            read = [encoders.in_words(kind, width) for kind, width in own.values() if kind]
            raise BaseModelError(
                f"{path} is {found.words}, which {base.facts.title} does not read.",
                hint=f"It reads {' and '.join(read)}.",
            )
        if not part:
            raise BaseModelError(
                f"{taken[fitting[-1]]} and {path} are the same text encoder.",
                hint="Leave one out.",
            )
        taken[part], weights[part] = path, found.where
    return replace(base, weights=weights)


def _check_kind(base: Base) -> None:
    """Name the relatives of a family that have its pipeline's class, too.

    Raises:
        BaseModelError: It is one of them.
    """
    unet, scheduler = base.configs.get("unet", {}), base.configs.get("scheduler", {})
    path = base.path
    other = f"Choose a {base.facts.title} model."
    if unet.get("in_channels", 4) == INPAINTING_CHANNELS:
        raise BaseModelError(
            f"The base model {path} is an inpainting model, which is not supported.", hint=other
        )
    predicts = scheduler.get("prediction_type", "epsilon")
    if "Flow" in str(scheduler.get("_class_name", "")) or predicts == "flow_prediction":
        raise BaseModelError(
            f"The base model {path} is a flow model of {base.facts.title}'s shape, which is not "
            "supported.",
            hint=other,
        )
    if predicts not in PREDICTIONS:
        raise BaseModelError(
            f"The base model {path} predicts {predicts!r}, which is not supported.",
            hint=f"Choose one that predicts {' or '.join(PREDICTIONS)}.",
        )
    times = scheduler.get("num_train_timesteps", 1000)
    if not isinstance(times, int) or not 1 <= times <= _TIMES:
        raise BaseModelError(
            f"The scheduler of {path} is damaged: it has {times} training times.",
            hint="Get a whole copy of the base model.",
        )


def _check_whole(base: Base) -> None:
    """Whether the weights of all parts are there.

    Raises:
        BaseModelError: A part's are not.
    """
    facts = base.facts
    nets = [part for part in facts.parts if part not in (*facts.tokenizers, "scheduler")]
    missing = [part for part in nets if part not in base.weights]
    rest = _REST.format(facts.title) if facts.alone else "."
    texts = [part for part in missing if part in facts.text_encoders]
    if texts and facts.alone:
        told = (encoders.kind_of(base.configs[part]) for part in texts)
        words = [encoders.in_words(kind, width) for kind, width in told if kind]
        raise TextsMissingError(
            f"{base.path} has no weights of {' and '.join(words or texts)}.",
            hint=_TEXTS + rest,
        )
    if "vae" in missing:
        raise VaeMissingError(f"{base.path} has no vae.", hint=_VAE + rest)
    for part in missing:
        raise BaseModelError(f"{base.path} has no {part.replace('_', ' ')}.", hint=_WHOLE)
