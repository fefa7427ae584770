"""Correlograms in numba: windows that slide along a sample, so that the cost is linear in its spikes."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.kernel import kernel


@kernel
def lag_counts(
    times_us: np.ndarray,
    groups: np.ndarray,
    offsets: np.ndarray,
    edges_us: np.ndarray,
    counts: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Add the pairs of samples start..stop to ``counts`` (sample, leader, class, follower).

    For the spike that leads, ``within[c]`` holds how many spikes of each group lie in lag class c behind it.
    ``first_past[c]`` is the first spike beyond edge c: when it moves past a spike, that spike leaves
    class c for class c - 1. So every spike enters and leaves every class once.
    """
    n_groups, n_classes = counts.shape[1], counts.shape[2]
    within = np.empty((n_classes, n_groups), np.int32)
    flat = within.reshape(-1)
    first_past = np.empty(n_classes + 1, np.int64)
    for sample in range(start, stop):
        within[:] = 0
        first_past[:] = offsets[sample]
        end = offsets[sample + 1]
        for spike in range(offsets[sample], end):
            for edge in range(n_classes + 1):
                furthest = times_us[spike] + edges_us[edge]
                other = first_past[edge]
                while other < end and (other <= spike or times_us[other] <= furthest):
                    if edge < n_classes:
                        within[edge, groups[other]] -= 1
                    if edge > 0:
                        within[edge - 1, groups[other]] += 1
                    other += 1
                first_past[edge] = other
            total = counts[sample, groups[spike]].reshape(-1)
            for cell in range(n_classes * n_groups):
                total[cell] += flat[cell]


@kernel
def interval_counts(
    times_us: np.ndarray,
    units: np.ndarray,
    offsets: np.ndarray,
    groups: np.ndarray,
    edges_us: np.ndarray,
    counts: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Add the intervals of samples start..stop to ``counts`` (sample, group, class)."""
    n_classes = counts.shape[2]
    last_us = np.full(len(groups), -1, np.int64)
    for sample in range(start, stop):
        for spike in range(offsets[sample], offsets[sample + 1]):
            unit = units[spike]
            if last_us[unit] >= 0:
                interval = times_us[spike] - last_us[unit]
                c = np.searchsorted(edges_us, interval) - 1
                if 0 <= c < n_classes:
                    counts[sample, groups[unit], c] += 1
            last_us[unit] = times_us[spike]
        for spike in range(offsets[sample], offsets[sample + 1]):
            last_us[units[spike]] = -1
