"""Where a network's numbers lie on their way through the stages and back.

Rows that only the next stage reads lie in one of two pieces of a thread's scratch, and what can be worked on
in place stays where it is: the fewer pages a tile goes through, the more of it is still in the cache. Rows
that walking back needs have room of their own, for the whole batch, or for a tile if that begins with going
forward once more.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from beyondrate.ops.feedforward.stages import Delays, GammaMemories, LeakyUnits, Stage, Synapses
from beyondrate.ops.feedforward.table import Place
from beyondrate.ops.feedforward.tiles import Cut

_LINE = 64  # bytes of a line of the cache: vectors that fill one take twice as long where they lie in two


class Room:
    """The room for batches of one shape, one at a time.

    Args:
        cut: how the batch is cut.
        dtype: type of the numbers.
        comes_back: whether gradients will be asked for.
        goes_again: whether that begins with going forward through each tile once more.
    """

    def __init__(self, cut: Cut, dtype: torch.dtype, *, comes_back: bool, goes_again: bool) -> None:
        self.cut, self.dtype, self.comes_back, self.goes_again = cut, dtype, comes_back, goes_again
        self.n_scratch = 0
        self.bytes_kept = 0  # what has room for the whole batch takes
        self._kept = list[Tensor]()

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """Type of the numbers, as numpy calls it."""
        return _numpy_dtype(self.dtype)

    @property
    def rows_in_tile(self) -> int:
        """Most rows of a tile."""
        return self.cut.samples_in_tile * self.cut.steps_in_tile

    def scratch(self, n: int, dtype: torch.dtype | None = None) -> Place:
        """Return a place for some numbers in the scratch."""
        place = Place(self.n_scratch, moves=False)
        self.n_scratch += _whole_lines(n * (dtype or self.dtype).itemsize)
        return place

    def kept(self, n: int, dtype: torch.dtype | None = None) -> Place:
        """Return a place for some numbers of the whole batch."""
        self._kept.append(torch.empty(n, dtype=dtype or self.dtype))
        self.bytes_kept += self._kept[-1].nbytes
        return Place(self._kept[-1].data_ptr(), moves=True)

    def rows(self, n_units: int, dtype: torch.dtype | None = None) -> Place:
        """Return a place for rows that walking back needs."""
        if self.comes_back and not self.goes_again:
            return self.kept(self.cut.n_samples * self.cut.n_steps * n_units, dtype)
        return self.scratch(self.rows_in_tile * n_units, dtype)

    def given(self, tensor: Tensor) -> Tensor:
        """Return a tensor's numbers as kernels read them."""
        return tensor.detach().to(self.dtype).contiguous()

    def of_samples(self, *shape: int) -> Tensor:
        """Return zeros, so many for each sample."""
        return torch.zeros(self.cut.n_samples, *shape, dtype=self.dtype)

    def at_seams(self, n_units: int) -> Tensor:
        """Return zeros, one for each unit and sample where a piece of its sequence begins or ends."""
        return torch.zeros(self.cut.n_parts + 1, self.cut.n_samples, n_units, dtype=self.dtype)


def places(stages: Sequence[Stage], sizes: Sequence[int], room: Room) -> list[dict[str, Place]]:
    """Return where each stage finds its rows and where it leaves them, forward and back."""
    two = [room.scratch(room.rows_in_tile * max(sizes[1:])) for _ in range(2)]
    found: list[dict[str, Place]] = []
    x = two[0]  # the first stage reads the input's spikes
    for stage, after, size in zip(stages, (*stages[1:], None), sizes[1:], strict=True):
        if after is None:
            y = Place(0, moves=True)  # the network's output is not there yet
        elif room.comes_back and (isinstance(stage, LeakyUnits) or isinstance(after, Delays | GammaMemories)):
            y = room.rows(size)
        else:
            y = _next_of(two, x, stage)
        found.append({"x": x, "out": y})
        x = y
    grad = Place(0, moves=True)  # nor its gradient
    for stage, of_stage in zip(reversed(stages), reversed(found), strict=True):
        of_stage["grad_out"], of_stage["grad_x"] = grad, _next_of(two, grad, stage)
        grad = of_stage["grad_x"]
    return found


def _next_of(two: Sequence[Place], place: Place, stage: Stage) -> Place:
    """Return where a stage leaves what it makes of rows: where they are, or in the other of two places."""
    if place in two and not isinstance(stage, Synapses | Delays):
        return place
    return two[1] if place == two[0] else two[0]


@cache
def _numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    found: np.dtype[Any] = torch.empty(0, dtype=dtype).numpy().dtype
    return found


def _whole_lines(n_bytes: int) -> int:
    return -(-n_bytes // _LINE) * _LINE


class _Scratch(threading.local):
    """The calling thread's room for what each tile overwrites: kept, so that no page of it is ever new."""

    def __init__(self) -> None:
        self._bytes = torch.empty(0, dtype=torch.uint8)

    def address(self, n_bytes: int) -> int:
        """Return where so many bytes are."""
        if len(self._bytes) < n_bytes:
            self._bytes = torch.empty(n_bytes, dtype=torch.uint8)
        return self._bytes.data_ptr()


SCRATCH = _Scratch()
