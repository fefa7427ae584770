"""Axonal delays."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.addresses import array_at
from beyondrate.ops.delay.cpu import delay_backward, delay_forward
from beyondrate.ops.feedforward.kernels.views import FIRST, rows_at, samples_at
from beyondrate.ops.feedforward.table import Row, Table
from beyondrate.ops.feedforward.tiles import Tile
from beyondrate.ops.kernel import kernel, part_of_kernels


@kernel
def delays_forward(stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray) -> None:
    """Fill what arrives; the second time only where it is not listed."""
    stage = stages[s]
    if again and stage.is_listed:
        return
    x = rows_at(stage.x, stage.x_moves, scratch, tile, stage.n_out, like)
    y = rows_at(stage.out, stage.out_moves, scratch, tile, stage.n_out, like)
    steps, fraction = _delays(stage, like)
    delay_forward(x, steps, fraction, FIRST, y, FIRST, tile[2])


@kernel
def delays_backward(stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray) -> None:
    """Fill the gradient of what was sent, and add to that of the delays."""
    stage = stages[s]
    n_units = stage.n_out
    grad = rows_at(stage.grad_out, stage.grad_out_moves, scratch, tile, n_units, like)
    x = rows_at(stage.x, stage.x_moves, scratch, tile, n_units, like)
    grad_x = rows_at(stage.grad_x, stage.grad_x_moves, scratch, tile, n_units, like)
    steps, fraction = _delays(stage, like)
    grad_steps = samples_at(stage.grad_steps, tile, n_units, like)
    delay_backward(grad, x, steps, fraction, stage.central != 0, FIRST, grad_x, grad_steps, FIRST, tile[2])


@part_of_kernels
def _delays(stage: Row, like: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the whole steps of the delays, and what is left."""
    n_units = stage.n_out
    return array_at(stage.steps, (n_units,), np.uint64), array_at(stage.fraction, (n_units,), like)
