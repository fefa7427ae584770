"""Delta codes against a search of every microsecond, their own promise, and the clocked coder."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.ops import delta_code, sigma_delta


def walk(seed: int, n: int = 12, scale: float = 1.0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(0, scale, n))


@pytest.mark.parametrize("tau_us", [math.inf, 20_000.0, 700.0, 30.0])
@pytest.mark.parametrize("step_us", [1.0, 37.3, 1000.0])
def test_the_kernel_is_the_reference(tau_us: float, step_us: float) -> None:
    n_events = 0
    for seed in range(15):
        values, theta = walk(seed), 0.05 + 0.1 * (seed % 5)
        start = [0.0, values[0], 2.0][seed % 3]
        fast = delta_code.encode(values, step_us, theta, tau_us, start)
        slow = delta_code.encode(values, step_us, theta, tau_us, start, backend="reference")
        np.testing.assert_array_equal(fast.times_us, slow.times_us)
        np.testing.assert_array_equal(fast.is_up, slow.is_up)
        n_events += len(fast.times_us)
    assert n_events > 100


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=20),
    st.floats(1, 5000),
    st.floats(0.05, 50),
    st.one_of(st.just(math.inf), st.floats(10, 1e6)),
    st.floats(-50, 50),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_the_error_stays_below_a_step_at_every_microsecond(
    values: list[float], step_us: float, theta: float, tau_us: float, start: float
) -> None:
    signal = np.array(values)
    code = delta_code.encode(signal, step_us, theta, tau_us, start)
    assert (np.diff(code.times_us) >= 0).all()
    end = math.floor((len(signal) - 1) * step_us)
    if len(code.times_us):
        assert code.times_us[0] >= 0 and code.times_us[-1] <= end
    at = np.arange(end + 1.0)
    x = np.interp(at, np.arange(len(signal)) * step_us, signal)
    error = x - delta_code.decode(code, at, theta, tau_us, start)
    assert np.abs(error).max() < theta * (1 + 1e-9) + 1e-9


def test_sharp_steps_are_worth_several_events_at_once() -> None:
    code = delta_code.encode(np.array([0.0, 1.0]), 1.0, 0.25, math.inf, 0.0)
    assert (code.times_us.tolist(), code.is_up.tolist()) == ([1] * 4, [True] * 4)
    assert delta_code.encode(np.array([1.0]), 1.0, 0.25, math.inf, 0.0).times_us.tolist() == [0] * 4
    assert len(delta_code.encode(np.array([1.0] * 9), 1.0, 0.25, math.inf, 1.0).times_us) == 0


def test_a_constant_is_spiked_at_the_rate_that_holds_it() -> None:
    """The estimate of x needs x/θ steps each time constant: from x to x - θ it falls in τ ln(x / (x - θ))."""
    x, theta, tau_us = 5.0, 0.25, 10_000.0
    code = delta_code.encode(np.full(1001, x), 1000.0, theta, tau_us, x)
    interval = tau_us * math.log(x / (x - theta))
    assert code.is_up.all()
    assert len(code.times_us) == pytest.approx(1e6 / interval, abs=1)
    assert set(np.diff(code.times_us)) <= {math.floor(interval), math.ceil(interval)}


def test_it_agrees_with_the_clocked_coder_on_a_slow_positive_signal() -> None:
    """The coder of the networks, one bucket and a fixed threshold, in steps of 10 µs."""
    dt_us, tau_us, theta = 10, 50_000.0, 0.2
    t = np.arange(0, 100_001, dt_us)
    x = 2 + 0.3 * np.sin(2 * np.pi * t / 100_000)  # never falls faster than the estimate
    params = sigma_delta.SigmaDeltaParams(theta0=theta, mf=0.0)
    decay = torch.tensor([[math.exp(-dt_us / tau_us)]], dtype=torch.float64)
    heights, _ = sigma_delta.sigma_delta(torch.from_numpy(x)[None, :, None], decay, params)
    steps = np.rint(heights.flatten().numpy() / theta).astype(int)
    clocked = np.repeat(t, steps)
    ours = delta_code.encode(x, float(dt_us), theta, tau_us, 0.0)
    rises = ours.times_us[ours.is_up]
    assert len(rises) == len(clocked) > 20
    assert np.abs(rises - clocked).max() <= 400  # each clocked spike is up to 10 µs late, which adds up
    assert not (~ours.is_up).any()
