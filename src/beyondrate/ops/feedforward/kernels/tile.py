"""A tile on its way through a network and back: one call of compiled code.

A thread that comes back to Python between two kernels waits for the interpreter, if another has it.
"""

from __future__ import annotations

import numpy as np

from beyondrate.ops.addresses import call_at
from beyondrate.ops.feedforward.table import Table
from beyondrate.ops.feedforward.tiles import Tile
from beyondrate.ops.kernel import kernel


@kernel
def tile_forward(stages: Table, tile: Tile, scratch: int, again: bool, like: np.ndarray) -> None:
    """Take a tile through all stages."""
    for s in range(len(stages)):
        call_at(stages[s].forward, (stages, s, tile, scratch, again, like))


@kernel
def tile_backward(stages: Table, tile: Tile, scratch: int, again: bool, like: np.ndarray) -> None:
    """Take a tile's gradient back through all stages."""
    for s in range(len(stages) - 1, -1, -1):
        call_at(stages[s].backward, (stages, s, tile, scratch, again, like))
