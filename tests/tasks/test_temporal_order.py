import numpy as np
import pytest
from scipy import stats

from beyondrate import tasks
from beyondrate.errors import InputError


def test_each_leading_spike_is_followed_within_the_limits():
    trains = tasks.temporal_order.generate(100, seed=0, n_couples=3, n_pairs=1, min_lag_ms=4, max_lag_ms=9)
    order = np.lexsort((trains.units, trains.sample_index))
    a, b = trains.times_us[order].astype(np.int64).reshape(100, 2, 3).swapaxes(0, 1)
    lag = np.where((trains.labels == 0)[:, None], b - a, a - b) % trains.duration_us
    assert lag.min() >= 4000
    assert lag.max() <= 9000
    assert stats.kstest(lag.ravel(), stats.uniform(4000, 5000).cdf).pvalue > 1e-4
    assert 30 < trains.labels.sum() < 70


def test_one_class_is_the_other_with_the_halves_exchanged():
    """All pairwise statistics but the sign of the lag agree: here times, counts and unsigned lags."""
    trains = tasks.temporal_order.generate(4000, seed=1, n_couples=1, n_pairs=1)
    assert np.all(trains.counts() == 1)
    times = trains.times_us.reshape(4000, 2)
    for unit in (0, 1):
        own = trains.times_us[trains.units == unit]
        by_class = [own[trains.labels == k] for k in (0, 1)]
        assert stats.ks_2samp(*by_class).pvalue > 1e-4
        assert stats.kstest(own, stats.uniform(0, trains.duration_us).cdf).pvalue > 1e-4
    distance = np.diff(times, axis=1)[:, 0]
    assert stats.ks_2samp(*(distance[trains.labels == k] for k in (0, 1))).pvalue > 1e-4


def test_the_full_observer_counts_pairings():
    easy = tasks.temporal_order.ceilings(n_simulated=400)
    hard = tasks.temporal_order.ceilings(
        n_couples=1, n_pairs=6, min_lag_ms=1, max_lag_ms=400, n_simulated=400
    )
    assert easy == {"rate": 0.5, "zero-lag": 0.5, "full": 1.0}
    assert 0.5 < hard["full"] < 0.95
    with pytest.raises(InputError, match="n_pairs is 7"):
        tasks.temporal_order.ceilings(n_pairs=7)


def test_correlograms_of_the_classes_are_mirror_images():
    trains = tasks.temporal_order.generate(6000, seed=2, min_lag_ms=4, max_lag_ms=12)
    lag_ms, spikes = tasks.temporal_order.correlogram(trains, within_ms=20, bin_ms=2)
    by_chance = 5 * 2 / 1000 * 4 / 5  # of the pairs' other four spikes of B, in bins of 2 ms
    with_partner = by_chance + 2 / 8
    assert lag_ms.tolist() == list(range(-19, 20, 2))
    expected = np.where((lag_ms > 4) & (lag_ms < 12), with_partner, by_chance)
    assert spikes[0] == pytest.approx(expected, abs=0.003)
    assert spikes[1] == pytest.approx(expected[::-1], abs=0.003)


def test_bad_parameters_are_refused():
    with pytest.raises(InputError, match="lags run from 2 to 500 ms in 1000 ms"):
        tasks.temporal_order.generate(2, seed=0, max_lag_ms=500)
    with pytest.raises(InputError, match="n_pairs is 0"):
        tasks.temporal_order.generate(2, seed=0, n_pairs=0)
