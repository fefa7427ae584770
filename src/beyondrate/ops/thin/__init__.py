"""Thinning: which spikes remain, in all or of every train: the spikes of one unit in one sample.

All functions take the spikes of consecutive samples in flat arrays (sample ``i`` owns
``offsets[i]:offsets[i + 1]``) and make one pass over them in their order; none of them sorts.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64, Integer

from beyondrate.ops.threads import in_pieces

__all__ = ["draw_subset", "first_in_bin", "kept_offsets", "kept_spikes"]


def draw_subset(
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    quota: Int64[np.ndarray, "samples units"],
    draws: Float64[np.ndarray, " spikes"],
) -> Bool[np.ndarray, " spikes"]:
    """Mark ``quota[sample, unit]`` spikes of each train (all, if it has fewer), every subset equally likely.

    Selection sampling (Knuth, The Art of Computer Programming 3.4.2, Algorithm S): the next spike is taken
    with probability (number still to be taken) / (number of spikes left), which needs one uniform draw in
    [0, 1) a spike and no sorting.

    Example:
        >>> draw_subset(np.array([0, 1, 0]), np.array([0, 3]), np.array([[1, 1]]), np.array([0.7, 0.1, 0.9]))
        array([False,  True,  True])
    """
    from beyondrate.ops.thin import cpu

    keep = np.empty(len(units), dtype=np.bool_)
    cpu.draw_subset(units, offsets, quota, draws, keep)
    return keep


def first_in_bin(
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    bins: Integer[np.ndarray, " spikes"],
    n_units: int,
) -> Bool[np.ndarray, " spikes"]:
    """Mark the first spike of each train in each bin; ``bins`` (0 or more) must not fall within a sample.

    Example:
        >>> first_in_bin(np.array([0, 1, 0, 0]), np.array([0, 4]), np.array([0, 0, 0, 1]), n_units=2)
        array([ True,  True, False,  True])
    """
    from beyondrate.ops.thin import cpu

    keep = np.empty(len(units), dtype=np.bool_)
    cpu.first_in_bin(units, offsets, bins, n_units, keep)
    return keep


def kept_offsets(
    offsets: Int64[np.ndarray, " samples_plus_1"], keep: Bool[np.ndarray, " spikes"]
) -> Int64[np.ndarray, " samples_plus_1"]:
    """Return the offsets of the samples when only the marked spikes are kept.

    >>> kept_offsets(np.array([0, 2, 2, 5]), np.array([True, False, True, True, False])).tolist()
    [0, 1, 1, 3]
    """
    kept = np.zeros_like(offsets)
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        kept[filled + 1] = np.add.reduceat(keep, offsets[filled], dtype=np.int64)
    return np.cumsum(kept)


def kept_spikes(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    keep: Bool[np.ndarray, " spikes"],
) -> tuple[Int32[np.ndarray, " kept"], Integer[np.ndarray, " kept"], Int64[np.ndarray, " samples_plus_1"]]:
    """Return times, units and offsets of the marked spikes.

    Example:
        >>> times, units, offsets = np.array([4, 5, 6]), np.array([0, 1, 2]), np.array([0, 2, 3])
        >>> [x.tolist() for x in kept_spikes(times, units, offsets, np.array([False, True, True]))]
        [[5, 6], [1, 2], [0, 1, 2]]
    """
    from beyondrate.ops.thin import cpu

    begins = kept_offsets(offsets, keep)
    kept_times, kept_units = np.empty(begins[-1], times_us.dtype), np.empty(begins[-1], units.dtype)
    views = times_us, units, offsets, keep, begins, kept_times, kept_units
    n_samples = len(offsets) - 1
    in_pieces(
        lambda start, stop: cpu.kept_spikes(*views, start, stop), n_samples, len(keep) // max(1, n_samples)
    )
    return kept_times, kept_units, begins
