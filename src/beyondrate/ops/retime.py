"""New times for spikes: block by block, and sorted again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64, Integer

from beyondrate.ops.blocks import sample_blocks
from beyondrate.ops.free_bins import TrainTimes

BLOCK_SPIKES = 1 << 17  # enough to keep numpy busy, few enough to stay in the processor's cache
BLOCK_TRAINS = 1 << 20


class Block(NamedTuple):
    """The spikes of some consecutive samples; train = (sample - first_sample) * n_units + unit."""

    first_sample: int
    spikes: slice
    offsets: Int64[np.ndarray, " samples_plus_1"]
    units: Integer[np.ndarray, " spikes"]
    train: Int64[np.ndarray, " spikes"]
    time: Int64[np.ndarray, " spikes"]
    n_trains: int


def retime(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    n_units: int,
    duration_us: int,
    new_times: Callable[[Block], TrainTimes],
) -> tuple[Int32[np.ndarray, " spikes"], Integer[np.ndarray, " spikes"]]:
    """Return times and units after ``new_times`` of each block, sorted by sample, time and unit.

    ``new_times`` returns as many spikes of each train as the block has, in any order, at times from 0 to
    ``duration_us``. Sorting whole numbers "sample, time, unit" is several times faster than by three keys.

    Example:
        >>> times, units = np.array([1, 5], dtype=np.int32), np.array([0, 1])
        >>> backwards = lambda block: TrainTimes(block.train, 9 - block.time)
        >>> [x.tolist() for x in retime(times, units, np.array([0, 2]), 2, 9, backwards)]
        [[4, 8], [1, 0]]
    """
    time_bits, unit_bits = duration_us.bit_length(), (n_units - 1).bit_length()
    n_samples = min(1 << (63 - time_bits - unit_bits), max(1, BLOCK_TRAINS // n_units))
    sorted_times, sorted_units = np.empty_like(times_us), np.empty_like(units)
    for block in _blocks(times_us, units, offsets, n_units, n_samples):
        train, time = new_times(block)
        sample = train // n_units
        key = (sample << time_bits | time) << unit_bits | (train - sample * n_units)
        key.sort()
        sorted_times[block.spikes] = key >> unit_bits & ((1 << time_bits) - 1)
        sorted_units[block.spikes] = key & ((1 << unit_bits) - 1)
    return sorted_times, sorted_units


def _blocks(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    n_units: int,
    n_samples: int,
) -> Iterator[Block]:
    for samples in sample_blocks(offsets, BLOCK_SPIKES, n_samples):
        within = offsets[samples.start : samples.stop + 1]
        spikes = slice(within[0], within[-1])
        first_train = np.arange(len(within) - 1) * n_units
        yield Block(
            first_sample=samples.start,
            spikes=spikes,
            offsets=within - within[0],
            units=units[spikes],
            train=np.repeat(first_train, np.diff(within)) + units[spikes],
            time=times_us[spikes].astype(np.int64),
            n_trains=len(first_train) * n_units,
        )
