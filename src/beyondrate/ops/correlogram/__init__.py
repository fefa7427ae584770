"""Correlograms: how often two groups of units fire at which lag, and one unit at which interval.

Functions take the spikes of consecutive samples in flat arrays, ascending in time (sample ``i`` owns
``offsets[i]:offsets[i + 1]``). ``edges_us`` are the ascending edges of the classes of lag: class ``c`` holds
``edges_us[c] < lag <= edges_us[c + 1]``.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int32, Int64, Integer

from beyondrate.ops.threads import in_pieces

__all__ = ["interval_counts", "lag_counts"]


def lag_counts(
    times_us: Integer[np.ndarray, " spikes"],
    groups: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    n_groups: int,
    edges_us: Int64[np.ndarray, " classes_plus_1"],
) -> Int32[np.ndarray, "samples leader classes follower"]:
    """Count the pairs of spikes of a sample by leading group, class of the lag, and following group.

    A spike leads those that stand behind it in its sample. With the first edge at 0 simultaneous spikes
    are left out; with the first edge at -1 each such pair is counted once, in the order it stands.

    Example:
        >>> times, groups, offsets = np.array([0, 10, 30]), np.array([0, 1, 1]), np.array([0, 3])
        >>> lag_counts(times, groups, offsets, 2, np.array([0, 15, 40]))[0, 0].tolist()
        [[0, 1], [0, 1]]
    """
    from beyondrate.ops.correlogram import cpu

    n_samples, n_classes = len(offsets) - 1, len(edges_us) - 1
    counts = np.zeros((n_samples, n_groups, n_classes, n_groups), dtype=np.int32)
    views = times_us, groups, offsets, np.asarray(edges_us, dtype=np.int64), counts
    spikes_per_sample = len(times_us) // max(1, n_samples)
    in_pieces(
        lambda start, stop: cpu.lag_counts(*views, start, stop),
        n_samples,
        spikes_per_sample * n_classes * n_groups,
    )
    return counts


def interval_counts(
    times_us: Integer[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    groups: Integer[np.ndarray, " units"],
    n_groups: int,
    edges_us: Int64[np.ndarray, " classes_plus_1"],
) -> Int32[np.ndarray, "samples groups classes"]:
    """Count the intervals between successive spikes of each unit, added up over the units of a group.

    Intervals outside the edges are left out.

    Example:
        >>> times, units, offsets = np.array([0, 10, 30]), np.array([0, 1, 0]), np.array([0, 3])
        >>> interval_counts(times, units, offsets, np.array([0, 1]), 2, np.array([0, 15, 40])).tolist()
        [[[0, 1], [0, 0]]]
    """
    from beyondrate.ops.correlogram import cpu

    n_samples = len(offsets) - 1
    counts = np.zeros((n_samples, n_groups, len(edges_us) - 1), dtype=np.int32)
    views = times_us, units, offsets, groups, np.asarray(edges_us, dtype=np.int64), counts
    in_pieces(
        lambda start, stop: cpu.interval_counts(*views, start, stop),
        n_samples,
        len(times_us) // max(1, n_samples),
    )
    return counts
