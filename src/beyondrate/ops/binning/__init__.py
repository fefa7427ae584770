"""Binning: the spikes of some samples by time step, as compressed rows or as a dense raster.

Spikes come in flat arrays, those of a sample ascending in time (sample ``i`` owns
``offsets[i]:offsets[i + 1]``), so that one pass over them finds where each time step begins. Steps begin at
0; a spike beyond the last one counts to it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int32, Int64, Integer

from beyondrate.ops.threads import in_pieces

__all__ = ["bin_dense", "bin_rows"]

_EASE = 4  # a spike or a step is so many times less work than an element is to other kernels


def bin_rows(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    samples: Int64[np.ndarray, " chosen"],
    dt_us: int,
    n_steps: int,
) -> tuple[Int64[np.ndarray, " rows_plus_1"], Int32[np.ndarray, " chosen_spikes"]]:
    """Return where each row (chosen sample, time step) begins, where the last one ends, and the units.

    Example:
        >>> times, units, offsets = np.array([1, 12, 13]), np.array([3, 4, 5]), np.array([0, 1, 3])
        >>> [x.tolist() for x in bin_rows(times, units, offsets, np.array([1, 0]), 10, 2)]
        [[0, 0, 2, 3, 3], [4, 5, 3]]
    """
    from beyondrate.ops.binning import cpu

    begins = np.zeros(len(samples) + 1, np.int64)
    np.cumsum(offsets[samples + 1] - offsets[samples], out=begins[1:])
    edges, chosen_units = np.empty(len(samples) * n_steps + 1, np.int64), np.empty(begins[-1], np.int32)
    edges[-1] = begins[-1]
    views = times_us, units, offsets, samples, dt_us, n_steps, begins, edges, chosen_units
    work = (n_steps + begins[-1] // max(1, len(samples))) // _EASE
    in_pieces(lambda start, stop: cpu.bin_rows(*views, start, stop), len(samples), work)
    return edges, chosen_units


def bin_dense(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    samples: Int64[np.ndarray, " chosen"],
    dt_us: int,
    n_steps: int,
    n_units: int,
) -> Float32[np.ndarray, "chosen steps units"]:
    """Return the number of spikes of each chosen sample, time step and unit.

    Example:
        >>> times, units, offsets = np.array([1, 12, 13]), np.array([0, 1, 1]), np.array([0, 1, 3])
        >>> bin_dense(times, units, offsets, np.array([1, 0]), 10, 2, 2).tolist()
        [[[0.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 0.0]]]
    """
    from beyondrate.ops.binning import cpu

    counts = np.empty((len(samples), n_steps, n_units), np.float32)
    views = times_us, units, offsets, samples, dt_us, counts
    in_pieces(lambda start, stop: cpu.bin_dense(*views, start, stop), len(samples), n_steps * n_units)
    return counts
