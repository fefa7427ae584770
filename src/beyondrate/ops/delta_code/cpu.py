"""Delta codes in numba: between two samples the error has at most one extreme, so its pieces are bisected."""

from __future__ import annotations

import math

import numpy as np

from beyondrate.ops.kernel import kernel


@kernel
def encode(
    values: np.ndarray,
    step_us: float,
    theta: float,
    tau_us: float,
    start: float,
    times_us: np.ndarray,
    is_up: np.ndarray,
) -> int:
    """Write the events as far as there is room, and return how many there are."""
    n_events = 0
    estimate, since = start, 0  # x̂ right after the microsecond ``since``
    for sample in range(max(len(values) - 1, 1)):
        origin, base = sample * step_us, values[sample]
        slope = (values[sample + 1] - base) / step_us if len(values) > 1 else 0.0
        time = math.floor(origin) + (sample > 0)
        last = math.floor(min(sample + 1, len(values) - 1) * step_us)
        while True:
            time = _first_crossing(base, slope, origin, estimate, since, tau_us, theta, time, last)
            if time > last:
                break
            before = estimate * math.exp((since - time) / tau_us)
            error = base + slope * (time - origin) - before
            steps = math.floor(abs(error) / theta)
            for event in range(n_events, min(n_events + steps, len(times_us))):
                times_us[event] = time
                is_up[event] = error > 0
            n_events += steps
            estimate = before + math.copysign(steps * theta, error)
            since = time
            time += 1
    return n_events


@kernel
def _first_crossing(
    base: float,
    slope: float,
    origin: float,
    estimate: float,
    since: int,
    tau_us: float,
    theta: float,
    first: int,
    last: int,
) -> int:
    """Return the first whole microsecond from ``first`` to ``last`` with |e| >= θ, else ``last + 1``.

    e' = slope + x̂/τ changes its sign at most once, where exp(-(t - since)/τ) = -slope τ / x̂.
    """
    turn = last  # the first whole microsecond after the sign changes
    if estimate != 0 and slope != 0 and tau_us < math.inf:
        ratio = -slope * tau_us / estimate
        if 0 < ratio < 1:
            turn = math.ceil(min(max(since - tau_us * math.log(ratio), first), last))
    low = first
    for high in (first, turn - 1, turn, last):  # from each to the next e only rises or only falls
        if high < low:
            continue
        if _beyond(base, slope, origin, estimate, since, tau_us, theta, high):
            while low < high:
                middle = (low + high) // 2
                if _beyond(base, slope, origin, estimate, since, tau_us, theta, middle):
                    high = middle
                else:
                    low = middle + 1
            return low
        low = high + 1
    return last + 1


@kernel
def _beyond(
    base: float,
    slope: float,
    origin: float,
    estimate: float,
    since: int,
    tau_us: float,
    theta: float,
    time: int,
) -> bool:
    error = base + slope * (time - origin) - estimate * math.exp((since - time) / tau_us)
    return abs(error) >= theta


@kernel
def decode(
    times_us: np.ndarray,
    is_up: np.ndarray,
    at_us: np.ndarray,
    theta: float,
    tau_us: float,
    start: float,
    estimate: np.ndarray,
) -> None:
    """Write the estimate at each of the ascending times."""
    value, since, event = start, 0.0, 0
    for k in range(len(at_us)):
        while event < len(times_us) and times_us[event] <= at_us[k]:
            value *= math.exp((since - times_us[event]) / tau_us)
            value += theta if is_up[event] else -theta
            since = times_us[event]
            event += 1
        estimate[k] = value * math.exp((since - at_us[k]) / tau_us)
