"""What every worker has: room of its own, and the helpers that shape it.

A worker runs one stage on tiles, forward and backward, for one thread. It writes into arrays of its own that
every tile overwrites, begins a tile with the state that ``Room.states`` holds for its piece of the sequence,
and leaves in ``Room.kept`` what walking back through the tile needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from torch import Tensor

from beyondrate.ops.feedforward.scratch import SCRATCH, Array, aligned
from beyondrate.ops.feedforward.tiles import Cut, Tile


class Worker(Protocol):
    """Runs one stage."""

    def forward(self, tile: Tile, x: Array) -> Array:
        """Return what the stage makes of ``x``, (sample, step, unit)."""

    def backward(self, tile: Tile, grad: Array) -> Array:
        """Return the gradient of the tile's ``x``."""

    def begin(self) -> None:
        """Begin a lane: its gradients are 0."""

    def gradients(self) -> list[Array]:
        """Return the gradients of the stage's tensors over the lane's tiles so far."""


class Room(NamedTuple):
    """What a worker is given.

    Args:
        cut: how the batch is cut.
        n_in: units of what comes in.
        n_units: units of what goes out.
        states: for each number that the stage's units carry on: (piece of the sequence, sample, unit).
        kept: what the stage keeps of each tile for the way back.
        goes_forward_again: whether that begins with going forward through each tile once more.
        dtype: type of the numbers.
    """

    cut: Cut
    n_in: int
    n_units: int
    states: Sequence[Array]
    kept: dict[Tile, Any]
    goes_forward_again: bool
    dtype: np.dtype[Any]

    def tile(self, n_units: int) -> Array:
        """Return room for a tile's numbers of so many units."""
        n_rows = self.cut.samples_in_tile * self.cut.steps_in_tile
        return SCRATCH.take(n_rows * n_units, self.dtype)

    def kept_or_shared(self, shared: Array, x: Array) -> Array:
        """Return room shaped like ``x`` for what walking back needs: where every tile has it, of its own."""
        return shaped_like(shared, x) if self.goes_forward_again else aligned(x.shape, x.dtype)

    def samples(self, *shape: int) -> Array:
        """Return room for a tile's samples, of this stage's units or of another shape."""
        return aligned((self.cut.samples_in_tile, *(shape or (self.n_units,))), self.dtype)


def numpy_of(*tensors: Tensor) -> list[Array]:
    """Return contiguous arrays of the tensors' numbers."""
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


def shaped_like(room: Array, x: Array) -> Array:
    """Return as much of the room as ``x`` takes, in its shape."""
    return room[: x.size].reshape(x.shape)


def rows_of(room: Array, tile: Tile, n_units: int) -> Array:
    """Return as much of the room as the tile's rows take."""
    n_rows = tile.n_samples * tile.n_steps
    return room[: n_rows * n_units].reshape(n_rows, n_units)
