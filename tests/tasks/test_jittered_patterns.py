import itertools

import numpy as np
import pytest
from scipy import stats

from beyondrate import tasks
from beyondrate.errors import InputError
from beyondrate.tasks.jittered_patterns import patterns_us


def test_without_noise_each_sample_is_its_pattern_shifted_and_jittered():
    trains = tasks.jittered_patterns.generate(4000, seed=0, noise_hz=0)
    facts = trains.meta["task"]
    assert np.all(trains.counts() == 1)
    by_unit = np.lexsort((trains.units, trains.sample_index))
    times = trains.times_us[by_unit].reshape(4000, 8)
    left = times - np.array(facts["patterns_us"])[trains.labels] - 1000 * facts["begin_ms"]
    assert left.var(axis=1, ddof=1).mean() == pytest.approx(4000**2, rel=0.05)
    within = left - left.mean(axis=1, keepdims=True)
    assert stats.kstest(within[:, 0] / (4000 * np.sqrt(7 / 8)), stats.norm.cdf).pvalue > 1e-4
    assert left.mean() == pytest.approx(15_000, abs=600)
    assert (
        stats.kstest(left.mean(axis=1)[np.ptp(left, axis=1) < 6000], stats.uniform(0, 30_000).cdf).pvalue
        > 1e-6
    )


def test_noise_is_poisson_of_the_stated_rate():
    trains = tasks.jittered_patterns.generate(3000, seed=1)
    extra = trains.counts().ravel() - 1
    assert extra.mean() == pytest.approx(2 * trains.duration_s, rel=0.05)
    assert extra.var() == pytest.approx(extra.mean(), rel=0.08)
    others = tasks.jittered_patterns.generate(3, seed=2)
    assert trains.meta["task"]["patterns_us"] == others.meta["task"]["patterns_us"]
    assert trains.digest != tasks.jittered_patterns.generate(3000, seed=2).digest


def test_ceilings_fall_with_jitter_noise_and_the_width_of_bins():
    hard = {"n_units": 2, "n_simulated": 1500}
    by_jitter = [
        tasks.jittered_patterns.ceilings(dt_s=0.001, jitter_ms=jitter, **hard)["full"]
        for jitter in (1, 4, 16)
    ]
    by_bins = [tasks.jittered_patterns.ceilings(dt_s=dt_s, **hard)["full"] for dt_s in (0.001, 0.02, 0.07)]
    by_noise = [
        tasks.jittered_patterns.ceilings(dt_s=0.001, noise_hz=noise, **hard)["full"] for noise in (0, 20, 200)
    ]
    for falling in (by_jitter, by_bins, by_noise):
        assert all(a > b + 0.05 for a, b in itertools.pairwise(falling))
        assert falling[-1] > 0.12
    assert tasks.jittered_patterns.ceilings(dt_s=0.001, n_simulated=300) == {"rate": 0.1, "full": 1.0}


def test_two_classes_without_shift_reach_what_signal_detection_says():
    """With no shift and no noise, two patterns of n channels at distance d are told apart with Φ(d / 2σ)."""
    options = {"n_classes": 2, "n_units": 3, "pattern_ms": 20, "shift_ms": 0, "noise_hz": 0}
    reached = tasks.jittered_patterns.ceilings(dt_s=1e-4, jitter_ms=10, n_simulated=20_000, **options)["full"]
    a, b = patterns_us(0, 2, 3, 20)
    expected = stats.norm.cdf(np.linalg.norm(a - b) / 2 / 10_000)
    assert 0.6 < expected < 0.95
    assert reached == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 20_000))


def test_bad_parameters_are_refused():
    for bad, words in (
        ({"jitter_ms": 0}, "jitter_ms is 0"),
        ({"noise_hz": -1}, "noise_hz is -1"),
        ({"n_classes": 0}, "n_classes is 0"),
    ):
        with pytest.raises(InputError, match=words):
            tasks.jittered_patterns.generate(2, seed=0, **bad)
