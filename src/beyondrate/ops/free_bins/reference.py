"""Free bins in plain numpy; spikes are parted one train after another."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64


def mark_free(
    taken: Int64[np.ndarray, " many"], drawn: Int64[np.ndarray, " some"]
) -> Bool[np.ndarray, " some"]:
    """Say which of the drawn numbers are neither taken nor drawn twice (then one is free)."""
    free = np.zeros(len(drawn), dtype=np.bool_)
    free[np.unique(drawn, return_index=True)[1]] = True
    return free & ~np.isin(drawn, taken)


def part_collisions(
    train: Int64[np.ndarray, " spikes"],
    bins: Int64[np.ndarray, " spikes"],
    prefer_before: Bool[np.ndarray, " spikes"],
    n_bins: int,
) -> Int64[np.ndarray, " spikes"]:
    """Return new bins, no two of a train alike; spikes come sorted by train and time."""
    parted = bins.copy()
    for member in np.unique(train):
        spikes = np.flatnonzero(train == member)
        taken, first = np.unique(bins[spikes], return_index=True)
        for spike in np.delete(spikes, first):
            free = np.setdiff1d(np.arange(n_bins), taken)
            distance = np.abs(free - bins[spike])
            nearest = free[distance == distance.min()]
            parted[spike] = nearest[0] if prefer_before[spike] else nearest[-1]
            taken = np.append(taken, parted[spike])
    return parted
