"""Hair cell and bushy cell: the compiled version against the reference, and the reference against theory."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from beyondrate.errors import InputError
from beyondrate.ops import hair_cell
from beyondrate.ops.hair_cell import reference


def velocity(n_channels, n_steps, size, seed):
    return (np.random.default_rng(seed).standard_normal((n_channels, n_steps)) * size).astype(np.float32)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    n_channels=st.sampled_from([1, 63, 64, 65, 130]),
    n_steps=st.integers(1, 150),
    size=st.sampled_from([0.0, 10.0, 3000.0]),
    rate_hz=st.sampled_from([8000, 12_000, 24_000, 50_000]),
    n_fibres=st.sampled_from([1, 40, 63]),
    first_step=st.sampled_from([0, 1000, 2**32 - 20]),
    seed=st.integers(0, 1000),
)
def test_compiled_and_reference_give_identical_spikes_and_states(
    n_channels, n_steps, size, rate_hz, n_fibres, first_step, seed
):
    constants = hair_cell.constants_at(rate_hz, n_fibres)
    keys = hair_cell.channel_keys(seed, 0, n_channels)
    speed = velocity(n_channels, n_steps, size, seed)
    results = []
    for backend in ("numba", "reference"):
        state = hair_cell.resting_state(n_channels, constants)
        spikes = hair_cell.fire(speed, state, keys, first_step, constants, backend=backend)
        results.append([*spikes, *state])
    for fast, plain in zip(*results, strict=True):
        np.testing.assert_array_equal(fast, plain)


def test_the_comparison_above_meets_spikes_and_many_releases_a_step():
    constants = hair_cell.constants_at(24_000)
    state = hair_cell.resting_state(130, constants)
    steps, _ = hair_cell.fire(
        velocity(130, 150, 3000.0, 0), state, hair_cell.channel_keys(0, 0, 130), 0, constants
    )
    assert len(steps) > 50
    state = hair_cell.resting_state(130, constants)
    hair_cell.fire(velocity(130, 3, 3000.0, 0), state, hair_cell.channel_keys(0, 0, 130), 0, constants)
    assert state.released.max() > 6


@settings(max_examples=10, deadline=None, derandomize=True)
@given(cuts=st.lists(st.integers(0, 400), max_size=5), channels_at_once=st.sampled_from([7, 64, 100]))
def test_spikes_do_not_depend_on_how_time_and_channels_are_cut(cuts, channels_at_once):
    constants = hair_cell.constants_at(24_000)
    keys = hair_cell.channel_keys(3, 1, 100)
    speed = velocity(100, 400, 100.0, 5)
    whole = hair_cell.fire(speed, hair_cell.resting_state(100, constants), keys, 0, constants)
    assert len(whole[0]) > 20

    state = hair_cell.resting_state(100, constants)
    found = []
    edges = [0, *sorted(cuts), 400]
    for start, stop in pairwise(edges):
        for first in range(0, 100, channels_at_once):
            group = slice(first, first + channels_at_once)
            piece = speed[group, start:stop]
            steps, channels = hair_cell.fire(piece, state.channels(group), keys[group], start, constants)
            found += zip((steps + start).tolist(), (channels + first).tolist(), strict=True)
    assert sorted(found) == list(zip(whole[0].tolist(), whole[1].tolist(), strict=True))


@pytest.mark.parametrize("rate_hz", [8000, 12_000, 24_000, 48_000])
def test_silence_is_a_fixed_point_at_65_releases_a_second(rate_hz):
    constants = hair_cell.constants_at(rate_hz)
    state = hair_cell.resting_state(1, constants)
    silence = np.zeros((1, rate_hz // 2), dtype=np.float32)
    probability = reference.release_probability(silence, state, constants)
    np.testing.assert_allclose(probability, probability[0, 0], rtol=1e-4)
    assert probability[0, 0] * rate_hz == pytest.approx(64.8, abs=0.1)


def test_release_probability_follows_the_differential_equations():
    """Meddis' equations in double precision, written out once more with his names."""
    rate_hz = 24_000
    dt = 1 / rate_hz
    y, g, loss, r, x, a, b, h = 5.05, 2000.0, 2500.0, 6580.0, 66.3, 5.0, 300.0, 50000.0
    speed = velocity(1, 3000, 60.0, 2)
    k = g * a / (a + b)
    c = k * y / (y * (loss + r) + k * loss)
    q, w = c * (loss + r) / k, c * r / x
    expected = []
    for s in speed[0].astype(float):
        k = g * max(s + a, 0) / (max(s + a, 0) + b)
        dq, dc, dw = y * (1 - q) - k * q + x * w, k * q - (loss + r) * c, r * c - x * w
        q, c, w = q + dt * dq, c + dt * dc, w + dt * dw
        expected.append(h * dt * c)
    constants = hair_cell.constants_at(rate_hz)
    found = reference.release_probability(speed, hair_cell.resting_state(1, constants), constants)[0]
    assert max(expected) > 3 * min(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 17, 40, 63])
@pytest.mark.parametrize("probability", [1e-7, 0.003, 0.2, 0.9])
def test_binomial_draws_are_the_quantiles_of_the_binomial_distribution(n, probability):
    uniform = (np.arange(2000) + 0.5) / 2000
    found = reference.binomial(uniform, np.full(2000, n), np.full(2000, probability))
    np.testing.assert_array_equal(found, stats.binom.ppf(uniform, n, probability))


def test_uniform_numbers_are_uniform_and_independent_in_time_and_between_channels():
    keys = hair_cell.channel_keys(0, 0, 50)
    drawn = np.stack([reference.uniform(keys, step) for step in range(2000)])
    assert stats.kstest(drawn.ravel(), "uniform").pvalue > 1e-4
    for one, other in ((drawn[1:], drawn[:-1]), (drawn[:, 1:], drawn[:, :-1])):
        correlation = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        assert abs(correlation) < 3.9 / np.sqrt(one.size)
    assert len(np.unique(hair_cell.channel_keys(0, 1, 50))) == 100
    assert not np.isin(keys, hair_cell.channel_keys(0, 1, 50)).any()


def test_counting_free_fibres_equals_following_each_fibre():
    """40 Bernoulli fibres with a dead time each, against one binomial draw a step: the same moments."""
    n_channels, n_steps, n_fibres, dead = 400, 600, 40, 24
    constants = hair_cell.constants_at(24_000)
    speed = np.full((n_channels, n_steps), 80.0, dtype=np.float32)
    probability = reference.release_probability(speed[:1], hair_cell.resting_state(1, constants), constants)[
        0
    ]

    rng = np.random.default_rng(1)
    blocked_until = np.zeros((n_channels, n_fibres), dtype=int)
    each = np.zeros((n_channels, n_steps), dtype=int)
    for step in range(n_steps):
        excited = (rng.random((n_channels, n_fibres)) < probability[step]) & (blocked_until <= step)
        blocked_until[excited] = step + dead
        each[:, step] = excited.sum(axis=1)

    state = hair_cell.resting_state(n_channels, constants)
    keys = hair_cell.channel_keys(0, 0, n_channels)
    counted = np.zeros_like(each)
    for step in range(n_steps):
        hair_cell.fire(speed[:, step : step + 1], state, keys, step, constants)
        counted[:, step] = state.released[:, step % dead]

    for width in (1, 100, n_steps):  # steps summed: short counts see the dead time, long ones the rate
        sums = [x.reshape(n_channels, -1, width).sum(axis=2).ravel() for x in (each, counted)]
        assert stats.ttest_ind(*sums, equal_var=False).pvalue > 1e-4
        assert stats.levene(*sums).pvalue > 1e-4


def test_the_mean_potential_of_a_bushy_cell_does_not_depend_on_the_rate():
    potentials = []
    for rate_hz in (8000, 12_000, 24_000, 48_000):
        k = hair_cell.constants_at(rate_hz)
        releases_a_step = 1000.0 / rate_hz
        potentials.append(releases_a_step * k.weight / ((1 - k.synapse_decay) * (1 - k.membrane_decay)))
    np.testing.assert_allclose(potentials, potentials[2], rtol=1e-4)
    assert hair_cell.constants_at(24_000).weight == pytest.approx(13000 / 40 / 24_000)


def test_spikes_keep_the_refractory_time():
    constants = hair_cell.constants_at(24_000)
    speed = np.full((20, 3000), 2000.0, dtype=np.float32)
    steps, channels = hair_cell.fire(
        speed, hair_cell.resting_state(20, constants), hair_cell.channel_keys(0, 0, 20), 0, constants
    )
    gaps = np.concatenate([np.diff(steps[channels == c]) for c in range(20)])
    assert len(gaps) > 100
    assert gaps.min() > constants.refractory_steps


def test_rates_that_make_euler_unstable_are_refused():
    with pytest.raises(InputError, match="7999 Hz"):
        hair_cell.constants_at(7999)
    with pytest.raises(InputError, match="n_fibres is 64"):
        hair_cell.constants_at(24_000, 64)
