"""Normal numbers: to the bit those of numpy's generator, which goes on where numpy's would."""

from __future__ import annotations

import numpy as np
import pytest

from beyondrate.errors import InputError
from beyondrate.ops.normals import draw_normals, ziggurat


@pytest.mark.parametrize("seed", range(4))
def test_they_are_numpys_own(seed: int) -> None:
    n = 1_000_000
    ours, theirs = (np.random.default_rng(seed) for _ in range(2))
    for rng in (ours, theirs):
        rng.integers(5, dtype=np.uint32)  # leaves half a number in the generator, which has to stay there
    drawn = draw_normals(ours, 3.3, n)
    np.testing.assert_array_equal(drawn, theirs.normal(0, 3.3, n), strict=True)
    assert (np.abs(drawn) > 3.3 * ziggurat.R).sum() > 100  # the tail has been drawn too
    assert ours.bit_generator.state == theirs.bit_generator.state


def test_in_parts_as_at_once() -> None:
    rng = np.random.default_rng(1)
    parts = np.concatenate([draw_normals(rng, 2.0, n) for n in (0, 1, 999, 9000)])
    np.testing.assert_array_equal(parts, draw_normals(np.random.default_rng(1), 2.0, 10_000))


def test_every_layer_of_the_ziggurat_is_drawn_from() -> None:
    """A wrong entry of the tables shows: each of the 256 layers, at once and at its edge, is met often."""
    inside, width, height = ziggurat.tables()
    bits = np.random.default_rng(2).bit_generator.random_raw(1_000_000)
    layer, mantissa = bits & 255, (bits >> 9) & ((1 << 52) - 1)
    at_edge = mantissa >= inside[layer]
    assert np.bincount(layer[~at_edge].astype(int), minlength=256)[[0, *range(2, 256)]].min() > 1000
    assert np.bincount(layer[at_edge].astype(int), minlength=256).min() > 0
    assert (np.diff(width[1:]) > 0).all() and (np.diff(height) < 0).all()


@pytest.mark.parametrize("source", [np.random.MT19937, np.random.Philox, np.random.PCG64DXSM])
def test_any_other_source_draws_itself(source: type[np.random.BitGenerator]) -> None:
    ours, theirs = (np.random.Generator(source(3)) for _ in range(2))
    np.testing.assert_array_equal(draw_normals(ours, 0.5, 1000), theirs.normal(0, 0.5, 1000))
    assert ours.random() == theirs.random()


def test_numpy_draws_where_ours_would_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    import beyondrate.ops.normals as package

    drawn_here = package._drawn
    monkeypatch.setattr(package, "_drawn", lambda *inputs: drawn_here(*inputs) + 1e-16)
    package._agrees.cache_clear()
    try:
        assert not package._agrees()
        found = draw_normals(np.random.default_rng(3), 0.5, 100)
        np.testing.assert_array_equal(found, np.random.default_rng(3).normal(0, 0.5, 100))
    finally:
        monkeypatch.undo()
        package._agrees.cache_clear()
    assert package._agrees()


@pytest.mark.parametrize("sigma", [-1.0, float("nan")])
@pytest.mark.parametrize("source", [np.random.PCG64, np.random.Philox])
def test_a_spread_that_is_none_is_refused(sigma: float, source: type[np.random.BitGenerator]) -> None:
    with pytest.raises(InputError, match="sigma is"):
        draw_normals(np.random.Generator(source(0)), sigma, 10)
