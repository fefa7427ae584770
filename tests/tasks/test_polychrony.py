import numpy as np
import pytest
from scipy import stats

from beyondrate import tasks
from beyondrate.audit.kind_features import kind_features
from beyondrate.errors import InputError
from beyondrate.tasks.polychrony import patterns_us


def by_unit(trains):
    """Times in µs, (sample, unit, spike)."""
    order = np.lexsort((trains.units, trains.sample_index))
    return trains.times_us[order].reshape(len(trains), trains.n_units, -1)


def test_every_sample_holds_its_class_pattern_and_no_other():
    trains = tasks.polychrony.generate(200, seed=0)
    lags = np.array(trains.meta["task"]["lags_us"])
    times = by_unit(trains)
    begins = (times[:, 0, :, None] - lags[:, 0]) % trains.duration_us  # candidates: (sample, spike, class)
    expected = (begins[..., None] + lags) % trains.duration_us  # (sample, spike, class, unit)
    there = (expected[..., None] == times[:, None, None]).any(axis=-1).all(axis=-1)
    assert np.array_equal(there.any(axis=1), trains.labels[:, None] == np.arange(4))


def test_the_pattern_s_spikes_are_found_among_the_background():
    trains = tasks.polychrony.generate(300, seed=4)
    mask = tasks.polychrony.pattern_spikes(trains)
    lags = np.array(trains.meta["task"]["lags_us"])
    assert mask.mean() == pytest.approx(1 / 3)
    units, times = trains.units[mask].reshape(300, 10), trains.times_us[mask].reshape(300, 10)
    assert np.array_equal(np.sort(units, axis=1), np.tile(np.arange(10), (300, 1)))
    begins = (times - np.take_along_axis(lags[trains.labels], units.astype(int), axis=1)) % trains.duration_us
    assert np.all(begins == begins[:, :1])
    without = tasks.polychrony.generate(5, seed=4, n_background=0)
    assert tasks.polychrony.pattern_spikes(without).all()


def test_patterns_share_their_order_and_differ_in_their_gaps():
    lags = patterns_us(0, 4, 10, 6, 30)
    order = lags.argsort(axis=1)
    assert np.all(order == order[0])
    gaps = np.diff(np.sort(lags, axis=1), axis=1)
    assert gaps.min() >= 6000
    assert gaps.max() <= 30_000
    assert np.abs(gaps[:, None] - gaps)[~np.eye(4, dtype=bool)].max(axis=1).min() > 5000


def test_times_and_intervals_of_a_unit_are_alike_in_all_classes():
    trains = tasks.polychrony.generate(8000, seed=0)
    times = by_unit(trains)
    for unit in range(trains.n_units):
        by_class = [times[trains.labels == k, unit] for k in range(4)]
        for other in by_class[1:]:
            assert stats.ks_2samp(by_class[0].ravel(), other.ravel()).pvalue > 1e-5
            intervals = [np.diff(t, axis=1).ravel() for t in (by_class[0], other)]
            assert stats.ks_2samp(*intervals).pvalue > 1e-5
    edges = np.linspace(0, trains.duration_us, 21)
    assert stats.chisquare(np.histogram(trains.times_us, edges)[0]).pvalue > 1e-4


def test_zero_lag_coincidences_are_alike_in_all_classes():
    trains = tasks.polychrony.generate(8000, seed=0)
    pairs = kind_features([trains], "synchrony", 5)[0].values[:, :, 0]
    assert 0.02 < pairs.mean() < 1
    assert stats.kruskal(*(pairs[trains.labels == k].sum(axis=1) for k in range(4))).pvalue > 1e-4
    expected = 2 * 5 / 1000 * (9 - 1)  # all but the pattern's own pairs, which are farther apart
    assert pairs.mean() == pytest.approx(expected, rel=0.03)


def test_counts_are_constant_and_patterns_are_the_tasks_not_the_samples():
    trains, others = (tasks.polychrony.generate(20, seed=seed) for seed in (0, 1))
    assert np.all(trains.counts() == 3)
    assert trains.meta["task"]["lags_us"] == others.meta["task"]["lags_us"]
    assert trains.digest != others.digest
    assert trains.digest == tasks.polychrony.generate(20, seed=0).digest
    assert tasks.polychrony.ceilings(n_classes=5) == {"rate": 0.2, "isi": 0.2, "zero-lag": 0.2, "full": 1.0}


def test_bad_parameters_are_refused():
    with pytest.raises(InputError, match="too long for 539 ms"):
        tasks.polychrony.generate(2, seed=0, duration_ms=539)
    with pytest.raises(InputError, match="max_gap_ms is 5"):
        tasks.polychrony.generate(2, seed=0, max_gap_ms=5)
    with pytest.raises(InputError, match="n_units is 1"):
        tasks.polychrony.generate(2, seed=0, n_units=1)
