"""Binning in numba: one walk along the spikes and the steps of each sample, without a division."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.kernel import kernel


@kernel
def bin_rows(
    times: np.ndarray,
    units: np.ndarray,
    offsets: np.ndarray,
    samples: np.ndarray,
    dt: int,
    n_steps: int,
    begins: np.ndarray,
    edges: np.ndarray,
    chosen_units: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill the edges and units of the chosen samples ``start`` to ``stop``, which begin at ``begins``."""
    for place in range(start, stop):
        first, end, begin = offsets[samples[place]], offsets[samples[place] + 1], begins[place]
        chosen_units[begin : begins[place + 1]] = units[first:end]
        own, spike = times[first:end], 0
        for step in range(n_steps):
            edges[place * n_steps + step] = begin + spike
            limit = (step + 1) * dt
            while spike < len(own) and own[np.uint64(spike)] < limit:  # unsigned: no check for negative ones
                spike += 1


@kernel
def bin_dense(
    times: np.ndarray,
    units: np.ndarray,
    offsets: np.ndarray,
    samples: np.ndarray,
    dt: int,
    counts: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill the counts of the chosen samples ``start`` to ``stop``."""
    one = counts.dtype.type(1)
    for place in range(start, stop):
        counts[place] = 0
        step = 0
        for spike in range(offsets[samples[place]], offsets[samples[place] + 1]):
            while step < counts.shape[1] - 1 and times[spike] >= (step + 1) * dt:
                step += 1
            counts[place, step, units[spike]] += one
