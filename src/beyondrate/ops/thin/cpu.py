"""Thinning in numba: one pass over the spikes in their order, with one number of state a unit."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.kernel import kernel


@kernel
def draw_subset(
    units: np.ndarray, offsets: np.ndarray, quota: np.ndarray, draws: np.ndarray, keep: np.ndarray
) -> None:
    """Write to ``keep`` which spikes selection sampling takes."""
    left = np.zeros(quota.shape[1], np.int64)
    for sample in range(len(offsets) - 1):
        wanted = quota[sample].copy()
        for spike in range(offsets[sample], offsets[sample + 1]):
            left[units[spike]] += 1
        for spike in range(offsets[sample], offsets[sample + 1]):
            unit = units[spike]
            taken = draws[spike] * left[unit] < wanted[unit]
            keep[spike] = taken
            wanted[unit] -= taken
            left[unit] -= 1


@kernel
def first_in_bin(
    units: np.ndarray, offsets: np.ndarray, bins: np.ndarray, n_units: int, keep: np.ndarray
) -> None:
    """Write to ``keep`` which spikes are the first of their unit in their bin."""
    last_bin = np.full(n_units, -1, np.int64)
    for sample in range(len(offsets) - 1):
        for spike in range(offsets[sample], offsets[sample + 1]):
            unit = units[spike]
            keep[spike] = last_bin[unit] != bins[spike]
            last_bin[unit] = bins[spike]
        for spike in range(offsets[sample], offsets[sample + 1]):
            last_bin[units[spike]] = -1


@kernel
def kept_spikes(
    times: np.ndarray,
    units: np.ndarray,
    offsets: np.ndarray,
    keep: np.ndarray,
    begins: np.ndarray,
    kept_times: np.ndarray,
    kept_units: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Write the marked spikes of the samples ``start`` to ``stop`` to where ``begins`` says.

    A spike is written whether it is kept or not, and the next over it: nobody can guess which, and a
    processor that guesses wrongly starts again.
    """
    for sample in range(start, stop):
        place, end = begins[sample], begins[sample + 1]
        spike = offsets[sample]
        while place < end:
            kept_times[place] = times[spike]
            kept_units[place] = units[spike]
            place += keep[spike]
            spike += 1
