"""Seconds to whole microseconds, and the grid that float16 seconds leave behind."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int32

from beyondrate.errors import InputError
from beyondrate.events import MAX_DURATION_US

_BLOCK = 1 << 20
# Below 8 ms float16 steps are finer than 8 µs, so that other data would often lie on the grid by chance.
_TELLING_US = 8_000
_ENOUGH_SPIKES = 20
FLOAT16_GRID = "float16 seconds: 61 µs at 0.1 s, 244 µs at 0.3 s, 488 µs at 0.6 s, 977 µs at 1.2 s"


def microseconds(
    times_s: Float[np.ndarray, " spikes"], name: str = "times_s"
) -> Int32[np.ndarray, " spikes"]:
    """Round seconds (any float type, widened to float64 first) to whole microseconds.

    Raises:
        InputError: if a time is negative, NaN, infinite, or too late for int32 microseconds.

    Example:
        >>> microseconds(np.array([0.1, 1.2], dtype=np.float16)).tolist()
        [99976, 1200195]
    """
    times_us = np.empty(len(times_s), np.int32)
    for start in range(0, len(times_s), _BLOCK):
        with np.errstate(all="ignore"):  # what is no time is found by the comparison
            block = np.rint(times_s[start : start + _BLOCK].astype(np.float64) * 1e6)
            bad = ~((block >= 0) & (block <= MAX_DURATION_US))
        if bad.any():
            found = float(times_s[start + int(np.argmax(bad))])
            raise InputError(
                f"{name} holds {found}",
                remedy=f"give seconds from a sample's start, from 0 to {MAX_DURATION_US // 10**6}",
            )
        times_us[start : start + _BLOCK] = block
    return times_us


def on_float16_grid(times_us: Int32[np.ndarray, " spikes"]) -> bool:
    """Tell whether all times are float16 seconds (as SHD and SSC are published), by their values alone.

    >>> on_float16_grid(microseconds(np.linspace(0.1, 1, 100).astype(np.float16)))
    True
    >>> on_float16_grid(np.arange(10_000, 10_100, dtype=np.int32))
    False
    """
    return all_on_float16_grid(times_us[start : start + _BLOCK] for start in range(0, len(times_us), _BLOCK))


def all_on_float16_grid(blocks: Iterable[Int32[np.ndarray, " spikes"]]) -> bool:
    """Tell whether the times of all blocks together are float16 seconds."""
    telling = 0
    for block in blocks:
        late = block[block >= _TELLING_US]
        telling += len(late)
        if np.any(microseconds((late / 1e6).astype(np.float16)) != late):
            return False
    return telling >= _ENOUGH_SPIKES
