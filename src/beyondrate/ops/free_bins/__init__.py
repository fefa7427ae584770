"""Bins that hold at most one spike of a train: where a new spike may go, and where colliding spikes part to.

A train is the spikes of one unit in one sample. Spikes come as two arrays, in any order: a number for the
train that each belongs to, and its time in microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

__all__ = ["Bins", "TrainTimes", "add_in_free_bins", "part_collisions"]


class TrainTimes(NamedTuple):
    """Spikes of several trains, in any order."""

    train: Int64[np.ndarray, " spikes"]
    time: Int64[np.ndarray, " spikes"]


@dataclass(frozen=True)
class Bins:
    """Bins of ``width_us`` from 0; the last one may be narrower and holds a spike at the very end."""

    width_us: int
    duration_us: int

    @property
    def n_bins(self) -> int:
        """Number of bins that cover the duration."""
        return -(-self.duration_us // self.width_us)

    def of(self, time: Int64[np.ndarray, " spikes"]) -> Int64[np.ndarray, " spikes"]:
        """Return the bin of each time."""
        return np.minimum(time // self.width_us, self.n_bins - 1)


def add_in_free_bins(
    spikes: TrainTimes, wanting: Int64[np.ndarray, " new"], bins: Bins, rng: np.random.Generator
) -> TrainTimes:
    """Return one new spike for each entry of ``wanting`` (a train's number, as often as it wants spikes).

    New spikes are uniform over the bins of their train that hold neither one of ``spikes`` nor another new
    one: bins are drawn, and those that are taken are drawn again. No train may have more spikes, old and
    new, than there are bins.

    Example:
        >>> old, rng = TrainTimes(np.array([7]), np.array([1])), np.random.default_rng(0)
        >>> new = add_in_free_bins(old, np.array([7, 7]), Bins(width_us=1, duration_us=3), rng)
        >>> sorted(new.time.tolist())
        [0, 2]
    """
    from beyondrate.ops.free_bins import cpu

    n_bins = bins.n_bins
    taken = np.sort(spikes.train * n_bins + bins.of(spikes.time))
    accepted = [np.zeros(0, dtype=np.int64)]
    while len(wanting):
        drawn = np.sort(wanting * n_bins + rng.integers(n_bins, size=len(wanting)))
        free = np.empty(len(drawn), dtype=np.bool_)
        cpu.mark_free(taken, drawn, free)
        accepted.append(drawn[free])
        wanting = drawn[~free] // n_bins
        # The next round is about the trains that still want a spike; no others matter any more.
        trains = np.unique(wanting)
        taken = np.sort(np.concatenate([_of_trains(bins_, trains, n_bins) for bins_ in (taken, drawn[free])]))
    train, bin_ = np.divmod(np.concatenate(accepted), n_bins)
    time = bin_ * bins.width_us
    if bins.width_us > 1:
        time += rng.integers(np.minimum(bins.width_us, bins.duration_us - time))
    return TrainTimes(train, time)


def part_collisions(spikes: TrainTimes, bins: Bins, rng: np.random.Generator) -> TrainTimes:
    """Return the spikes, by train and old time, moved so that no two of a train share a bin.

    The first spike of a train in a bin stays. Then each other, in order of time, moves by whole bins to the
    free bin nearest to its own, at random to the one before or after where both are as near. No train may
    have more spikes than there are bins.

    Example:
        >>> crowd = TrainTimes(np.array([0, 0, 0]), np.array([2, 3, 12]))
        >>> part_collisions(crowd, Bins(width_us=10, duration_us=30), np.random.default_rng(0)).time.tolist()
        [2, 23, 12]
    """
    from beyondrate.ops.free_bins import cpu

    time_bits = bins.duration_us.bit_length()
    key = spikes.train << time_bits | spikes.time
    key.sort()
    train, time = key >> time_bits, key & ((1 << time_bits) - 1)
    home = bins.of(time)
    bin_ = home.copy()
    cpu.part_collisions(train, bin_, rng.random(len(bin_)) < 0.5, np.zeros(bins.n_bins, dtype=np.bool_))
    within = np.minimum(time - home * bins.width_us, bins.width_us - 1)
    moved = np.minimum(bin_ * bins.width_us + within, bins.duration_us)
    return TrainTimes(train, np.where(bin_ == home, time, moved))


def _of_trains(
    taken: Int64[np.ndarray, " many"], trains: Int64[np.ndarray, " some"], n_bins: int
) -> Int64[np.ndarray, " fewer"]:
    """Return those of the sorted numbers train * n_bins + bin that are of the given trains."""
    first, stop = np.searchsorted(taken, trains * n_bins), np.searchsorted(taken, (trains + 1) * n_bins)
    lengths = stop - first
    before = np.cumsum(lengths) - lengths
    return taken[np.arange(lengths.sum()) + np.repeat(first - before, lengths)]
