"""Constant factors on the units of each sample."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.feedforward.kernels.views import rows_at, samples_at
from beyondrate.ops.feedforward.table import Table
from beyondrate.ops.feedforward.tiles import Tile
from beyondrate.ops.kernel import kernel
from beyondrate.ops.lanes import load, store, width


@kernel
def factors_forward(stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray) -> None:
    """Scale what comes in."""
    stage = stages[s]
    x = rows_at(stage.x, stage.x_moves, scratch, tile, stage.n_out, like)
    y = rows_at(stage.out, stage.out_moves, scratch, tile, stage.n_out, like)
    _scale(x, samples_at(stage.factors, tile, stage.n_out, like), y)


@kernel
def factors_backward(stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray) -> None:
    """Scale the gradient."""
    stage = stages[s]
    grad = rows_at(stage.grad_out, stage.grad_out_moves, scratch, tile, stage.n_out, like)
    grad_x = rows_at(stage.grad_x, stage.grad_x_moves, scratch, tile, stage.n_out, like)
    _scale(grad, samples_at(stage.factors, tile, stage.n_out, like), grad_x)


@kernel
def _scale(x: np.ndarray, factors: np.ndarray, y: np.ndarray) -> None:
    """Fill ``y`` with ``x`` times the factors of each sample's units."""
    n_units = x.shape[2]
    for n in range(len(x)):
        for j in range(0, n_units, width(x)):
            left = n_units - j
            factor = load(factors, (n, j), left)
            for t in range(x.shape[1]):
                store(y, (n, t, j), left, factor * load(x, (n, t, j), left))
