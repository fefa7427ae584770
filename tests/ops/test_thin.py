from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from beyondrate.ops import thin
from beyondrate.ops.blocks import sample_blocks
from beyondrate.ops.thin import reference

PROPERTY = settings(max_examples=40, deadline=None, derandomize=True)
N_UNITS = 4


@st.composite
def flat_spikes(draw):
    """Units and offsets of a few samples, some of them empty, and a generator for what else is needed."""
    lengths = draw(st.lists(st.integers(0, 30), min_size=1, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    dtype = draw(st.sampled_from([np.uint16, np.int32]))
    return rng.integers(N_UNITS, size=offsets[-1]).astype(dtype), offsets, rng


@PROPERTY
@given(flat_spikes())
def test_draw_subset_equals_the_reference_and_fills_the_quota(spikes):
    units, offsets, rng = spikes
    quota = rng.integers(0, 8, (len(offsets) - 1, N_UNITS))
    draws = rng.random(len(units))
    keep = thin.draw_subset(units, offsets, quota, draws)
    np.testing.assert_array_equal(keep, reference.draw_subset(units, offsets, quota, draws))
    for sample, (start, stop) in enumerate(itertools.pairwise(offsets)):
        there = np.bincount(units[start:stop], minlength=N_UNITS)
        kept = np.bincount(units[start:stop][keep[start:stop]], minlength=N_UNITS)
        np.testing.assert_array_equal(kept, np.minimum(there, quota[sample]))


def test_draw_subset_takes_every_subset_equally_often():
    n_trains, n, k = 30_000, 5, 2
    units = np.zeros(n_trains * n, dtype=np.uint16)
    offsets = np.arange(0, n_trains * n + 1, n)
    draws = np.random.default_rng(3).random(n_trains * n)
    keep = thin.draw_subset(units, offsets, np.full((n_trains, 1), k), draws).reshape(n_trains, n)
    seen = np.unique(keep @ (1 << np.arange(n)), return_counts=True)[1]
    assert len(seen) == 10  # 5 choose 2
    assert stats.chisquare(seen).pvalue > 1e-4


@PROPERTY
@given(flat_spikes())
def test_first_in_bin_equals_the_reference(spikes):
    units, offsets, rng = spikes
    bins = np.concatenate([np.sort(rng.integers(0, 6, n)) for n in np.diff(offsets)]).astype(np.int32)
    keep = thin.first_in_bin(units, offsets, bins, N_UNITS)
    np.testing.assert_array_equal(keep, reference.first_in_bin(units, offsets, bins))


@PROPERTY
@given(flat_spikes())
def test_kept_offsets_count_what_is_kept_in_each_sample(spikes):
    units, offsets, rng = spikes
    keep = rng.random(len(units)) < 0.5
    kept = [int(keep[start:stop].sum()) for start, stop in itertools.pairwise(offsets)]
    assert np.diff(thin.kept_offsets(offsets, keep)).tolist() == kept


@PROPERTY
@given(flat_spikes(), st.sampled_from([0.0, 0.5, 1.0]))
def test_kept_spikes_equal_the_reference(spikes, share):
    units, offsets, rng = spikes
    times = np.arange(len(units), dtype=np.int32)
    views = times, units, offsets, rng.random(len(units)) < share
    for ours, theirs in zip(thin.kept_spikes(*views), reference.kept_spikes(*views), strict=True):
        np.testing.assert_array_equal(ours, theirs, strict=True)


def test_kept_spikes_are_the_same_on_any_number_of_threads(with_threads):
    rng, n_samples, n_spikes = np.random.default_rng(0), 50, 4000
    times, units = np.arange(n_samples * n_spikes, dtype=np.int32), rng.integers(9, size=n_samples * n_spikes)
    views = times, units, np.arange(n_samples + 1) * n_spikes, rng.random(len(times)) < 0.5
    for n_threads in (1, 2, 3):
        with with_threads(n_threads):
            kept = thin.kept_spikes(*views)
        for ours, theirs in zip(kept, reference.kept_spikes(*views), strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)


@PROPERTY
@given(flat_spikes(), st.integers(1, 60), st.integers(1, 4))
def test_sample_blocks_cover_all_samples_within_their_limits(spikes, n_spikes, n_samples):
    _, offsets, _ = spikes
    blocks = list(sample_blocks(offsets, n_spikes, n_samples))
    assert [block.start for block in blocks] == [0, *(block.stop for block in blocks[:-1])]
    assert blocks[-1].stop == len(offsets) - 1
    for block in blocks:
        size = block.stop - block.start
        assert 1 <= size <= n_samples
        assert size == 1 or offsets[block.stop] - offsets[block.start] <= n_spikes


def test_sample_blocks_of_nothing():
    assert list(sample_blocks(np.zeros(1, dtype=np.int64), 10, 10)) == []


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_frozen_arrays_are_taken_as_they_are(dtype):
    units = np.array([0, 0], dtype=dtype)
    units.flags.writeable = False
    keep = thin.first_in_bin(units, np.array([0, 2]), np.array([0, 0]), 1)
    assert keep.tolist() == [True, False]
