"""Turn weights into the files that other programs read, and read theirs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from core import version
from core.adapters import files, formats, reading, report
from core.adapters.changes import DoRA, LoRA, tensors_of
from core.adapters.kinds import kind_of
from core.base.configs import read_json
from core.config.files import write_beside
from core.errors import AdapterError, BaseModelError
from core.training import manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from core.adapters.changes import Adapter
    from core.config.facts import Facts
    from core.config.options import RunConfig
    from core.diffusion.path import Prediction
    from core.training.setup import Prepared

Layout = Literal["usual", "kohya", "diffusers", "peft"]
FORMAT_VERSION = "1.0.1"  # of the ModelSpec
CONFIG_FILE = "adapter_config.json"  # of a peft folder
TENSORS_FILE = "adapter_model.safetensors"
OWN = "stylewright_"  # entries of ours
_HALF_BYTES = 2
_SCHEDULES = {"restarts": "cosine_with_restarts"}  # what kohya's scripts call them


def header_of(prepared: Prepared, adapter: Adapter, *, title: str, step: int) -> dict[str, str]:
    """What A1111, Forge and ComfyUI show of an adapter after `step`. It holds no date.

    Without dates the same run gives the same file, byte for byte.
    """
    config, model = prepared.config, prepared.model
    header = {
        **network_words(adapter, model.facts),
        "ss_sd_model_name": config.base.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1],
        **_training(model.facts, config),
        "ss_steps": step,
        "ss_batch_size_per_device": prepared.batch_size,
        "ss_optimizer": prepared.trainable.kind.title,
        **_dataset(config, prepared, title),
        **_modelspec(model.facts, model.path.prediction, config),
        **manifest.short(prepared),
    }
    return {name: str(value) for name, value in header.items() if value != ""}


def network_words(adapter: Adapter, facts: Facts) -> dict[str, str]:
    """A header's entries on what an adapter is, which hang on nothing but itself."""
    ranks = Counter((change.rank, change.scale) for change in adapter.values())
    rank, scale = ranks.most_common(1)[0][0]
    sample = next(iter(adapter.values()))
    kind = kind_of(sample)
    arguments = {"algo": kind.algorithm}
    if isinstance(sample, DoRA):
        arguments |= {"dora_wd": "True", "wd_on_output": str(not sample.per_input)}
    plain = kind.title == "LoRA"
    return {
        "ss_network_module": "networks.lora" if plain else "lycoris.kohya",
        "ss_network_args": "" if plain else json.dumps(arguments),
        "ss_network_dim": str(rank),
        "ss_network_alpha": str(round(scale * rank, 6)),
        "ss_v2": str(facts.v2),
        "ss_base_model_version": facts.kohya_version,
    }


def _training(facts: Facts, config: RunConfig) -> dict[str, object]:
    training = config.training
    rates = facts.rates(config)
    encoder = dict.fromkeys(rate for part, rate in rates.items() if part in facts.text_encoders)
    return {
        "ss_max_train_steps": training.steps,
        "ss_seed": training.seed,
        "ss_learning_rate": training.learning_rate,
        "ss_unet_lr": rates.get(facts.denoiser, ""),
        "ss_text_encoder_lr": list(encoder) if len(encoder) > 1 else next(iter(encoder), ""),
        "ss_lr_scheduler": _SCHEDULES.get(training.schedule, training.schedule),
    }


def _dataset(config: RunConfig, prepared: Prepared, title: str) -> dict[str, object]:
    own = prepared.own
    tags = Counter(t.strip().lower() for i in own for t in i.caption.split(",") if t.strip())
    of_class = len(prepared.items) - len(own)
    edge = config.dataset.resolution_px
    return {
        "ss_output_name": title,
        "ss_resolution": f"({edge}, {edge})",
        "ss_num_train_images": len(own),
        "ss_num_reg_images": of_class or "",
        "ss_tag_frequency": json.dumps({title: dict(sorted(tags.items()))}),
    }


def _modelspec(facts: Facts, prediction: Prediction, config: RunConfig) -> dict[str, object]:
    edge = config.dataset.resolution_px
    only_here = "Only Stylewright's demo base can use this adapter." if facts.only_here else ""
    return {
        "modelspec.sai_model_spec": FORMAT_VERSION,
        "modelspec.architecture": facts.architecture,
        "modelspec.implementation": facts.implementation,
        "modelspec.implementation_version": f"stylewright/{version.VERSION}",
        "modelspec.title": config.name,
        "modelspec.resolution": f"{edge}x{edge}",
        "modelspec.prediction_type": {"v_prediction": "v", "flow": ""}.get(prediction, prediction),
        "modelspec.trigger_phrase": config.dataset.trigger,
        "modelspec.usage_hint": only_here,
    }


def write(
    path: Path, adapter: Adapter, facts: Facts, header: dict[str, str], layout: Layout
) -> None:
    """Write an adapter for other programs, in half precision as they keep theirs.

    usual: what most other programs read of this family. kohya: one file for ComfyUI, Forge, A1111,
    InvokeAI and diffusers. diffusers: one file of peft names. Beside both lies the trigger word as
    A1111, Forge and InvokeAI look for it. peft: a folder for each net, which
    `PeftModel.from_pretrained` loads.

    Args:
        path: The file; for peft the folder.
        adapter: What is written.
        facts: The family's names for modules.
        header: What kohya's format says of it; entries of other formats are left out.
        layout: Which of them.

    Raises:
        StorageError: It cannot be written.
    """
    trigger = header.get("modelspec.trigger_phrase", "")
    layout = usual_layout(adapter, facts) if layout == "usual" else layout
    if layout == "kohya":
        tensors = formats.halved(formats.to_kohya(adapter, facts.names))
        # diffusers refuses a file with kohya's alphas and its own header
        said = {n: v for n, v in header.items() if n.startswith(("ss_", "modelspec.", OWN))}
        files.write(path, tensors, files.with_hashes(tensors, said))
        _write_trigger(path.with_suffix(".json"), facts, trigger)
    elif layout == "diffusers":
        tensors, said = formats.to_diffusers(adapter, facts.names)
        words = {n: v for n, v in header.items() if n.startswith(("modelspec.", OWN))}
        files.write(path, formats.halved(tensors), {**words, **said})
        _write_trigger(path.with_suffix(".json"), facts, trigger)
    else:
        for part in sorted({place.component for place in adapter}):
            tensors, settings = formats.to_peft(adapter, part, facts.names[part])
            content = json.dumps(settings, indent=2, sort_keys=True).encode()
            write_beside(path / part / CONFIG_FILE, content)
            files.write(path / part / TENSORS_FILE, formats.halved(tensors), {"format": "pt"})


def usual_layout(adapter: Adapter, facts: Facts) -> Literal["kohya", "diffusers"]:
    """In which form most other programs read it: the family's, if that can hold its kind."""
    held = all(
        isinstance(change, LoRA) or (isinstance(change, DoRA) and not change.per_input)
        for change in adapter.values()
    )
    return facts.layout if held else "kohya"


def file_bytes(adapter: Adapter) -> int:
    """About how large `write` makes a file of it; names and words come on top."""
    tensors = [tensor for change in adapter.values() for tensor in tensors_of(change).values()]
    return sum(tensor.numel() * _HALF_BYTES for tensor in tensors)


def _write_trigger(path: Path, facts: Facts, trigger: str) -> None:
    """The file in which A1111, Forge and InvokeAI keep what a person notes of an adapter."""
    if trigger and not path.exists():
        said = {"activation text": trigger, "sd version": facts.shown_as, "preferred weight": 1.0}
        write_beside(path, json.dumps(said, indent=4, ensure_ascii=False).encode())


def read(path: Path, facts: Facts) -> tuple[Adapter, dict[str, str]]:
    """An adapter file or a peft folder of any of these programs, and its header.

    Raises:
        AdapterError: It cannot be read, or is of another kind or family.
    """
    try:
        if path.is_dir():
            adapter, header = _read_peft(path, facts)
        else:
            tensors, header = files.read(path)
            adapter = reading.from_tensors(tensors, header, facts.names)
    except AdapterError as error:
        where = "" if str(path) in error.message else f"{path}: "
        raise AdapterError(f"{where}{error.message}", hint=error.hint) from error
    if not adapter:
        raise AdapterError(f"{path} holds no adapter.", hint="Choose another file.")
    return adapter, header


def _read_peft(path: Path, facts: Facts) -> tuple[Adapter, dict[str, str]]:
    """A folder of folders, one for each part, or one part's own."""
    folders = {part: path / part for part in facts.names if (path / part / CONFIG_FILE).is_file()}
    if (path / CONFIG_FILE).is_file():
        folders = {path.name if path.name in facts.names else facts.denoiser: path}
    adapter: Adapter = {}
    for part, folder in folders.items():
        tensors, _ = files.read(folder / TENSORS_FILE)
        try:
            settings: dict[str, Any] = read_json(folder / CONFIG_FILE)
        except BaseModelError as error:
            raise AdapterError(error.message, hint="Get a whole copy of the adapter.") from error
        said = json.dumps({f"{part}.{option}": value for option, value in settings.items()})
        header = {"lora_adapter_metadata": said}
        adapter |= reading.from_tensors(tensors, header, facts.names, part)
    return adapter, {}


def convert(source: Path, facts: Facts, layout: Layout, out: Path) -> Adapter:
    """Write an adapter file once more in another format; no base model is needed for it.

    Raises:
        AdapterError: `source` cannot be read.
        StorageError: `out` cannot be written.
    """
    adapter, header = read(source, facts)
    write(out, adapter, facts, header, layout)
    return adapter


def in_words(found: report.Report, header: Mapping[str, str], facts: Facts) -> list[str]:
    """What an adapter file is, a line each."""
    places = ", ".join(f"{count} in {part}" for part, count in found.changes.items())
    lines = [
        f"{found.words}, for {facts.title}; {found.numbers / 1e6:.1f} M numbers.",
        f"It changes {sum(found.changes.values())} layers: {places}.",
        "It acts most in "
        + ", ".join(f"{block} ({share:.0%})" for block, share in found.strongest)
        + ".",
    ]
    for name, words in (
        ("modelspec.trigger_phrase", "Trigger word"),
        ("ss_sd_model_name", "Trained on"),
        ("modelspec.usage_hint", "Note"),
    ):
        if said := header.get(name):
            lines.append(f"{words}: {said[:200]}")
    return lines
