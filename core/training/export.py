"""Turn weights into the files that other programs read."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Literal

import torch

from core import version
from core.adapters import files, formats
from core.adapters.lora import Adapter, Pair, Place
from core.config.files import write_beside
from core.errors import AdapterError
from core.project.layout import slug

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from torch import nn

    from core.config.options import RunConfig
    from core.data.batches import Item
    from core.families.family import Components, ModelFamily

Layout = Literal["kohya", "diffusers", "peft"]
FORMAT_VERSION = "1.0.1"  # of the ModelSpec


def metadata(
    family: ModelFamily, parts: Components, config: RunConfig, items: list[Item], step: int
) -> dict[str, str]:
    """The header by which A1111, Forge and ComfyUI show an adapter. It holds no date.

    Without dates the same run gives the same file, byte for byte.
    """
    tags = Counter(t.strip().lower() for i in items for t in i.caption.split(",") if t.strip())
    resolution = config.dataset.resolution_px
    prediction = "v" if parts.prediction == "v_prediction" else "epsilon"
    header: dict[str, object] = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": config.adapter.rank,
        "ss_network_alpha": config.adapter.alpha,
        "ss_v2": False,
        "ss_base_model_version": family.kohya_version,
        "ss_output_name": slug(config.name),
        "ss_sd_model_name": config.base.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1],
        "ss_resolution": f"({resolution}, {resolution})",
        "ss_steps": step,
        "ss_max_train_steps": config.training.steps,
        "ss_seed": config.training.seed,
        "ss_learning_rate": config.training.learning_rate,
        "ss_unet_lr": config.training.learning_rate,
        "ss_text_encoder_lr": config.training.text_encoder_learning_rate
        if config.adapter.text_encoder
        else "",
        "ss_lr_scheduler": config.training.schedule,
        "ss_optimizer": "torch.optim.AdamW",
        "ss_num_train_images": len(items),
        "ss_batch_size_per_device": config.training.batch_size,
        "ss_tag_frequency": json.dumps({slug(config.name): dict(sorted(tags.items()))}),
        "modelspec.sai_model_spec": FORMAT_VERSION,
        "modelspec.architecture": family.architecture,
        "modelspec.implementation": family.implementation,
        "modelspec.implementation_version": f"stylewright/{version.VERSION}",
        "modelspec.title": config.name,
        "modelspec.resolution": f"{resolution}x{resolution}",
        "modelspec.prediction_type": prediction,
        "modelspec.trigger_phrase": config.dataset.trigger,
    }
    return {name: str(value) for name, value in header.items() if value != ""}


def write(
    path: Path,
    adapter: Adapter,
    family: ModelFamily,
    header: dict[str, str],
    layout: Layout,
) -> None:
    """Write an adapter for other programs, in half precision as they keep theirs.

    kohya: one file for ComfyUI, Forge, A1111 and diffusers. diffusers: one file of peft names.
    peft: a folder for each net, which `PeftModel.from_pretrained` loads into the nets of the
    diffusers and transformers that we use (CLIP's modules had other names before transformers 5).

    Args:
        path: The file; for peft the folder.
        adapter: What is written.
        family: Its names for modules.
        header: What kohya's format says of it; entries of other formats are left out.
        layout: One of the three.

    Raises:
        StorageError: It cannot be written.
        AdapterError: The format cannot hold it.
    """
    half = {
        place: Pair(pair.down.to(torch.float16), pair.up.to(torch.float16), pair.alpha)
        for place, pair in adapter.items()
    }
    names = dict(family.names)
    if layout == "kohya":
        tensors = formats.to_kohya(half, names)
        # diffusers refuses a file with kohya's alphas and its own header
        said = {n: v for n, v in header.items() if n.startswith(("ss_", "modelspec."))}
        files.write(path, tensors, files.with_hashes(tensors, said))
    elif layout == "diffusers":
        files.write(path, *formats.to_diffusers(half, names))
    else:
        _write_peft(path, half)


def _write_peft(folder: Path, adapter: Adapter) -> None:
    for component in sorted({place.component for place in adapter}):
        pairs = {p.module: pair for p, pair in adapter.items() if p.component == component}
        settings = {"peft_type": "LORA", **formats.peft_settings(pairs)}
        tensors = {}
        for module, pair in pairs.items():
            tensors[f"base_model.model.{module}.lora_A.weight"] = pair.down
            tensors[f"base_model.model.{module}.lora_B.weight"] = pair.up
        content = json.dumps(settings, indent=2).encode()
        write_beside(folder / component / "adapter_config.json", content)
        files.write(folder / component / "adapter_model.safetensors", tensors, {"format": "pt"})


def read(
    path: Path, family: ModelFamily, nets: dict[str, nn.Module]
) -> tuple[Adapter, dict[str, str]]:
    """An adapter file for nets that carry none, and its header.

    Raises:
        AdapterError: It cannot be read or does not fit.
    """
    tensors, header = files.read(path)
    try:
        adapter = formats.from_tensors(tensors, header, dict(family.names), _places(nets))
    except AdapterError as error:
        raise AdapterError(f"{path}: {error.message}", hint=error.hint) from error
    if not adapter:
        raise AdapterError(f"{path} holds no adapter.", hint="Choose another file.")
    return adapter, header


def _places(nets: dict[str, nn.Module]) -> Iterable[Place]:
    return (Place(c, name) for c, net in nets.items() for name, _ in net.named_modules() if name)


def convert(
    source: Path, family: ModelFamily, parts: Components, layout: Layout, out: Path
) -> None:
    """Write an adapter file once more in another format.

    Raises:
        AdapterError: `source` cannot be read, or the format cannot hold it.
        StorageError: `out` cannot be written.
    """
    adapter, header = read(source, family, parts.nets(text_encoders=True))
    write(out, adapter, family, header, layout)
