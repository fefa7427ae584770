"""Room for intermediate results: aligned, and kept by each thread so that no page of it is ever new."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import torch

Array = np.ndarray[Any, Any]


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return room that begins with a line of the cache, with whatever is in it.

    Vectors that fill a line take twice as long where each lies in two of them. Numpy does not promise that;
    torch does.
    """
    n_bytes = math.prod(shape) * dtype.itemsize
    room: Array = torch.empty(n_bytes, dtype=torch.uint8).numpy()
    return room.view(dtype).reshape(shape)


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return zeros that begin with a line of the cache."""
    zeros = aligned(shape, dtype)
    zeros[...] = 0
    return zeros


class Scratch(threading.local):
    """The calling thread's buffers: each user takes them in turn, from the first."""

    def __init__(self) -> None:
        self._buffers: list[Array] = []
        self._n_taken = 0

    def begin(self) -> None:
        """Take back all buffers; what was taken before must no longer be in use."""
        self._n_taken = 0

    def take(self, n: int, dtype: np.dtype[Any]) -> Array:
        """Return room for ``n`` numbers, with whatever is in it."""
        n_bytes = n * dtype.itemsize
        if self._n_taken == len(self._buffers):
            self._buffers.append(aligned((n_bytes,), np.dtype(np.uint8)))
        elif len(self._buffers[self._n_taken]) < n_bytes:
            self._buffers[self._n_taken] = aligned((n_bytes,), np.dtype(np.uint8))
        taken = self._buffers[self._n_taken][:n_bytes]
        self._n_taken += 1
        return taken.view(dtype)


SCRATCH = Scratch()
