"""New times for spikes: block by block, and sorted again.

Random numbers are drawn in order on one thread; what they do to the spikes is done on all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64, Int32, Int64, Integer

from beyondrate.ops.blocks import sample_blocks
from beyondrate.ops.free_bins import TrainTimes
from beyondrate.ops.threads import in_pieces, in_turn

__all__ = ["BLOCK_SPIKES", "BLOCK_TRAINS", "Block", "mirrored", "retime", "shifted"]

BLOCK_SPIKES = 1 << 17  # enough to keep numpy busy, few enough to stay in the processor's cache
BLOCK_TRAINS = 1 << 20

Spikes = tuple[Int32[np.ndarray, " spikes"], Integer[np.ndarray, " spikes"]]


class Block(NamedTuple):
    """The spikes of some consecutive samples; train = (sample - first_sample) * n_units + unit."""

    first_sample: int
    offsets: Int64[np.ndarray, " samples_plus_1"]
    units: Integer[np.ndarray, " spikes"]
    train: Int64[np.ndarray, " spikes"]
    time: Int64[np.ndarray, " spikes"]
    n_trains: int


def shifted(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    n_units: int,
    duration_us: int,
    draw: Callable[[int], Float64[np.ndarray, " n"]],
    of: Literal["spike", "train"],
) -> Spikes:
    """Return times and units after each spike, or each train as a whole, moved by a time of its own.

    ``draw(n)`` returns the next n shifts in microseconds. Spikes come in their order, trains sample by
    sample, those without a spike too. Times are clipped to [0, duration_us], rounded, and sorted by sample,
    time and unit.

    Example:
        >>> times, units = np.array([1, 5], dtype=np.int32), np.array([0, 1])
        >>> by_size = lambda n: np.array([8.6, -1.0])[:n]
        >>> [x.tolist() for x in shifted(times, units, np.array([0, 2]), 2, 9, by_size, of="spike")]
        [[4, 9], [1, 0]]
    """
    from beyondrate.ops.retime import cpu

    moved, moved_units = np.empty_like(times_us), np.empty_like(units)
    bits = duration_us.bit_length(), (n_units - 1).bit_length()

    def drawn(samples: slice) -> tuple[slice, Float64[np.ndarray, " n"]]:
        n_spikes = int(offsets[samples.stop] - offsets[samples.start])
        return samples, draw(n_spikes if of == "spike" else (samples.stop - samples.start) * n_units)

    def move(work: tuple[slice, Float64[np.ndarray, " n"]]) -> None:
        samples, shifts = work
        spikes, within = _spikes_of(samples, offsets)
        if of == "spike":
            cpu.shift_spikes(times_us[spikes], shifts, duration_us, moved[spikes])
        else:
            per_train = shifts.reshape(-1, n_units)
            cpu.shift_trains(times_us[spikes], units[spikes], within, per_train, duration_us, moved[spikes])
        moved_units[spikes] = units[spikes]
        cpu.sort_samples(moved[spikes], moved_units[spikes], within, *bits)

    blocks = _blocks(offsets, n_units, BLOCK_SPIKES // 4)  # small, so that all threads end together
    in_turn(drawn, move, blocks)
    return moved, moved_units


def mirrored(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
) -> Spikes:
    """Return times and units with time reversed between each sample's first and last spike.

    Example:
        >>> times, units = np.array([1, 2, 5], dtype=np.int32), np.array([0, 1, 2])
        >>> [x.tolist() for x in mirrored(times, units, np.array([0, 3]))]
        [[1, 4, 5], [2, 1, 0]]
    """
    from beyondrate.ops.retime import cpu

    views = times_us, units, offsets, np.empty_like(times_us), np.empty_like(units)
    n_samples = len(offsets) - 1
    spikes_a_sample = len(times_us) // max(1, n_samples)
    in_pieces(lambda start, stop: cpu.mirror(*views, start, stop), n_samples, spikes_a_sample)
    return views[3], views[4]


def retime(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    n_units: int,
    duration_us: int,
    new_times: Callable[[Block], TrainTimes],
) -> Spikes:
    """Return times and units after ``new_times`` of each block, sorted by sample, time and unit.

    ``new_times`` returns as many spikes of each sample as the block has, in any order, at times from 0 to
    ``duration_us``.

    Example:
        >>> times, units = np.array([1, 5], dtype=np.int32), np.array([0, 1])
        >>> backwards = lambda block: TrainTimes(block.train, 9 - block.time)
        >>> [x.tolist() for x in retime(times, units, np.array([0, 2]), 2, 9, backwards)]
        [[4, 8], [1, 0]]
    """
    from beyondrate.ops.retime import cpu

    moved, moved_units = np.empty_like(times_us), np.empty_like(units)
    bits = duration_us.bit_length(), (n_units - 1).bit_length()

    def drawn(samples: slice) -> tuple[slice, TrainTimes]:
        return samples, new_times(_block(times_us, units, offsets, n_units, samples))

    def move(work: tuple[slice, TrainTimes]) -> None:
        samples, (train, time) = work
        spikes, within = _spikes_of(samples, offsets)
        place = moved[spikes], moved_units[spikes]
        cpu.to_samples(train, time, within, n_units, *place)
        cpu.sort_samples(*place, within, *bits)

    in_turn(drawn, move, _blocks(offsets, n_units, BLOCK_SPIKES))
    return moved, moved_units


def _blocks(offsets: Int64[np.ndarray, " samples_plus_1"], n_units: int, n_spikes: int) -> list[slice]:
    return list(sample_blocks(offsets, n_spikes, max(1, BLOCK_TRAINS // n_units)))


def _spikes_of(
    samples: slice, offsets: Int64[np.ndarray, " samples_plus_1"]
) -> tuple[slice, Int64[np.ndarray, " samples_plus_1"]]:
    """Return which spikes the samples have, and their offsets among these."""
    within = offsets[samples.start : samples.stop + 1]
    return slice(within[0], within[-1]), within - within[0]


def _block(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    n_units: int,
    samples: slice,
) -> Block:
    spikes, within = _spikes_of(samples, offsets)
    first_train = np.arange(len(within) - 1) * n_units
    return Block(
        first_sample=samples.start,
        offsets=within,
        units=units[spikes],
        train=np.repeat(first_train, np.diff(within)) + units[spikes],
        time=times_us[spikes].astype(np.int64),
        n_trains=len(first_train) * n_units,
    )
