"""Which samples are copies of others: the same spikes at the same times."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64, UInt64

from beyondrate.events import SpikeTrains

BLOCK_SPIKES = 1 << 22  # looked at at a time


def first_alike(trains: SpikeTrains) -> Int64[np.ndarray, " samples"]:
    """Return for each sample the number of the first sample with the same spikes, be it itself.

    A sample without spikes is a copy of none: there is nothing in it to be known again.

    Example:
        >>> samples = [([5, 9], [0, 1]), ([7], [0]), ([5, 9], [0, 1]), ([], []), ([], [])]
        >>> trains = SpikeTrains.from_samples(samples, labels=[0] * 5, n_units=2, duration_us=10)
        >>> first_alike(trains).tolist()
        [0, 1, 0, 3, 4]
    """
    _, first, print_of = np.unique(fingerprints(trains), return_index=True, return_inverse=True)
    return np.where(trains.spikes_per_sample > 0, first[print_of], np.arange(len(trains)))


def fingerprints(trains: SpikeTrains) -> UInt64[np.ndarray, " samples"]:
    """Return a number for each sample that is the same for the same spikes, in any order of equal times."""
    return np.concatenate([_fingerprints(block) for block in blocks(trains)] or [np.zeros(0, np.uint64)])


def blocks(trains: SpikeTrains) -> Iterator[SpikeTrains]:
    """Yield the samples a few at a time, so that what is worked out from them stays small."""
    start = 0
    while start < len(trains):
        limit = trains.offsets[start] + BLOCK_SPIKES
        stop = max(start + 1, int(np.searchsorted(trains.offsets, limit, side="right")) - 1)
        yield trains[start:stop]
        start = stop


def _fingerprints(block: SpikeTrains) -> UInt64[np.ndarray, " samples"]:
    mixed = block.times_us.astype(np.uint64) * np.uint64(block.n_units) + block.units.astype(np.uint64)
    for shift, factor in (
        (30, 0xBF58476D1CE4E5B9),
        (27, 0x94D049BB133111EB),
    ):  # splitmix64, Steele et al. 2014
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed)])  # wraps around, as it may
    return sums[block.offsets[1:]] - sums[block.offsets[:-1]]
