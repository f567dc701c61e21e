"""The style measure ranks what is known to be nearer, and says when it cannot."""

import torch

from core.training import style


def features(picture: torch.Tensor) -> list[torch.Tensor]:
    """Colours and their differences."""
    return [picture, torch.cat([picture.diff(dim=-1), picture.diff(dim=-1).abs()], dim=1)]


def pictures(count: int, scale: float, seed: int) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(3, 16, 16, generator=rng) * scale for _ in range(count)]


def test_previews_in_the_style_are_nearer() -> None:
    found = style.measure(features, pictures(12, 0.2, 1), pictures(8, 0.6, 2), pictures(8, 0.2, 3))
    assert found is not None
    assert found.after < 0.5 * found.before
    assert 0.7 < found.after < 1.5
    assert found.check > 0.95


def test_the_check_is_chance_where_styles_are_the_same() -> None:
    found = style.measure(features, pictures(40, 0.2, 1), pictures(40, 0.2, 2), pictures(4, 0.2, 3))
    assert found is not None
    assert 0.3 < found.check < 0.7


def test_leaving_one_out_is_what_its_formula_says() -> None:
    matrices = torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(0))
    made = style._leave_one_out(matrices)
    others = [(matrices.sum(0) - m) / 4 for m in matrices]
    expected = torch.stack([(m - o).norm() for m, o in zip(matrices, others, strict=True)])
    torch.testing.assert_close(made, expected)


def test_too_few_pictures_are_not_measured() -> None:
    assert style.measure(features, pictures(3, 1, 1), pictures(2, 1, 2), pictures(2, 1, 3)) is None
