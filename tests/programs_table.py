"""What other programs' own code makes of our files, into docs/models.md.

`python tests/programs_table.py --comfyui FOLDER`, a checkout that is at hand (what its code imports
must be importable); diffusers is the one that is installed. Nothing is fetched. Of a small base of
each family all layers of `transformer` in what draws get a LoRA of random numbers; each program
loads the file, and its changed weights are compared with ours. Without `--comfyui` its columns stay
as they are.
"""

from __future__ import annotations

import argparse
import gc
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

sys.path.pop(0)  # this folder, which has a comfy.py of its own
sys.path.insert(0, str(Path(__file__).parents[1]))

from core.adapters import files
from core.adapters.changes import Adapter, LoRA, Place
from core.base.opening import open_base
from core.families import loading
from core.families.namings import NAMINGS
from core.families.registry import FAMILIES
from core.training import export
from tests import ldm, original, tiny

Tensors = dict[str, torch.Tensor]
PAGE = Path(__file__).parents[1] / "docs" / "models.md"
BEGIN, END = "<!-- by tests/programs_table.py -->", "<!-- end -->"
ROWS = ("sd1", "sdxl", "flux", "chroma", "sd3", "flux2", "zimage", "qwen-image", "krea2")
LAYOUTS = ("diffusers", "kohya")
NET = "diffusion_model."
UNKNOWN = "not in it"
NEAR = 2e-3  # relative: files are in half precision
RANK, ALPHA = 4, 3.0


@dataclass(frozen=True, slots=True)
class Subject:
    """A small base's net, an adapter for it, and what that makes of its weights."""

    row: str
    folder: Path
    base: Any
    net: Any
    adapter: Adapter
    before: Tensors
    after: Tensors


def widen(folder: Path) -> None:
    """Stable Diffusion 3's width is 64 a block, which ComfyUI takes for granted."""
    import diffusers

    kind: Any = diffusers.SD3Transformer2DModel
    config = dict(kind.load_config(folder))
    heads = config["num_attention_heads"] = config["num_layers"]
    wide = {**config, "attention_head_dim": 64, "caption_projection_dim": 64 * heads}
    torch.manual_seed(0)
    kind.from_config(wide).save_pretrained(folder)


def subject(row: str, where: Path) -> Subject:
    folder = tiny.write_sd1(where, layers=2) if row == "sd1" else tiny.ROWS[row](where)
    if row == "sd3":
        widen(folder / "transformer")
    base = open_base(folder)
    part = base.facts.denoiser
    net = loading.net(base, part, FAMILIES[base.facts.family].nets[part], torch.float32)
    pattern = base.facts.targets["transformer"][part]
    torch.manual_seed(1)
    adapter: Adapter = {}
    before, after = {}, {}
    for name, module in net.named_modules():
        if re.fullmatch(pattern, name):
            weight = module.weight.detach()
            rows, columns = weight.flatten(1).shape
            kernel = [1] * (weight.ndim - 2)
            change = LoRA(
                torch.randn(RANK, columns).reshape(RANK, columns, *kernel).half().float(),
                torch.randn(rows, RANK).reshape(rows, RANK, *kernel).half().float(),
                ALPHA,
            )
            adapter[Place(part, name)] = change
            before[name], after[name] = weight, weight + change.delta(weight)
    return Subject(row, folder, base, net, adapter, before, after)


def counted(made: Subject, theirs: Callable[[str], torch.Tensor]) -> tuple[int, int]:
    """Of how many modules the weight is another, and of how many the one that is meant."""
    matched = equal = 0
    for name, wanted in made.after.items():
        got, old = theirs(name).reshape(wanted.shape).float(), made.before[name]
        matched += not torch.equal(got, old)
        equal += bool((got - wanted).norm() <= NEAR * (wanted - old).norm())
    return matched, equal


def by_diffusers(made: Subject, file: Path) -> tuple[int, int] | str:
    import diffusers

    pipe = diffusers.DiffusionPipeline.from_pretrained(made.folder)
    try:
        pipe.load_lora_weights(file)
        pipe.fuse_lora(components=[made.base.facts.denoiser])
    except Exception as error:  # noqa: BLE001 - whatever it raises is its answer
        return f"refused ({type(error).__name__})"
    pipe.unload_lora_weights()
    net = getattr(pipe, made.base.facts.denoiser)
    return counted(made, lambda name: net.get_submodule(name).weight.detach())


# ---------------------------------------------------------------- ComfyUI


def _unet(config: Any) -> dict[str, Any]:
    levels, blocks = len(config.block_out_channels), config.layers_per_block
    layers = config.transformer_layers_per_block
    per_level = layers if isinstance(layers, list | tuple) else [layers] * levels
    depths = [
        depth if "CrossAttn" in kind else 0
        for kind, depth in zip(config.down_block_types, per_level, strict=True)
    ]
    return {
        "num_res_blocks": [blocks] * levels,
        "channel_mult": list(range(1, levels + 1)),
        "transformer_depth": [depth for depth in depths for _ in range(blocks)],
        "transformer_depth_output": [depth for depth in depths for _ in range(blocks + 1)],
        "transformer_depth_middle": per_level[-1],
    }


def _flux(config: Any) -> dict[str, Any]:
    return {
        "depth": config.num_layers,
        "depth_single_blocks": config.num_single_layers,
        "hidden_size": config.num_attention_heads * config.attention_head_dim,
    }


COMFY: dict[
    str, tuple[str, Callable[[Any], dict[str, Any]]]
] = {  # its class, and what it asks of it
    "sd1": ("BaseModel", _unet),
    "sdxl": ("SDXL", _unet),
    "flux": ("Flux", _flux),
    "chroma": ("Chroma", _flux),
    "flux2": ("Flux2", _flux),
    "sd3": ("SD3", lambda c: {"depth": c.num_layers, "num_blocks": c.num_layers}),
    "zimage": ("Lumina2", lambda c: {"n_layers": c.n_layers, "dim": c.dim, "n_heads": c.n_heads}),
    "qwen-image": ("QwenImage", lambda _: {}),
    "krea2": ("Krea2", lambda _: {}),
}
_MAPPERS = {"zimage": "z_image_to_diffusers"}  # a function that came with the family


def comfyui(checkout: Path) -> Any:
    """Its modules, told that there is no GPU."""
    sys.path.insert(0, str(checkout))
    sys.argv = [sys.argv[0], "--cpu"]
    import comfy.options  # pyright: ignore[reportMissingImports]

    comfy.options.enable_args_parsing()
    import comfy.lora  # pyright: ignore[reportMissingImports]
    import comfy.lora_convert  # pyright: ignore[reportMissingImports]
    import comfy.model_base  # pyright: ignore[reportMissingImports]
    import comfy.utils  # pyright: ignore[reportMissingImports]

    return comfy


def by_comfyui(comfy: Any, made: Subject, file: Path) -> tuple[int, int] | str:
    """Its key map and its formulas on a net of its names; the net itself is not needed."""
    name, asks = COMFY[made.row]
    kind = getattr(comfy.model_base, name, None)
    mapper = _MAPPERS.get(made.row)
    if kind is None or (mapper and not hasattr(comfy.utils, mapper)):
        return UNKNOWN
    state = {n: t.detach() for n, t in made.net.state_dict().items()}
    unet = made.row in ("sd1", "sdxl")
    if unet:
        theirs = ldm.unet(state, bare_first=made.row == "sd1")
    else:
        theirs = original.NAMES[made.row](state)
    theirs = {NET + n: t for n, t in theirs.items()}
    model = object.__new__(kind)
    object.__setattr__(model, "state_dict", lambda: theirs)
    object.__setattr__(model, "model_config", SimpleNamespace(unet_config=asks(made.net.config)))
    keys = comfy.lora.model_lora_keys_unet(model, {})
    tensors = comfy.lora_convert.convert_lora(dict(files.read(file)[0]))
    changed = dict(theirs)
    for key, patch in comfy.lora.load_lora(tensors, keys, log_missing=False).items():
        target, *more = (key,) if isinstance(key, str) else key
        offset, function = [*more, None, None][:2]
        patches = [(1.0, patch, 1.0, offset, function)]
        changed[target] = comfy.lora.calculate_weight(patches, changed[target].clone(), target)
    plain = {n.removeprefix(NET): t for n, t in changed.items()}
    naming = "ldm_unet" if unet else made.base.facts.alone_naming
    prefix = "model.diffusion_model." if unet else ""
    back = NAMINGS[naming]({prefix + n: t for n, t in plain.items()}, prefix, made.net)
    return counted(made, lambda module: back[f"{module}.weight"])


# ---------------------------------------------------------------- the table


def words(answer: tuple[int, int] | str) -> str:
    return answer if isinstance(answer, str) else f"{answer[0]}, {answer[1]}"


def lines(comfy: Any, rows: tuple[str, ...]) -> list[str]:
    programs = ["ComfyUI", "diffusers"] if comfy else ["diffusers"]
    heads = [f"{program}, {layout}" for layout in LAYOUTS for program in programs]
    made_lines = [
        f"| | modules in the file | {' | '.join(heads)} |",
        f"|---|---|{'---|' * len(heads)}",
    ]
    for row in rows:
        with tempfile.TemporaryDirectory() as where:
            made = subject(row, Path(where) / row)
            answers = []
            for layout in LAYOUTS:
                file = Path(where) / f"{layout}.safetensors"
                said = {"ss_base_model_version": made.base.facts.kohya_version}
                export.write(file, made.adapter, made.base.facts, said, layout)
                if comfy:
                    answers.append(by_comfyui(comfy, made, file))
                answers.append(by_diffusers(made, file))
        cells = " | ".join(map(words, answers))
        made_lines.append(f"| {made.base.facts.title} | {len(made.adapter)} | {cells} |")
        sys.stderr.write(made_lines[-1] + "\n")
        gc.collect()
    return made_lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comfyui", type=Path, help="a checkout of it")
    parser.add_argument("--of", default="", help="which one it is, for the table's words")
    parser.add_argument("rows", nargs="*", default=ROWS, help="families by their names in tiny.py")
    parser.add_argument("--write", action="store_true", help="put the table into docs/models.md")
    args = parser.parse_args()
    comfy = comfyui(args.comfyui.resolve()) if args.comfyui else None
    table = lines(comfy, tuple(args.rows))
    if args.write:
        import diffusers

        page = PAGE.read_text(encoding="utf-8")
        begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
        of = (
            f"ComfyUI {args.of}; diffusers {diffusers.__version__}. Programs stand before the file's form."
            if comfy
            else ""
        )
        text = "\n".join(["", *table, "", of, ""])
        PAGE.write_text(page[:begin] + text + page[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
