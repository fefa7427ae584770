import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from beyondrate import tasks
from beyondrate.errors import InputError
from beyondrate.tasks.delay import FINE

quick = settings(max_examples=20, deadline=None, derandomize=True)


def onset_and_delay_us(trains):
    by_unit = np.lexsort((trains.units, trains.sample_index))
    first, second = trains.times_us[by_unit].astype(np.int64).reshape(-1, 2).T
    return first, second - first


@quick
@given(st.integers(0, 10_000), st.sampled_from([{}, dict(FINE), {"spacing_ms": 7, "spread_ms": 0}]))
def test_the_delay_lies_within_the_limits_of_its_class(seed, parameters):
    trains = tasks.delay.generate(40, seed=seed, **parameters)
    facts = trains.meta["task"]
    onset, delay = onset_and_delay_us(trains)
    assert onset.min() >= 5000
    assert onset.max() < 45_000
    assert np.abs(delay - 1000 * facts["spacing_ms"] * trains.labels).max() <= 1000 * facts["spread_ms"]


def test_onsets_and_spreads_are_uniform_and_classes_as_frequent():
    trains = tasks.delay.generate(8000, seed=1)
    onset, delay = onset_and_delay_us(trains)
    assert stats.kstest(onset, stats.uniform(5000, 40_000).cdf).pvalue > 1e-4
    assert stats.kstest(delay - 10_000 * trains.labels, stats.uniform(-2000, 4000).cdf).pvalue > 1e-4
    assert stats.chisquare(np.bincount(trains.labels)).pvalue > 1e-4
    assert np.all(trains.counts() == 1)


def test_the_ceiling_at_10_ms_is_the_share_that_stays_in_its_bin():
    """A spread of U(-2, 2) moves a spike over an edge of 10 ms bins in 1 case of 10; at the two ends of the
    row of classes, half of these are told apart even so."""
    assert tasks.delay.ceilings(dt_s=0.01)["full"] == pytest.approx((8 * 0.9 + 0.1) / 8, abs=1e-4)


def test_counting_agrees_where_it_takes_over():
    """Up to 3 ms nothing need be counted; at 3.1 and 4 ms the count finds the same; at 6 ms it falls."""
    full = [tasks.delay.ceilings(dt_s=dt_s)["full"] for dt_s in (0.003, 0.0031, 0.004, 0.006)]
    assert full[:3] == [1.0, 1.0, 1.0]
    assert full[3] == pytest.approx(0.952, abs=1e-3)


def test_a_perfect_clock_tells_the_classes_apart():
    for parameters in ({}, FINE):
        for dt_s in (0.001, 0.0005, 1e-6):
            assert tasks.delay.ceilings(dt_s=dt_s, **parameters) == {"rate": 0.125, "full": 1.0}
    fine = [tasks.delay.ceilings(dt_s=dt_s, **FINE)["full"] for dt_s in (0.01, 0.005, 0.002)]
    assert fine == pytest.approx([0.3676, 0.5656, 0.945], abs=5e-4)


@pytest.mark.parametrize(
    ("dt_s", "parameters"), [(0.01, {}), (0.005, {}), (0.01, FINE), (0.005, FINE), (0.002, FINE)]
)
def test_the_ceiling_is_what_the_best_table_of_bins_reaches(dt_s, parameters):
    """The rule is estimated on half of the samples and tested on the other half."""
    trains = tasks.delay.generate(60_000, seed=2, **parameters)
    onset, delay = onset_and_delay_us(trains)
    dt_us = round(dt_s * 1e6)
    bins = onset // dt_us, (onset + delay) // dt_us
    table = np.zeros((bins[0].max() + 1, bins[1].max() + 1, 8))
    half = len(trains) // 2
    np.add.at(table, (bins[0][:half], bins[1][:half], trains.labels[:half]), 1)
    chosen = table.argmax(axis=2)[bins[0][half:], bins[1][half:]]
    n_right = int((chosen == trains.labels[half:]).sum())
    ceiling = tasks.delay.ceilings(dt_s=dt_s, **parameters)["full"]
    assert n_right / half == pytest.approx(ceiling, abs=4 * np.sqrt(ceiling * (1 - ceiling) / half) + 1e-3)


def test_parameters_are_kept_and_bad_ones_refused():
    trains = tasks.delay.generate(3, seed=4, **FINE)
    assert (trains.meta["task"]["spacing_ms"], trains.meta["task"]["spread_ms"]) == (3, 0.5)
    assert trains.digest == tasks.delay.generate(3, seed=4, **FINE).digest
    assert len(tasks.delay.generate(0, seed=0)) == 0
    with pytest.raises(InputError, match=r"spread_ms is 2\.0 at a spacing of 3 ms"):
        tasks.delay.generate(3, seed=0, spacing_ms=3)
    with pytest.raises(InputError, match=r"delays of up to 70 ms do not fit into 116 ms.*at least 117 ms"):
        tasks.delay.generate(3, seed=0, duration_ms=116)
    with pytest.raises(InputError, match="dt_s is 5e-05"):
        tasks.delay.ceilings(dt_s=5e-5, spread_ms=4.99)
