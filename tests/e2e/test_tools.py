"""Adapters merged, resized, extracted and compared, against plain linear algebra and pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from core import cli
from core.adapters import comparing, files, merging
from core.adapters.changes import OFT, Adapter, LoRA, Place
from core.adapters.merging import Size
from core.base.opening import open_base
from core.config.facts import SD1, SD2, SDXL
from core.errors import AdapterError
from core.families import weights
from core.training import export, sample
from tests import ldm
from tests.conftest import made
from tests.e2e.test_kinds import CONV, Q, trained
from tests.tiny import write_sd1

FACTS = {"sd1": SD1, "sd2": SD2, "sdxl": SDXL}
DOWN = "down_blocks.{}.attentions.0.transformer_blocks.0.{}"


def rand(rng: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=rng)


def lora_of(seed: int, out: int, rank: int, *inputs: int, alpha: float = 3.0) -> LoRA:
    rng = torch.Generator().manual_seed(seed)
    ones = [1] * (len(inputs) - 1)
    return LoRA(rand(rng, rank, *inputs), rand(rng, out, rank, *ones), alpha)


def merged(*what) -> Adapter:
    return dict(merging.merged(*what))


def resized(*what) -> Adapter:
    return dict(merging.resized(*what))


def bake(base, parts, out: Path) -> int:
    """How many layers were changed."""
    *_, made = reworking_of(weights.baked(base, parts, out))
    return made


def reworking_of(steps):
    """What a generator yields, and then what it returns."""
    yield (yield from steps)


def dense(change, shape: tuple[int, ...] = (24, 16)) -> torch.Tensor:
    return change.delta(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(24, 16), (24, 16, 3, 3)])
def test_a_smaller_rank_is_the_nearest_there_is(shape: tuple[int, ...]) -> None:
    """Eckart and Young: what is lost is what the left-out singular values are worth."""
    change = lora_of(1, shape[0], 8, *shape[1:])
    values = torch.linalg.svdvals(dense(change, shape).flatten(1))
    small = merging.shrunk(change, Size(rank=3))
    assert small.rank == 3
    assert small.fits(torch.Size(shape))
    lost = (dense(small, shape) - dense(change, shape)).norm()
    assert lost == pytest.approx(values[3:].norm().item(), rel=1e-4)
    same = merging.of_delta(dense(change, shape), Size(rank=3))
    assert torch.allclose(dense(same, shape), dense(small, shape), atol=1e-4)


def test_the_rank_is_the_least_that_keeps_a_share_of_the_energy() -> None:
    change = lora_of(2, 24, 8, 16)
    energy = torch.linalg.svdvals(dense(change)).square()
    for kept in (0.5, 0.9, 0.999):
        small = merging.shrunk(change, Size(kept=kept))
        share = (energy.cumsum(0) / energy.sum())[small.rank - 1]
        assert share >= kept
        assert small.rank == 1 or (energy.cumsum(0) / energy.sum())[small.rank - 2] < kept
    assert merging.shrunk(change, Size(rank=2, kept=0.999)).rank == 2


def test_a_sum_of_loras_is_exact() -> None:
    one, other = lora_of(3, 24, 4, 16), lora_of(4, 24, 2, 16, alpha=5.0)
    alone = lora_of(5, 24, 3, 16)
    a, b = {Place("unet", "a"): one}, {Place("unet", "a"): other, Place("unet", "b"): alone}
    made = merged([(a, 0.7), (b, -0.4)], "linear", Size())
    both = made[Place("unet", "a")]
    assert both.rank == 6
    assert torch.allclose(dense(both), 0.7 * dense(one) - 0.4 * dense(other), atol=1e-5)
    assert torch.allclose(dense(made[Place("unet", "b")]), -0.4 * dense(alone), atol=1e-5)
    small = merged([(a, 0.7), (b, -0.4)], "linear", Size(rank=2))
    assert {change.rank for change in small.values()} == {2}


def test_other_kinds_are_merged_by_what_they_do() -> None:
    one, other = trained("lora")[1], trained("loha")[1]
    place = Place("unet", Q)
    made = merged([({place: one[place]}, 1.0), ({place: other[place]}, 0.5)], "linear",
                          Size(rank=16))  # fmt: skip
    assert isinstance(made[place], LoRA)
    expected = dense(one[place]) + 0.5 * dense(other[place])
    assert torch.allclose(dense(made[place]), expected, atol=1e-4)


def test_ties_keeps_what_is_large_and_agreed_on() -> None:
    """By hand: of each the larger half of the numbers; where signs differ, the heavier side."""
    rng = torch.Generator().manual_seed(7)
    one, other = (LoRA(torch.eye(4), rand(rng, 4, 4), 4.0) for _ in range(2))
    made = merged([({Place("u", "x"): one}, 1.0), ({Place("u", "x"): other}, 0.6)], "ties",
                          Size(rank=4), 0.5)  # fmt: skip

    def kept(matrix: torch.Tensor) -> torch.Tensor:
        least = matrix.abs().flatten().sort(descending=True).values[7]
        return torch.where(matrix.abs() >= least, matrix, 0.0)

    both = torch.stack([kept(one.up), kept(other.up)])
    sign = torch.where(both.sum(0) >= 0, 1.0, -1.0)
    parts = both * torch.tensor([1.0, 0.6]).view(2, 1, 1)
    agreed = torch.where(parts.sign() == sign, parts, 0.0)
    counts = (agreed != 0).sum(0).clamp(min=1)
    assert torch.allclose(dense(made[Place("u", "x")], (4, 4)), agreed.sum(0) / counts, atol=1e-4)


@pytest.mark.parametrize("method", ["dare", "dare_ties"])
def test_dare_gives_the_same_file_each_time(method) -> None:
    a, b = ({Place("u", "x"): lora_of(n, 24, 4, 16)} for n in (1, 2))
    one, other = (merged([(a, 1.0), (b, 1.0)], method, Size(rank=8)) for _ in range(2))
    assert torch.equal(one[Place("u", "x")].up, other[Place("u", "x")].up)
    plain = merged([(a, 1.0), (b, 1.0)], "linear", Size(rank=8))
    assert not torch.allclose(dense(one[Place("u", "x")]), dense(plain[Place("u", "x")]))


def test_what_hangs_on_the_base_is_not_merged_without_it() -> None:
    for case in ("dora", "oft"):
        with pytest.raises(AdapterError, match="hangs on the base") as caught:
            resized(trained(case)[1], Size(rank=2))
        assert "--into" in caught.value.hint
    conv = {Place("unet", CONV): trained("loha")[1][Place("unet", CONV)]}
    with pytest.raises(AdapterError, match="shape of .*conv1 cannot be told"):
        resized(conv, Size(rank=2))


def test_adapters_that_work_against_each_other_are_told_of() -> None:
    same = {Place("unet", name): lora_of(n, 24, 4, 16) for n, name in enumerate("abcd")}
    against = {p: LoRA(c.down, -2 * c.up, c.alpha) for p, c in same.items()}
    found = comparing.overlap(same, against)
    assert found.cosine == pytest.approx(-1, abs=1e-4)
    assert "against each other (-1.00" in found.warning
    assert len(found.opposed) == 3
    found = comparing.overlap(same, same)
    assert found.cosine == pytest.approx(1, abs=1e-4)
    assert "overdo it" in found.warning
    others = {Place("unet", name): lora_of(n + 50, 24, 4, 16) for n, name in enumerate("cdefg")}
    found = comparing.overlap(same, others)
    assert (found.shared, found.only) == (2, (2, 3))
    dense_cosine = torch.cosine_similarity(
        torch.cat([dense(same[p]).flatten() for p in sorted(same) if p in others]),
        torch.cat([dense(others[p]).flatten() for p in sorted(same) if p in others]),
        dim=0,
    )
    assert found.cosine == pytest.approx(dense_cosine.item(), abs=1e-5)
    assert found.warning == ""


def places_of(base: Path, facts) -> dict[Place, torch.Size]:
    """The attention of a tiny base, its 1 x 1 projections, and a convolution."""
    import re

    from core.families import loading
    from core.families.registry import FAMILIES

    opened = open_base(base)
    found = {}
    for part, pattern in facts.targets["transformer"].items():
        net = loading.empty_net(opened, part, FAMILIES[facts.family].nets[part])
        for name, module in net.named_modules():
            if re.fullmatch(f"{pattern}|{facts.convolutions.get(part, 'x')}", name):
                found[Place(part, name)] = module.weight.shape
    return found


def adapter_for(base: Path, facts, seed: int) -> Adapter:
    made = {}
    for number, (place, shape) in enumerate(places_of(base, facts).items()):
        change = lora_of(1000 * seed + number, shape[0], 4, *shape[1:])
        size = 0.3 / change.norm()
        made[place] = LoRA(change.down, change.up * size, change.alpha)
    return made


def picture(base: Path, adapter: Path | None, out: Path) -> np.ndarray:
    sampler = sample.load(open_base(base))
    worn = {adapter: 1.0} if adapter else {}
    wish = sample.Wish(
        prompt="a red ball", adapters=worn, width_px=64, height_px=64, inference_steps=3
    )
    sampler.draw(out, wish)
    return np.asarray(Image.open(out), dtype=np.float64)


@pytest.mark.parametrize("form", ["folder", "file"])
@pytest.mark.parametrize("family", FACTS)
def test_a_base_with_adapters_in_it_draws_as_with_them_loaded(
    tmp_path: Path, tmp_path_factory, monkeypatch, family: str, form: str
) -> None:
    """Exact but for float32's rounding; the base stays as it was, names and precision, too."""
    facts, folder = FACTS[family], made(family, tmp_path_factory)
    if form == "file" and family == "sd1":  # whose names are those of two layers a level
        folder = write_sd1(tmp_path / "two", layers=2)
    base = folder
    if form == "file":
        ldm.bundle(folder, tmp_path / "bundled", facts, monkeypatch)
        base = ldm.write(folder, tmp_path / "base.safetensors")
    adapters = [adapter_for(folder, facts, seed) for seed in (1, 2)]
    for number, adapter in enumerate(adapters):
        said = {"ss_base_model_version": facts.kohya_version}
        files.write(tmp_path / f"{number}.safetensors",
                    *_whole(adapter, facts, said))  # fmt: skip
    before = _content(base)
    out = tmp_path / ("baked" if form == "folder" else "baked.safetensors")
    assert cli.main(
        ["merge", f"{tmp_path / '0.safetensors'}:0.8", f"{tmp_path / '1.safetensors'}:-0.5",
         "--into", str(base), "--out", str(out)]
    ) == 0  # fmt: skip
    assert _content(base) == before
    assert _shape_of(out) == _shape_of(base)
    together = merged([(adapters[0], 0.8), (adapters[1], -0.5)], "linear", Size())
    files.write(tmp_path / "both.safetensors", *_whole(together, facts, {}))
    loaded = picture(base, tmp_path / "both.safetensors", tmp_path / "l.png")
    plain = picture(base, None, tmp_path / "p.png")
    baked = picture(out, None, tmp_path / "b.png")
    assert np.abs(baked - loaded).mean() < 0.05
    assert np.abs(plain - loaded).mean() > 1


def _whole(adapter: Adapter, facts, header: dict) -> tuple[dict, dict]:
    """In full precision, so that only the merge's own rounding is seen."""
    from core.adapters import formats

    return formats.to_kohya(adapter, facts.names), header


def _content(base: Path) -> dict[str, bytes]:
    found = [base] if base.is_file() else sorted(p for p in base.rglob("*") if p.is_file())
    return {p.name: p.read_bytes() for p in found}


def _shape_of(base: Path) -> dict:
    found = [base] if base.is_file() else sorted(base.rglob("*.safetensors"))
    told = {}
    for path in found:
        with safe_open(path, framework="pt") as file:
            told[path.parent.name if base.is_dir() else ""] = (
                file.metadata(),
                [(n, file.get_slice(n).get_shape(), file.get_slice(n).get_dtype()) for n in file.keys()],  # noqa: SIM118
            )  # fmt: skip
    return told


def test_a_half_precision_file_stays_one(tmp_path: Path, monkeypatch) -> None:
    """And differs by its own rounding at most: half of its last digit."""
    tiny_base = write_sd1(tmp_path / "two", layers=2)
    ldm.bundle(tiny_base, tmp_path / "bundled", SD1, monkeypatch)
    base = ldm.write(tiny_base, tmp_path / "half.safetensors", dtype=torch.float16)
    adapter = adapter_for(tiny_base, SD1, 3)
    out = tmp_path / "baked.safetensors"
    assert bake(open_base(base), [(adapter, 1.0)], out) == len(adapter)
    with safe_open(base, "pt") as before, safe_open(out, "pt") as after:
        changed = 0
        for name in before.keys():  # noqa: SIM118
            old, new = before.get_tensor(name), after.get_tensor(name)
            assert new.dtype == torch.float16
            changed += not torch.equal(old, new)
    assert changed == len(adapter)
    loaded = weights.of_part(open_base(out), "unet", _net(out))
    old = weights.of_part(open_base(base), "unet", _net(base))
    for place, change in adapter.items():
        if place.component == "unet":
            weight = old[place.module].float()
            exact = weight + change.delta(weight)
            assert (loaded[place.module].float() - exact).abs().max() < exact.abs().max() * 2**-11


def _net(base: Path):
    from core.families import loading
    from core.families.registry import FAMILIES

    return loading.empty_net(open_base(base), "unet", FAMILIES["sd1"].nets["unet"])


def test_an_adapter_of_another_base_is_not_baked(tmp_path: Path, tiny_base: Path) -> None:
    odd = {Place("unet", "mid_block.nothing"): lora_of(1, 24, 4, 16)}
    wide = {Place("unet", DOWN.format(0, "attn1.to_q")): lora_of(1, 99, 4, 16)}
    for adapter in (odd, wide):
        with pytest.raises(AdapterError, match="does not fit this model"):
            bake(open_base(tiny_base), [(adapter, 1.0)], tmp_path / "out")
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("family", FACTS)
def test_what_went_into_a_base_is_extracted_again(
    tmp_path: Path, tmp_path_factory, family: str
) -> None:
    facts, base = FACTS[family], made(family, tmp_path_factory)
    adapter = adapter_for(base, facts, 4)
    tuned = tmp_path / "tuned"
    bake(open_base(base), [(adapter, 1.0)], tuned)
    out = tmp_path / "extracted.safetensors"
    assert cli.main(
        ["extract", str(tuned), "--base", str(base), "--out", str(out), "--rank", "4",
         "--convolutions"]
    ) == 0  # fmt: skip
    found, header = export.read(out, facts)
    assert header["ss_base_model_version"] == facts.kohya_version
    expected = {p for p in adapter if not _unread(p, facts)}
    assert found.keys() == expected
    shapes = places_of(base, facts)
    for place in expected:
        wanted = adapter[place].delta(torch.zeros(shapes[place]))
        again = found[place].delta(torch.zeros(shapes[place]))
        assert (again - wanted).norm() < 5e-3 * wanted.norm()


def _unread(place: Place, facts) -> bool:
    """Layers of which the tiny base has more than adapters may go into."""
    import re

    pattern = facts.targets["transformer"][place.component]
    return not re.fullmatch(
        f"{pattern}|{facts.convolutions.get(place.component, 'x')}", place.module
    )


def test_bases_that_are_alike_hold_nothing_to_extract(
    tmp_path: Path, tiny_base: Path, capsys
) -> None:
    code = cli.main(
        [
            "extract",
            str(tiny_base),
            "--base",
            str(tiny_base),
            "--out",
            str(tmp_path / "x.safetensors"),
        ]
    )
    assert code == 2
    assert "are alike" in capsys.readouterr().err


def test_the_command_line_tells_what_came_of_it(tmp_path: Path, capsys) -> None:
    path = tmp_path / "a.safetensors"
    adapter = {Place("unet", DOWN.format(n, "attn2.to_k")): lora_of(n, 24, 8, 768) for n in (0, 1)}
    against = {p: LoRA(c.down, -c.up, c.alpha) for p, c in adapter.items()}
    header = {"ss_base_model_version": "sd_v1", "modelspec.trigger_phrase": "inkstyle"}
    export.write(path, adapter, SD1, header, "kohya")
    export.write(tmp_path / "b.safetensors", against, SD1, header, "kohya")
    small = tmp_path / "small.safetensors"
    assert cli.main(["resize", str(path), "--out", str(small), "--rank", "2"]) == 0
    told = capsys.readouterr().out
    assert "2 layers of rank 2" in told
    assert "ComfyUI: 2 of 2" in told
    assert "of what the adapter changes" in told
    read, said = export.read(small, SD1)
    assert said["ss_network_dim"] == "2"
    assert said["modelspec.trigger_phrase"] == "inkstyle"
    assert {change.rank for change in read.values()} == {2}
    assert cli.main(["compare", str(path), str(tmp_path / "b.safetensors")]) == 0
    assert "against each other (-1.00" in capsys.readouterr().out
    merged = tmp_path / "merged.safetensors"
    command = ["merge", f"{path}:0.5", str(tmp_path / "b.safetensors"), "--out", str(merged)]
    assert cli.main(command) == 0
    assert "Note: a.safetensors and b.safetensors: They work against" in capsys.readouterr().out
    read, _ = export.read(merged, SD1)
    for place, change in read.items():
        exact = -0.5 * dense(adapter[place], (24, 768))
        assert (dense(change, (24, 768)) - exact).norm() < 2e-3 * exact.norm()
    for words, what in (
        (command, "is there already"),
        (["resize", str(path), "--out", str(tmp_path / "n.safetensors")], "Nothing would change"),
        (["merge", "--out", str(tmp_path / "n.safetensors")], "Nothing is to be merged"),
        (["compare", str(path)], "cannot be compared"),
    ):
        assert cli.main(words) == 2
        assert what in capsys.readouterr().err


def test_a_weight_is_no_drive() -> None:
    from core.cli.adapters import weighted

    assert weighted("C:\\a.safetensors").path == Path("C:\\a.safetensors")
    assert weighted("C:\\a.safetensors:0.7").weight == 0.7
    assert weighted("a:-1").weight == -1


def test_a_rotation_is_merged_into_the_base(tmp_path: Path, tiny_base: Path) -> None:
    """What no adapter file of other programs can hold, a model can."""
    place = Place("unet", DOWN.format(0, "attn1.to_q"))
    change = OFT(torch.randn(8, 6, generator=torch.Generator().manual_seed(1)) * 0.3)
    out = tmp_path / "turned"
    bake(open_base(tiny_base), [({place: change}, 0.5)], out)
    before = weights.of_part(open_base(tiny_base), "unet", _net(tiny_base))[place.module]
    after = weights.of_part(open_base(out), "unet", _net(out))[place.module]
    assert torch.allclose(after, before + 0.5 * change.delta(before), atol=1e-6)
