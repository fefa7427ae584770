import itertools

import numpy as np
import pytest
from scipy import stats

from beyondrate import tasks
from beyondrate.audit.linear_probe import fit_ridge
from beyondrate.errors import InputError


@pytest.mark.parametrize("mixing", [0.0, 0.35, 1.0])
def test_every_group_has_the_same_total_in_every_sample(mixing):
    trains = tasks.coincidence.generate(300, seed=0, mixing=mixing)
    mean_sum = (1 - mixing) * 14 + mixing * 10
    assert np.all(tasks.coincidence.spikes_by_window(trains).sum(axis=2) == round(10 * mean_sum))


def test_a_unit_fires_once_a_window_at_the_stated_offsets():
    trains = tasks.coincidence.generate(200, seed=1)
    assert np.array_equal(np.unique(trains.times_us % 10_000), np.arange(2, 7) * 1000)
    offsets = np.bincount(trains.times_us % 10_000 // 1000)[2:7]
    assert stats.chisquare(offsets).pvalue > 1e-4
    cell = (trains.sample_index.astype(np.int64) * 60 + trains.units) * 20 + trains.times_us // 10_000
    assert len(np.unique(cell)) == trains.n_spikes


def test_spikes_are_counted_in_their_group_and_window():
    trains = tasks.coincidence.generate(50, seed=3, n_windows=6)
    counts = tasks.coincidence.spikes_by_window(trains)
    sample = trains[7]
    in_cell = (sample.units // 20 == 2) & (sample.times_us >= 40_000) & (sample.times_us < 50_000)
    assert counts.shape == (50, 3, 6)
    assert counts[7, 2, 4] == in_cell.sum() > 0
    assert counts.sum() == trains.n_spikes


def test_the_odd_group_is_on_when_the_pair_is_off():
    trains = tasks.coincidence.generate(300, seed=2)
    k = tasks.coincidence.spikes_by_window(trains)
    on = k > 7  # 12 against 2 on average
    odd = on[np.arange(300), trains.labels]
    assert np.mean(odd.sum(axis=1) == 10) > 0.5
    for shift in (1, 2):
        pair = on[np.arange(300), (trains.labels + shift) % 3]
        assert np.mean(pair != odd) > 0.97
    means = k[on].mean(), k[~on].mean()
    assert means == (pytest.approx(12, abs=0.3), pytest.approx(2, abs=0.3))


def test_ceilings_fall_from_certain_to_chance():
    full = [tasks.coincidence.ceilings(mixing=m, n_simulated=3000)["full"] for m in (0.0, 0.5, 0.7, 0.8, 1.0)]
    assert full[0] == 1.0
    assert all(a >= b for a, b in itertools.pairwise(full))
    assert 0.6 < full[3] < 0.9
    assert full[4] == pytest.approx(1 / 3)  # all classes are equally likely in every sample
    assert tasks.coincidence.ceilings(n_simulated=10)["rate"] == 1 / 3


def test_counts_tell_nothing():
    parts = [tasks.coincidence.generate(600, seed=seed) for seed in range(3)]
    counts = [part.counts().astype(np.float32) for part in parts]
    ridge = fit_ridge(counts[0], parts[0].labels, counts[1], parts[1].labels, 3)
    n_right = int((ridge.scores(counts[2]).argmax(axis=1) == parts[2].labels).sum())
    assert np.ptp(counts[0]) > 3
    assert stats.binomtest(n_right, 600, 1 / 3, alternative="greater").pvalue > 1e-4


def test_parameters_are_kept_and_bad_ones_refused():
    trains = tasks.coincidence.generate(2, seed=9, mixing=0.5, group_size=12, n_windows=6)
    assert trains.meta["task"]["mixing"] == 0.5
    assert trains.meta["task"]["mean_on"] == 8.5
    assert (trains.n_units, trains.duration_us) == (36, 60_000)
    assert (
        trains.digest == tasks.coincidence.generate(2, seed=9, mixing=0.5, group_size=12, n_windows=6).digest
    )
    for bad, words in (
        ({"mixing": 1.5}, "mixing is 1.5"),
        ({"n_windows": 7}, "n_windows is 7"),
        ({"group_size": 11}, "group_size is 11"),
    ):
        with pytest.raises(InputError, match=words):
            tasks.coincidence.generate(2, seed=0, **bad)
