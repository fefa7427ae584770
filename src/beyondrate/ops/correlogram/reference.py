"""Correlograms in plain numpy, one pair of spikes after another."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int32, Int64, Integer


def lag_counts(
    times_us: Integer[np.ndarray, " spikes"],
    groups: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    n_groups: int,
    edges_us: Int64[np.ndarray, " classes_plus_1"],
) -> Int32[np.ndarray, "samples leader classes follower"]:
    """Count the pairs of spikes of a sample by leader, class of the lag, and follower."""
    n_samples, n_classes = len(offsets) - 1, len(edges_us) - 1
    counts = np.zeros((n_samples, n_groups, n_classes, n_groups), dtype=np.int32)
    for sample in range(n_samples):
        for leader in range(offsets[sample], offsets[sample + 1]):
            for follower in range(leader + 1, offsets[sample + 1]):
                lag = times_us[follower] - times_us[leader]
                for c in range(n_classes):
                    if edges_us[c] < lag <= edges_us[c + 1]:
                        counts[sample, groups[leader], c, groups[follower]] += 1
    return counts


def interval_counts(
    times_us: Integer[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    groups: Integer[np.ndarray, " units"],
    n_groups: int,
    edges_us: Int64[np.ndarray, " classes_plus_1"],
) -> Int32[np.ndarray, "samples groups classes"]:
    """Count the intervals between successive spikes of each unit, added up over the units of a group."""
    n_samples, n_classes = len(offsets) - 1, len(edges_us) - 1
    counts = np.zeros((n_samples, n_groups, n_classes), dtype=np.int32)
    for sample in range(n_samples):
        own = slice(offsets[sample], offsets[sample + 1])
        for unit in np.unique(units[own]):
            intervals = np.diff(times_us[own][units[own] == unit])
            for c in range(n_classes):
                counts[sample, groups[unit], c] += np.sum(
                    (edges_us[c] < intervals) & (intervals <= edges_us[c + 1])
                )
    return counts
