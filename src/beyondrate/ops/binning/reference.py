"""Binning in plain numpy: the bin of every spike by a division."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int32, Int64, Integer


def bin_rows(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    samples: Int64[np.ndarray, " chosen"],
    dt_us: int,
    n_steps: int,
) -> tuple[Int64[np.ndarray, " rows_plus_1"], Int32[np.ndarray, " chosen_spikes"]]:
    """Return where each row (chosen sample, time step) begins, where the last one ends, and the units."""
    spikes, row = _rows(times_us, offsets, samples, dt_us, n_steps)
    edges = np.append(0, np.cumsum(np.bincount(row, minlength=len(samples) * n_steps)))
    return edges, units[spikes].astype(np.int32)


def bin_dense(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    samples: Int64[np.ndarray, " chosen"],
    dt_us: int,
    n_steps: int,
    n_units: int,
) -> Float32[np.ndarray, "chosen steps units"]:
    """Return the number of spikes of each chosen sample, time step and unit."""
    spikes, row = _rows(times_us, offsets, samples, dt_us, n_steps)
    counts = np.zeros((len(samples) * n_steps, n_units), np.float32)
    np.add.at(counts, (row, units[spikes]), 1)
    return counts.reshape(len(samples), n_steps, n_units)


def _rows(
    times_us: Int32[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    samples: Int64[np.ndarray, " chosen"],
    dt_us: int,
    n_steps: int,
) -> tuple[Int64[np.ndarray, " chosen_spikes"], Int64[np.ndarray, " chosen_spikes"]]:
    """Return the spikes of the chosen samples, and the row of each."""
    spikes = [np.arange(offsets[sample], offsets[sample + 1]) for sample in samples]
    place = np.repeat(np.arange(len(samples)), [len(own) for own in spikes])
    joined = np.concatenate([np.zeros(0, np.int64), *spikes])
    return joined, place * n_steps + np.minimum(times_us[joined] // dt_us, n_steps - 1)
