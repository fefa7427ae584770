"""Consecutive blocks of samples, so that work on 10^8 spikes needs temporary arrays for a few only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64


def sample_blocks(
    offsets: Int64[np.ndarray, " samples_plus_1"], n_spikes: int, n_samples: int
) -> Iterator[slice]:
    """Yield slices that cover all samples, each of at most so many spikes and samples, but of one at least.

    >>> list(sample_blocks(np.array([0, 2, 3, 3, 9]), n_spikes=4, n_samples=2))
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    start, end = 0, len(offsets) - 1
    while start < end:
        fitting = int(np.searchsorted(offsets, offsets[start] + n_spikes, side="right")) - 1
        stop = max(start + 1, min(fitting, start + n_samples, end))
        yield slice(start, stop)
        start = stop
