import numpy as np
import pytest
from scipy import stats

from beyondrate import tasks
from beyondrate.errors import InputError
from beyondrate.tasks.echo import distance_and_azimuth


def group_times_ms(trains):
    """Mean time of the call's, the left and the right channels, of samples without noise."""
    by_unit = np.lexsort((trains.units, trains.sample_index))
    times = trains.times_us[by_unit].reshape(len(trains), 20) / 1000
    return times[:, :4].mean(axis=1), times[:, 4:12].mean(axis=1), times[:, 12:].mean(axis=1)


def test_distance_is_the_echo_s_delay_and_azimuth_the_time_between_the_ears():
    trains = tasks.echo.generate(4000, seed=0, noise_hz=0)
    distance, azimuth = distance_and_azimuth(trains.labels)
    call, left, right = group_times_ms(trains)
    delay_error = (left + right) / 2 - call - (20 + 12 * distance)
    interval_error = right - left - 4 * (azimuth - 2)
    assert np.abs(delay_error).max() < 3 + 5 * 0.3 * np.sqrt(1 / 4 + 1 / 16)
    assert np.abs(interval_error).max() < 0.75 + 5 * 0.3 * np.sqrt(2 / 8)
    assert delay_error.var() == pytest.approx(6**2 / 12 + 0.09 * (1 / 4 + 1 / 16), rel=0.05)
    assert interval_error.var() == pytest.approx(1.5**2 / 12 + 0.09 * 2 / 8, rel=0.08)
    assert call.min() > 4
    assert call.max() < 46
    assert stats.chisquare(np.bincount(trains.labels)).pvalue > 1e-4


def test_channels_jitter_and_noise_are_as_stated():
    trains = tasks.echo.generate(2000, seed=1, noise_hz=0)
    by_unit = np.lexsort((trains.units, trains.sample_index))
    left = trains.times_us[by_unit].reshape(2000, 20)[:, 4:12]
    assert left.var(axis=1, ddof=1).mean() == pytest.approx(300**2, rel=0.05)
    noisy = tasks.echo.generate(2000, seed=1)
    assert (noisy.counts() - 1).mean() == pytest.approx(3 * noisy.duration_s, rel=0.03)


def test_the_label_follows_the_sample_and_names_both():
    trains = tasks.echo.generate(60, seed=2, n_distances=3, n_azimuths=2)
    chosen = trains[trains.labels == 3]
    assert chosen.meta["label_names"][3] == "distance 1, azimuth 1"
    assert [part.tolist() for part in distance_and_azimuth(chosen.labels[:1], n_azimuths=2)] == [[1], [1]]
    assert trains.n_classes == 6


@pytest.mark.parametrize("dt_s", [0.02, 0.005])
def test_the_posterior_is_bayes_rule(dt_s):
    """Integrated by drawing call, delay and interval at random instead of over a grid."""
    trains = tasks.echo.generate(12, seed=3, n_distances=2, n_azimuths=2, noise_hz=20)
    rng = np.random.default_rng(0)
    edges = np.arange(trains.n_steps(dt_s) + 1) * dt_s * 1e3
    width = np.diff(np.minimum(edges, trains.duration_us / 1000))
    counts = trains.dense(dt_s)  # (sample, bin, unit)
    n_draws = 100_000
    expected = np.zeros((12, 2, 2))
    for distance in range(2):
        for azimuth in range(2):
            call = rng.uniform(5, 45, n_draws)
            echo = call + 20 + 12 * distance + rng.uniform(-3, 3, n_draws)
            half = (4 * (azimuth - 0.5) + rng.uniform(-0.75, 0.75, n_draws)) / 2
            likelihood = np.ones((12, n_draws))
            for due, units in ((call, range(4)), (echo - half, range(4, 12)), (echo + half, range(12, 20))):
                p = np.diff(stats.norm.cdf((edges[:, None] - due) / 0.3), axis=0) / width[:, None]
                for unit in units:
                    likelihood *= counts[:, :, unit] @ p
            expected[:, distance, azimuth] = likelihood.mean(axis=1)
    expected /= expected.sum(axis=(1, 2), keepdims=True)
    found = tasks.echo.posterior(trains, dt_s=dt_s)
    assert found == pytest.approx(expected, abs=0.03)
    assert found.max(axis=(1, 2)).min() < 0.9  # not all are easy


def test_ceilings_rise_to_certainty_as_the_bins_become_narrow():
    wide, middle, narrow = (tasks.echo.ceilings(dt_s=dt_s, n_simulated=300) for dt_s in (0.02, 0.005, 0.001))
    assert wide["azimuth"] + 0.1 < middle["azimuth"] < narrow["azimuth"] - 0.1
    assert wide["distance"] < 0.85
    assert narrow["distance"] == narrow["azimuth"] == narrow["full"] == 1.0
    assert wide["full"] <= min(wide["distance"], wide["azimuth"]) + 0.02
    assert wide["rate"] == pytest.approx(1 / 30)


def test_bad_parameters_are_refused():
    with pytest.raises(InputError, match="n_azimuths is 0"):
        tasks.echo.generate(2, seed=0, n_azimuths=0)
    with pytest.raises(InputError, match=r"noise_hz is -0\.5"):
        tasks.echo.generate(2, seed=0, noise_hz=-0.5)
