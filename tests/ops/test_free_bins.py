from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from beyondrate.ops.free_bins import Bins, TrainTimes, add_in_free_bins, cpu, part_collisions, reference

PROPERTY = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def crowded_trains(draw):
    """Three trains that fit into few bins, at most one spike a bin, with many collisions."""
    width = draw(st.sampled_from([1, 7, 10]))
    bins = Bins(width, draw(st.integers(width, 8 * width)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = rng.integers(0, bins.n_bins + 1, 3)
    train = np.repeat(np.array([0, 4, 5]), sizes)
    # Squeezing the times makes runs of taken bins, at both edges too.
    time = rng.integers(0, bins.duration_us + 1, len(train)) // rng.integers(1, 4)
    if rng.random() < 0.5:
        time = bins.duration_us - time
    return TrainTimes(train, time), bins, rng


@PROPERTY
@given(crowded_trains())
def test_parting_equals_the_reference(crowd):
    (train, time), bins, rng = crowd
    train, time = train[np.lexsort((time, train))], time[np.lexsort((time, train))]
    home, before = bins.of(time), rng.random(len(time)) < 0.5
    parted, taken = home.copy(), np.zeros(bins.n_bins, dtype=np.bool_)
    cpu.part_collisions(train, parted, before, taken)
    np.testing.assert_array_equal(parted, reference.part_collisions(train, home, before, bins.n_bins))
    assert not taken.any()


@PROPERTY
@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 60), st.integers(0, 2**32))
def test_what_is_free_equals_the_reference(n_taken, n_drawn, n_numbers, seed):
    rng = np.random.default_rng(seed)
    taken, drawn = (np.sort(rng.integers(n_numbers, size=n)) for n in (n_taken, n_drawn))
    free = np.empty(n_drawn, dtype=np.bool_)
    cpu.mark_free(taken, drawn, free)
    np.testing.assert_array_equal(free, reference.mark_free(taken, drawn))


@PROPERTY
@given(crowded_trains())
def test_parted_spikes_have_a_bin_each_and_those_alone_do_not_move(crowd):
    spikes, bins, rng = crowd
    parted = part_collisions(spikes, bins, rng)
    cells = np.stack([parted.train, bins.of(parted.time)])
    assert np.unique(cells, axis=1).shape == cells.shape
    assert ((parted.time >= 0) & (parted.time <= bins.duration_us)).all()
    np.testing.assert_array_equal(np.sort(parted.train), np.sort(spikes.train))
    # Every bin that was taken is still taken, and by its first spike, which kept its time.
    before, after = ({*zip(t.tolist(), x.tolist(), strict=True)} for t, x in (spikes, parted))
    for train in np.unique(spikes.train):
        time = np.sort(spikes.time[spikes.train == train])
        first = time[np.unique(bins.of(time), return_index=True)[1]]
        assert {(train, x) for x in first.tolist()} <= before & after


def test_a_tie_goes_either_way_equally_often():
    n = 20_000
    crowd = TrainTimes(np.repeat(np.arange(n), 2), np.full(2 * n, 5))
    moved = part_collisions(crowd, Bins(1, 11), np.random.default_rng(0)).time
    assert np.unique(moved).tolist() == [4, 5, 6]
    assert stats.binomtest(int((moved == 4).sum()), n).pvalue > 1e-4


def test_parting_refuses_what_cannot_fit():
    with pytest.raises(ValueError, match="more spikes than"):
        part_collisions(TrainTimes(np.zeros(3, int), np.zeros(3, int)), Bins(1, 2), np.random.default_rng(0))


@PROPERTY
@given(crowded_trains())
def test_new_spikes_take_free_bins_until_all_are_full(crowd):
    spikes, bins, rng = crowd
    old = np.stack([spikes.train, bins.of(spikes.time)])
    taken = np.unique(old, axis=1)
    room = {int(train): bins.n_bins - int((taken[0] == train).sum()) for train in (0, 4, 5)}
    wanting = rng.permutation(np.repeat(list(room), list(room.values())))
    new = add_in_free_bins(spikes, wanting, bins, rng)
    np.testing.assert_array_equal(np.sort(new.train), np.sort(wanting))
    both = np.concatenate([taken, np.stack([new.train, bins.of(new.time)])], axis=1)
    assert both.shape == np.unique(both, axis=1).shape == (2, 3 * bins.n_bins)
    assert ((new.time >= 0) & (new.time <= bins.duration_us)).all()


def test_every_set_of_free_bins_is_equally_likely():
    n, bins = 30_000, Bins(1, 6)
    old = TrainTimes(np.arange(n), np.full(n, 2))
    new = add_in_free_bins(old, np.repeat(np.arange(n), 2), bins, np.random.default_rng(1))
    sets = np.bincount(new.train, weights=2.0**new.time)  # the set of two bins as one binary number
    seen = np.unique(sets, return_counts=True)[1]
    assert len(seen) == 10  # 2 of the 5 free bins
    assert stats.chisquare(seen).pvalue > 1e-4


def test_times_are_uniform_within_wide_bins_and_the_last_narrow_one():
    n, bins = 40_000, Bins(10, 25)
    new = add_in_free_bins(TrainTimes(*np.zeros((2, 0), int)), np.arange(n), bins, np.random.default_rng(2))
    expected = np.array([n / 3 / 10] * 20 + [n / 3 / 5] * 5)
    assert stats.chisquare(np.bincount(new.time, minlength=25), expected).pvalue > 1e-4
