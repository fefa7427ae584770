"""Room for intermediate results that each thread keeps and uses again, so that no page of it is ever new."""

from __future__ import annotations

import threading

import torch
from torch import Tensor


class Scratch(threading.local):
    """The calling thread's buffers: each user takes them in turn, from the first."""

    def __init__(self) -> None:
        self._buffers: list[Tensor] = []
        self._n_taken = 0

    def begin(self) -> None:
        """Take back all buffers; what was taken before must no longer be in use."""
        self._n_taken = 0

    def take(self, n: int, dtype: torch.dtype) -> Tensor:
        """Return room for ``n`` numbers, with whatever is in it."""
        n_bytes = n * dtype.itemsize
        if self._n_taken == len(self._buffers):
            self._buffers.append(torch.empty(n_bytes, dtype=torch.uint8))
        elif len(self._buffers[self._n_taken]) < n_bytes:
            self._buffers[self._n_taken] = torch.empty(n_bytes, dtype=torch.uint8)
        taken = self._buffers[self._n_taken][:n_bytes]
        self._n_taken += 1
        return taken.view(dtype)


SCRATCH = Scratch()
