import numpy as np
import pytest
from scipy import stats

from beyondrate.events import SpikeTrains
from beyondrate.tasks.evidence import log_evidence


def test_it_is_the_likelihood_of_one_jittered_spike_among_poisson_noise():
    """Compared with simulation: how often do these very counts come, from two due times?"""
    rng = np.random.default_rng(0)
    n, duration_us, jitter_us, mean_noise = 400_000, 3500, 700.0, 0.8
    seen = np.array([1, 0, 1, 1])  # spikes in bins of 1 ms, the last of which is half as long
    likelihood = []
    for due in (900.0, 2600.0):
        meant = np.clip(rng.normal(due, jitter_us, n), 0, duration_us)
        counts = np.zeros((n, 4), dtype=int)
        np.add.at(counts, (np.arange(n), np.minimum(meant // 1000, 3).astype(int)), 1)
        owner = np.repeat(np.arange(n), rng.poisson(mean_noise, n))
        noise = rng.uniform(0, duration_us, len(owner))
        np.add.at(counts, (owner, (noise // 1000).astype(int)), 1)
        likelihood.append((counts == seen).all(axis=1).sum())
    trains = SpikeTrains.from_samples(
        [([500, 2100, 3400], [0, 0, 0])], labels=[0], n_units=1, duration_us=duration_us
    )
    log = log_evidence(trains, dt_s=0.001, due_us=np.array([[900.0, 2600.0]]), jitter_us=jitter_us)
    assert min(likelihood) > 500
    ratio, expected = likelihood[0] / likelihood[1], np.exp(log[0, 0, 0] - log[0, 0, 1])
    assert expected != pytest.approx(1, abs=0.2)
    assert ratio == pytest.approx(expected, rel=4 * np.sqrt(1 / likelihood[0] + 1 / likelihood[1]))


def test_each_unit_is_read_at_its_own_times_and_fine_bins_give_the_density():
    trains = SpikeTrains.from_samples(
        [([4000, 6000], [0, 1]), ([5000], [1])], labels=[0, 0], n_units=2, duration_us=10_000
    )
    due = np.array([[4100.0, 4000.0], [6000.0, 5500.0]])
    log = log_evidence(trains, dt_s=1e-6, due_us=due, jitter_us=300.0)
    assert log.shape == (2, 2, 2)
    expected = stats.norm.logpdf([[4000, 4000], [6000, 6000]], due, 300)
    assert log[0] == pytest.approx(expected, abs=0.005)
    assert np.all(np.isneginf(log[1, 0]))
