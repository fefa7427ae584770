"""Axonal delays in numba: each sample is copied between silent rows, so that no index needs a check.

Unsigned indices spare the compiler the check for negative ones, and rows copied by a loop the seconds that a
slice takes to compile.
"""

from __future__ import annotations

import numpy as np

from beyondrate.ops.kernel import kernel


@kernel
def _copy_rows(x: np.ndarray, n: int, padded: np.ndarray, first: int) -> None:
    """Copy sample n to the rows from ``first`` on."""
    for t in range(np.uint64(x.shape[1])):
        for j in range(np.uint64(x.shape[2])):
            padded[np.uint64(first) + t, j] = x[n, t, j]


@kernel
def delay_forward(
    x: np.ndarray,
    k: np.ndarray,
    fraction: np.ndarray,
    longest: int,
    n_past: int,
    y: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill y[t] = (1 - φ) x[t - k] + φ x[t - k - 1], where x begins ``n_past`` steps before y."""
    one = x.dtype.type(1)
    units = range(np.uint64(y.shape[2]))
    n_silent = longest + 1
    padded = np.zeros((n_silent + x.shape[1], x.shape[2]), x.dtype)
    for n in range(np.uint64(start), np.uint64(stop)):
        _copy_rows(x, n, padded, n_silent)
        for t in range(np.uint64(y.shape[1])):
            now = t + np.uint64(n_silent + n_past)
            for j in units:
                late, later = padded[now - k[j], j], padded[now - k[j] - np.uint64(1), j]
                y[n, t, j] = (one - fraction[j]) * late + fraction[j] * later


@kernel
def delay_backward(
    grad_y: np.ndarray,
    x: np.ndarray,
    k: np.ndarray,
    fraction: np.ndarray,
    longest: int,
    central: bool,
    n_past: int,
    grad_x: np.ndarray,
    grad_delay: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill the gradient of ``x`` and add to those of the delays, one a sample and unit."""
    one, half = x.dtype.type(1), x.dtype.type(0.5)
    units = range(np.uint64(x.shape[2]))
    n_before = n_past + 1
    padded = np.zeros((n_before + grad_y.shape[1] + longest + 1, x.shape[2]), x.dtype)
    for n in range(np.uint64(start), np.uint64(stop)):
        _copy_rows(grad_y, n, padded, n_before)
        for s in range(np.uint64(x.shape[1])):
            for j in units:
                arrival = s + np.uint64(1) + k[j]
                now, later = padded[arrival, j], padded[arrival + np.uint64(1), j]
                grad_x[n, s, j] = (one - fraction[j]) * now + fraction[j] * later
                if central:
                    grad_delay[n, j] += x[n, s, j] * half * (later - padded[arrival - np.uint64(1), j])
                else:
                    grad_delay[n, j] += x[n, s, j] * (later - now)
