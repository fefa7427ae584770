import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.ops.correlogram import interval_counts, lag_counts, reference

quick = settings(max_examples=40, deadline=None, derandomize=True)


def random_trains(seed, n_samples=4, n_units=5, longest=60, duration_us=400):
    """Dense enough in time that spikes coincide; some samples are empty."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, longest, n_samples) * rng.integers(0, 4, n_samples).clip(max=1)
    times = [np.sort(rng.integers(0, duration_us + 1, n)) for n in lengths]
    units = rng.integers(0, n_units, lengths.sum())
    return np.concatenate(times).astype(np.int32), units, np.concatenate([[0], np.cumsum(lengths)])


@quick
@given(
    st.integers(0, 10_000),
    st.lists(st.integers(-1, 500), min_size=2, max_size=6, unique=True).map(sorted),
)
def test_lag_counts_agree_with_the_reference(seed, edges):
    times, units, offsets = random_trains(seed)
    fast = lag_counts(times, units, offsets, 5, np.array(edges))
    assert np.array_equal(fast, reference.lag_counts(times, units, offsets, 5, np.array(edges)))


@quick
@given(
    st.integers(0, 10_000), st.lists(st.integers(-1, 500), min_size=2, max_size=6, unique=True).map(sorted)
)
def test_interval_counts_agree_with_the_reference(seed, edges):
    times, units, offsets = random_trains(seed)
    groups = np.array([0, 0, 1, 2, 1])
    fast = interval_counts(times, units, offsets, groups, 3, np.array(edges))
    slow = reference.interval_counts(times, units, offsets, groups, 3, np.array(edges))
    assert np.array_equal(fast, slow)


@pytest.mark.parametrize("seed", range(3))
def test_all_pairs_and_all_intervals_are_counted_once(seed):
    times, units, offsets = random_trains(seed, n_samples=8)
    n = np.diff(offsets)
    everything = np.array([-1, 50, 1000])
    assert n.sum() > 50
    assert np.array_equal(
        lag_counts(times, units, offsets, 5, everything).sum(axis=(1, 2, 3)), n * (n - 1) // 2
    )
    intervals = interval_counts(times, units, offsets, np.arange(5), 5, everything).sum(axis=2)
    per_unit = np.stack([np.bincount(units[a:b], minlength=5) for a, b in itertools.pairwise(offsets)])
    assert np.array_equal(intervals, np.maximum(per_unit - 1, 0))


def test_simultaneous_spikes_are_left_out_by_an_edge_at_zero():
    times, units, offsets = np.array([7, 7, 9], dtype=np.int32), np.array([1, 0, 0]), np.array([0, 3])
    assert lag_counts(times, units, offsets, 2, np.array([0, 5])).sum() == 2
    assert lag_counts(times, units, offsets, 2, np.array([-1, 0]))[0, 1, 0, 0] == 1
