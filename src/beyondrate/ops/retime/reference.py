"""New times and their sorting in plain numpy."""

from __future__ import annotations

import itertools

import numpy as np
from jaxtyping import Float64, Int32, Int64, Integer


def shifted(
    times_us: Int32[np.ndarray, " spikes"], shift: Float64[np.ndarray, " spikes"], duration_us: int
) -> Int32[np.ndarray, " spikes"]:
    """Return each spike's time and shift together, clipped to the sample: t' = clip(t + δ, 0, T)."""
    return np.rint(np.clip(times_us + shift, 0, duration_us)).astype(np.int32)


def sort_samples(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
) -> tuple[Int32[np.ndarray, " spikes"], Integer[np.ndarray, " spikes"]]:
    """Return times and units sorted by sample, time and unit."""
    sample = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((units, times_us, sample))
    return times_us[order], units[order]


def mirrored(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
) -> tuple[Int32[np.ndarray, " spikes"], Integer[np.ndarray, " spikes"]]:
    """Return times and units with time reversed between each sample's first and last spike."""
    times_us, units = times_us.copy(), units.copy()
    for start, stop in itertools.pairwise(offsets):
        own = times_us[start:stop].astype(np.int64)
        times_us[start:stop] = (own[:1] + own[-1:] - own)[::-1]
        units[start:stop] = units[start:stop][::-1]
    return times_us, units
