"""Axonal delays in numba: what is delayed is mostly spikes, so that only they are moved, one by one.

Gradients have no zeros: the two steps that a fractional delay lies between are mixed first, for then each
number is fetched only once from where its unit's delay says.
"""

from __future__ import annotations

import numpy as np

from beyondrate.ops.kernel import kernel, part_of_kernels
from beyondrate.ops.lanes import bits, load, lowest_bit, store, width, zeros


@kernel
def delay_forward(
    x: np.ndarray,
    k: np.ndarray,
    fraction: np.ndarray,
    n_past: int,
    y: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill y[t] = (1 - φ) x[t - k] + φ x[t - k - 1], where x begins ``n_past`` steps before y."""
    one = x.dtype.type(1)
    n_steps, n_units = y.shape[1:]
    for n in range(start, stop):
        for t in range(n_steps):
            for j in range(0, n_units, width(y)):
                store(y, (n, t, j), n_units - j, zeros(y))
        for s in range(x.shape[1]):
            for j in range(0, n_units, width(x)):
                active = bits(load(x, (n, s, j), n_units - j) != zeros(x))
                while active:
                    unit = j + lowest_bit(active)
                    arrival = s - n_past + np.int64(k[unit])
                    if 0 <= arrival < n_steps:
                        y[n, arrival, unit] += (one - fraction[unit]) * x[n, s, unit]
                    if 0 <= arrival + 1 < n_steps:
                        y[n, arrival + 1, unit] += fraction[unit] * x[n, s, unit]
                    active &= active - np.uint64(1)


@kernel
def delay_backward(
    grad_y: np.ndarray,
    x: np.ndarray,
    k: np.ndarray,
    fraction: np.ndarray,
    central: bool,
    n_past: int,
    grad_x: np.ndarray,
    grad_delay: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill the gradient of ``x`` and add to those of the delays, one a sample and unit."""
    one = x.dtype.type(1)
    n_steps, n_units = grad_y.shape[1:]
    longest = np.int64(0)
    for j in range(n_units):
        longest = max(longest, np.int64(k[j]))
    mixed = np.zeros((n_past + 1 + n_steps + longest + 1, n_units), x.dtype)  # with silent rows at both ends
    for n in range(start, stop):
        for t in range(-1, n_steps):
            for j in range(0, n_units, width(x)):
                left = n_units - j
                now = load(grad_y, (n, t, j), left) if t >= 0 else zeros(x)
                later = load(grad_y, (n, t + 1, j), left) if t + 1 < n_steps else zeros(x)
                part = load(fraction, j, left)
                store(mixed, (n_past + 1 + t, j), left, (one - part) * now + part * later)
        for s in range(np.uint64(x.shape[1])):
            for j in range(np.uint64(n_units)):
                grad_x[n, s, j] = mixed[s + np.uint64(1) + k[j], j]
        _add_delay_gradient(grad_y, x, k, central, n_past, n, grad_delay)


@kernel
def _add_delay_gradient(
    grad_y: np.ndarray,
    x: np.ndarray,
    k: np.ndarray,
    central: bool,
    n_past: int,
    n: int,
    grad_delay: np.ndarray,
) -> None:
    """Add what each spike of a sample gives: how the gradient changes where it arrives."""
    half, n_units = x.dtype.type(0.5), x.shape[2]
    for s in range(x.shape[1]):
        for j in range(0, n_units, width(x)):
            active = bits(load(x, (n, s, j), n_units - j) != zeros(x))
            while active:
                unit = j + lowest_bit(active)
                arrival = s - n_past + np.int64(k[unit])
                later = _gradient_at(grad_y, n, arrival + 1, unit)
                if central:
                    change = half * (later - _gradient_at(grad_y, n, arrival - 1, unit))
                else:
                    change = later - _gradient_at(grad_y, n, arrival, unit)
                grad_delay[n, unit] += x[n, s, unit] * change
                active &= active - np.uint64(1)


@part_of_kernels
def _gradient_at(grad_y: np.ndarray, n: int, t: np.int64, unit: int) -> float:
    """Return the gradient at a step: 0 before the first one and after the last."""
    return grad_y[n, t, unit] if 0 <= t < grad_y.shape[1] else grad_y.dtype.type(0)
