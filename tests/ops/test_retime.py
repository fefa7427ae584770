from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beyondrate.ops import retime
from beyondrate.ops.free_bins import TrainTimes
from beyondrate.ops.retime import cpu, reference

PROPERTY = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # with_threads has no state
)


@st.composite
def samples_of_spikes(draw):
    """Samples of none, few and many spikes, with few or many of one time, of few or many units."""
    n_units = draw(st.sampled_from([1, 2, 700, 65_536, 100_000]))
    duration_us = draw(st.sampled_from([1, 3, 1000, 1_000_000, 2**31 - 1]))
    lengths = draw(st.lists(st.sampled_from([0, 1, 2, 63, 64, 65, 300, 1000]), min_size=1, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = sum(lengths)
    times = rng.integers(0, duration_us + 1, n)
    times[rng.random(n) < draw(st.sampled_from([0.0, 0.5, 1.0]))] = rng.integers(0, duration_us + 1)
    units = rng.integers(n_units, size=n).astype(np.uint16 if n_units <= 65_536 else np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return times.astype(np.int32), units, offsets, n_units, duration_us, rng


@PROPERTY
@given(samples_of_spikes())
def test_sorting_equals_the_reference(spikes):
    times, units, offsets, n_units, duration_us, _ = spikes
    expected = reference.sort_samples(times, units, offsets)
    cpu.sort_samples(times, units, offsets, duration_us.bit_length(), (n_units - 1).bit_length())
    for ours, theirs in zip((times, units), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs, strict=True)


@PROPERTY
@given(samples_of_spikes(), st.sampled_from(["spike", "train"]), st.integers(1, 500))
def test_shifting_equals_the_reference_in_blocks_and_on_threads(with_threads, spikes, of, block):
    times, units, offsets, n_units, duration_us, rng = spikes
    n_samples = len(offsets) - 1
    if of == "train":  # a raster of shifts, of which there must not be too many
        units, n_units = units % 5, min(n_units, 5)
    n = len(times) if of == "spike" else n_samples * n_units
    shifts = rng.normal(0, duration_us / 3, n)
    sample = np.repeat(np.arange(n_samples), np.diff(offsets))
    own = shifts if of == "spike" else shifts[sample * n_units + units]
    expected = reference.sort_samples(reference.shifted(times, own, duration_us), units, offsets)
    for n_threads in (1, 2):
        left = iter(shifts)
        draw = lambda n: np.fromiter(left, float, n)  # noqa: B023, E731
        with pytest.MonkeyPatch.context() as patched, with_threads(n_threads):
            patched.setattr(retime, "BLOCK_SPIKES", block)
            moved = retime.shifted(times, units, offsets, n_units, duration_us, draw, of)
        for ours, theirs in zip(moved, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)
        assert next(left, None) is None


@PROPERTY
@given(samples_of_spikes())
def test_mirroring_equals_the_reference(spikes):
    times, units = reference.sort_samples(*spikes[:3])
    views = times, units, spikes[2]
    for ours, theirs in zip(retime.mirrored(*views), reference.mirrored(*views), strict=True):
        np.testing.assert_array_equal(ours, theirs, strict=True)


@PROPERTY
@given(samples_of_spikes(), st.integers(1, 500))
def test_new_times_of_trains_in_any_order_are_sorted_into_their_samples(with_threads, spikes, block):
    times, units, offsets, n_units, duration_us, rng = spikes

    def mirrored(block):
        assert block.n_trains == (len(block.offsets) - 1) * n_units
        order = rng.permutation(len(block.time))
        return TrainTimes(block.train[order], duration_us - block.time[order])

    expected = reference.sort_samples((duration_us - times.astype(int)).astype(np.int32), units, offsets)
    for n_threads in (1, 2):
        with pytest.MonkeyPatch.context() as patched, with_threads(n_threads):
            patched.setattr(retime, "BLOCK_SPIKES", block)
            moved = retime.retime(times, units, offsets, n_units, duration_us, mirrored)
        for ours, theirs in zip(moved, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)
