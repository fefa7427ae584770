"""New times and their sorting in numba, sample by sample, so that a sample stays in the processor's cache."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.kernel import kernel

_DIGIT_BITS = 11  # counts of 2^11 digits fit the first-level cache beside the spikes of a sample
_FEW = 64  # spikes that are sorted sooner by comparing than by counting
_1 = np.uint64(1)  # with an int64 it would be a float; and unsigned places need no check for negative ones


@kernel
def shift_spikes(times: np.ndarray, shift: np.ndarray, duration: float, moved: np.ndarray) -> None:
    """Write each spike's time and shift together, clipped to the sample."""
    for spike in range(len(times)):
        moved[spike] = np.int32(np.rint(min(max(times[spike] + shift[spike], 0.0), duration)))


@kernel
def shift_trains(
    times: np.ndarray,
    units: np.ndarray,
    offsets: np.ndarray,
    shift: np.ndarray,
    duration: float,
    moved: np.ndarray,
) -> None:
    """Write each spike's time and its train's shift together, clipped to the sample."""
    for sample in range(len(offsets) - 1):
        for spike in range(offsets[sample], offsets[sample + 1]):
            time = times[spike] + shift[sample, units[spike]]
            moved[spike] = np.int32(np.rint(min(max(time, 0.0), duration)))


@kernel
def mirror(
    times: np.ndarray,
    units: np.ndarray,
    offsets: np.ndarray,
    mirrored: np.ndarray,
    mirrored_units: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Write the samples ``start`` to ``stop`` with time reversed between their first and last spike."""
    for sample in range(start, stop):
        first, last = offsets[sample], offsets[sample + 1] - 1
        for back in range(last - first + 1):
            mirrored[first + back] = np.int64(times[first]) + times[last] - times[last - back]
            mirrored_units[first + back] = units[last - back]


@kernel
def to_samples(
    train: np.ndarray,
    time: np.ndarray,
    offsets: np.ndarray,
    n_units: int,
    times: np.ndarray,
    units: np.ndarray,
) -> None:
    """Write each spike's time and unit to its sample; train = sample * n_units + unit."""
    place = offsets.copy()
    for spike in range(len(train)):
        sample = train[spike] // n_units
        times[place[sample]] = time[spike]
        units[place[sample]] = train[spike] - sample * n_units
        place[sample] += 1


@kernel
def sort_samples(
    times: np.ndarray, units: np.ndarray, offsets: np.ndarray, time_bits: int, unit_bits: int
) -> None:
    """Bring each sample's spikes in order of time, then unit.

    The numbers "time, unit" are sorted by time first, then the few of one time by unit.
    """
    longest = np.diff(offsets).max()
    key, spare = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    count = np.empty(1 << _DIGIT_BITS, np.uint32)
    shift, unit_mask = np.uint64(unit_bits), np.uint64((1 << unit_bits) - 1)
    for sample in range(len(offsets) - 1):
        start, n = np.uint64(offsets[sample]), np.uint64(offsets[sample + 1] - offsets[sample])
        for i in range(n):
            key[i] = np.uint64(times[start + i]) << shift | np.uint64(units[start + i])
        _sort(key[:n], unit_bits, time_bits, count, spare)
        _sort_equal_times(key[:n], unit_bits, count, spare)
        for i in range(n):
            times[start + i] = key[i] >> shift
            units[start + i] = key[i] & unit_mask


@kernel
def _sort_equal_times(key: np.ndarray, unit_bits: int, count: np.ndarray, spare: np.ndarray) -> None:
    """Sort each run of one time by unit, in keys that are sorted by time."""
    shift, n = np.uint64(unit_bits), np.uint64(len(key))
    i = _1
    while i < n:
        if key[i] < key[i - _1]:
            time, first = key[i] >> shift, i - _1
            while first > 0 and key[first - _1] >> shift == time:
                first -= _1
            while i + _1 < n and key[i + _1] >> shift == time:
                i += _1
            _sort(key[first : i + _1], 0, unit_bits, count, spare)
        i += _1


@kernel
def _sort(key: np.ndarray, lowest_bit: int, n_bits: int, count: np.ndarray, spare: np.ndarray) -> None:
    """Sort by ``n_bits`` of the keys from ``lowest_bit`` on; the bits above are the same in all.

    Radix sort, the lowest digit first (Knuth, The Art of Computer Programming 5.2.5), which takes the same
    time for all data; few keys by insertion, which sorts by the bits below too.
    """
    if len(key) <= _FEW:
        _sort_by_insertion(key)
        return
    n_digits = -(-n_bits // _DIGIT_BITS)
    digit_bits = -(-n_bits // n_digits)
    for digit in range(n_digits):
        here, there = (key, spare) if digit % 2 == 0 else (spare, key)
        _sort_by_digit(here[: len(key)], lowest_bit + digit * digit_bits, count[: 1 << digit_bits], there)
    if n_digits % 2 == 1:
        key[:] = spare[: len(key)]


@kernel
def _sort_by_insertion(key: np.ndarray) -> None:
    for i in range(1, len(key)):
        moving, place = key[i], np.uint64(i)
        while place > 0 and key[place - _1] > moving:
            key[place] = key[place - _1]
            place -= _1
        key[place] = moving


@kernel
def _sort_by_digit(key: np.ndarray, lowest_bit: int, count: np.ndarray, ordered: np.ndarray) -> None:
    """Write the keys in order of one digit, of which ``count`` has room for all; equal ones keep theirs."""
    shift, mask = np.uint64(lowest_bit), np.uint64(len(count) - 1)
    count[:] = 0
    for i in range(np.uint64(len(key))):
        count[(key[i] >> shift) & mask] += np.uint32(1)
    before = np.uint32(0)
    for digit in range(len(count)):
        here = count[digit]
        count[digit] = before
        before += here
    for i in range(np.uint64(len(key))):
        digit = (key[i] >> shift) & mask
        place = count[digit]
        count[digit] = place + np.uint32(1)
        ordered[place] = key[i]
