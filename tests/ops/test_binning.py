from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.ops import binning
from beyondrate.ops.binning import reference

PROPERTY = settings(max_examples=60, deadline=None, derandomize=True)
N_UNITS = 6


@st.composite
def sorted_spikes(draw):
    """Sorted samples of 100 µs, some empty, and a choice of them in any order, some twice."""
    lengths = draw(st.lists(st.sampled_from([0, 1, 2, 30]), min_size=1, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    times = np.concatenate([np.sort(rng.integers(0, 101, n)) for n in lengths]).astype(np.int32)
    units = rng.integers(N_UNITS, size=len(times)).astype(draw(st.sampled_from([np.uint16, np.int32])))
    chosen = rng.integers(len(lengths), size=draw(st.integers(0, 5)))
    for array in (times, units):
        array.flags.writeable = False  # as SpikeTrains keeps them
    return times, units, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), chosen


@PROPERTY
@given(sorted_spikes(), st.sampled_from([1, 7, 10, 100, 1000]))
def test_bins_equal_the_reference(spikes, dt_us):
    n_steps = -(-100 // dt_us)
    rows, expected = (module.bin_rows(*spikes, dt_us, n_steps) for module in (binning, reference))
    for ours, theirs in zip(rows, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs, strict=True)
    dense, expected = (module.bin_dense(*spikes, dt_us, n_steps, N_UNITS) for module in (binning, reference))
    np.testing.assert_array_equal(dense, expected, strict=True)


def test_the_number_of_threads_does_not_show(with_threads):
    rng, n_samples, n_spikes, n_units = np.random.default_rng(0), 40, 5000, 50
    times = np.sort(rng.integers(0, 100_001, (n_samples, n_spikes))).ravel().astype(np.int32)
    units = rng.integers(n_units, size=len(times)).astype(np.uint16)
    offsets, everything = np.arange(n_samples + 1) * n_spikes, np.arange(n_samples)
    spikes = times, units, offsets, everything, 1000, 100
    found = []
    for n_threads in (1, 2, 3):
        with with_threads(n_threads):
            found.append((*binning.bin_rows(*spikes), binning.bin_dense(*spikes, n_units)))
    for ours in found:
        for one, expected in zip(
            ours, (*reference.bin_rows(*spikes), reference.bin_dense(*spikes, n_units)), strict=True
        ):
            np.testing.assert_array_equal(one, expected, strict=True)
