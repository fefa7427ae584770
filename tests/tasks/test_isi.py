import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from beyondrate import tasks
from beyondrate.audit.linear_probe import fit_ridge
from beyondrate.errors import InputError

quick = settings(max_examples=20, deadline=None, derandomize=True)


def trains_of(sample):
    """Spike times in ms of each unit of a single sample."""
    return [np.sort(sample.times_us[sample.units == unit]) // 1000 for unit in range(sample.n_units)]


@quick
@given(st.integers(0, 10_000))
def test_pairs_have_one_interval_and_never_overlap(seed):
    trains = tasks.isi.generate(5, seed=seed)
    for k in range(5):
        unit_trains = trains_of(trains[k])
        first, second = zip(*((t[0::2], t[1::2]) for t in unit_trains), strict=True)
        interval = np.concatenate([b - a for a, b in zip(first, second, strict=True)])
        assert len(np.unique(interval)) == 1
        assert 1 <= interval[0] <= 40
        assert all(np.all(a[1:] > b[:-1]) for a, b in zip(first, second, strict=True))
        assert all(t[0] >= 0 and t[-1] <= 999 for t in unit_trains)


def test_the_label_is_the_stated_rule():
    trains = tasks.isi.generate(300, seed=3)
    n_pairs = trains.counts()[:, 0] // 2
    interval = np.array([np.diff(trains_of(trains[k])[0])[0] for k in range(300)])
    expected = (n_pairs - 5 + 0.5) / 20 + (interval - 1 + 0.5) / 40 > 1
    assert np.array_equal(trains.labels, expected)
    assert 0.3 < expected.mean() < 0.7
    assert np.all(trains.counts() == trains.counts()[:, :1])


def test_placement_is_uniform_over_all_that_do_not_overlap():
    """Two pairs of interval 2 in 7 ms have three placements for 7 - 2·2 = 3 slots, each equally likely."""
    trains = tasks.isi.generate(
        6000, seed=1, n_units=1, duration_ms=7, n_rates=1, min_pairs=2, n_intervals=1, min_interval_ms=2
    )
    times = (trains.times_us // 1000).reshape(6000, 4)
    placements, counts = np.unique(times, axis=0, return_counts=True)
    possible = [(a, a + 2, b, b + 2) for a, b in itertools.combinations(range(5), 2) if b > a + 2]
    assert sorted(map(tuple, placements.tolist())) == sorted(possible)
    assert len(possible) == 3
    assert stats.chisquare(counts).pvalue > 1e-4


def test_ceilings_are_three_quarters_for_rate_and_for_interval():
    assert tasks.isi.ceilings() == {"rate": 0.75, "isi": 0.75, "full": 1.0}
    high = np.array([[(i + 0.5) / 20 + (j + 0.5) / 40 > 1 for j in range(40)] for i in range(20)])
    assert high.mean() == 0.5
    assert np.array_equal(high.mean(axis=1), (np.arange(20) * 2 + 1) / 40)


def test_the_class_map_is_what_samples_have():
    pairs, interval_ms, label = tasks.isi.class_map(n_rates=4, min_pairs=3, n_intervals=6, min_interval_ms=2)
    trains = tasks.isi.generate(
        400, seed=0, n_rates=4, min_pairs=3, n_intervals=6, min_interval_ms=2, n_units=1
    )
    n_pairs = trains.counts()[:, 0] // 2
    interval = np.array([np.diff(trains_of(trains[k])[0])[0] for k in range(400)])
    assert label.shape == (4, 6)
    assert np.array_equal(
        trains.labels, label[np.searchsorted(pairs, n_pairs), np.searchsorted(interval_ms, interval)]
    )
    assert (pairs[-1], interval_ms[-1], label.mean()) == (6, 7, 0.5)


def test_the_rate_rule_reaches_its_ceiling_and_no_more():
    trains = tasks.isi.generate(20_000, seed=0, n_units=1)
    rule = trains.counts()[:, 0] // 2 - 5 >= 10
    assert stats.binomtest(int((rule == trains.labels).sum()), 20_000, 0.75).pvalue > 1e-4


def test_with_one_rate_counts_tell_nothing():
    trains = tasks.isi.generate(400, seed=0, n_rates=1, min_pairs=10)
    assert np.all(trains.counts() == 20)
    assert tasks.isi.ceilings(n_rates=1) == {"rate": 0.5, "isi": 1.0, "full": 1.0}


def test_a_count_classifier_stays_below_the_ceiling():
    parts = [tasks.isi.generate(1500, seed=seed) for seed in range(3)]
    counts = [part.counts().astype(np.float32) for part in parts]
    ridge = fit_ridge(counts[0], parts[0].labels, counts[1], parts[1].labels, 2)
    n_right = int((ridge.scores(counts[2]).argmax(axis=1) == parts[2].labels).sum())
    assert stats.binomtest(n_right, 1500, 0.75).pvalue > 1e-4


def test_parameters_are_kept_and_bad_ones_refused():
    trains = tasks.isi.generate(3, seed=4, n_units=2, n_rates=3)
    assert trains.meta["task"] == {
        "name": "isi",
        "seed": 4,
        "n_units": 2,
        "duration_ms": 1000,
        "n_rates": 3,
        "min_pairs": 5,
        "n_intervals": 40,
        "min_interval_ms": 1,
    }
    assert tasks.isi.generate(3, seed=4).digest == tasks.isi.generate(3, seed=4).digest
    assert tasks.isi.generate(3, seed=4).digest != tasks.isi.generate(3, seed=5).digest
    assert len(tasks.isi.generate(0, seed=0)) == 0
    with pytest.raises(InputError, match="24 pairs of 40 ms do not fit into 983 ms"):
        tasks.isi.generate(3, seed=0, duration_ms=983)
    with pytest.raises(InputError, match="n_units is 0"):
        tasks.isi.generate(3, seed=0, n_units=0)
