"""Free bins in numba: what is taken is looked up in a sorted row, or in a map of one train's bins."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.kernel import kernel


@kernel
def mark_free(taken: np.ndarray, drawn: np.ndarray, free: np.ndarray) -> None:
    """Write which of the drawn numbers are neither taken nor drawn twice (then one is free); both ascend.

    One walk along both, without a branch that would be guessed wrongly every other time.
    """
    free[:1] = True
    for place in range(1, len(drawn)):
        free[place] = drawn[place] != drawn[place - 1]
    i, j = np.uint64(0), np.uint64(0)
    while i < len(drawn) and j < len(taken):
        here, there = drawn[i], taken[j]
        free[i] &= here != there
        i += np.uint64(here <= there)
        j += np.uint64(there < here)


@kernel
def part_collisions(
    train: np.ndarray, bins: np.ndarray, prefer_before: np.ndarray, taken: np.ndarray
) -> None:
    """Write new bins to ``bins``, no two of a train alike; ``taken`` comes and goes as all False.

    Spikes come sorted by train and time.
    """
    waiting = np.empty(len(train), np.int64)
    start = 0
    while start < len(train):
        stop, n_waiting = start, 0
        while stop < len(train) and train[stop] == train[start]:
            if taken[bins[stop]]:
                waiting[n_waiting] = stop
                n_waiting += 1
            taken[bins[stop]] = True
            stop += 1
        for spike in waiting[:n_waiting]:
            bins[spike] = _nearest_free(bins[spike], prefer_before[spike], taken)
            taken[bins[spike]] = True
        for spike in range(start, stop):
            taken[bins[spike]] = False
        start = stop


@kernel
def _nearest_free(home: int, prefer_before: bool, taken: np.ndarray) -> int:
    for distance in range(1, len(taken)):
        before, after = home - distance, home + distance
        free_before = before >= 0 and not taken[before]
        free_after = after < len(taken) and not taken[after]
        if free_before and (prefer_before or not free_after):
            return before
        if free_after:
            return after
    raise ValueError("a train has more spikes than there are bins")
