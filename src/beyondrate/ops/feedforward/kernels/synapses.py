"""Synapses: each active unit of a row adds its weights."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.addresses import array_at
from beyondrate.ops.feedforward.kernels.views import FIRST, flat_rows_at
from beyondrate.ops.feedforward.table import Row, Table
from beyondrate.ops.feedforward.tiles import Tile
from beyondrate.ops.kernel import kernel, part_of_kernels
from beyondrate.ops.lanes import fma, load, store, width, zeros
from beyondrate.ops.sparse_linear.cpu import (
    add_rows,
    add_weight_gradient,
    list_active,
    sum_weights,
    take_values,
)

TOO_MANY = 4  # more than there are may be written at the end of a list, see ``list_active``


@kernel
def synapses_forward(stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray) -> None:
    """Sum the weights of active units; those of a hidden stage are listed first, if not done already."""
    stage = stages[s]
    _list_active(stage, tile, scratch, again, like)
    indptr, units, values = lists(stage, tile, scratch, like)
    out = flat_rows_at(stage.out, stage.out_moves, scratch, tile, stage.n_out, like)
    sum_weights(indptr, units, values, *weights(stage, like), out, FIRST, len(out))


@kernel
def synapses_list(stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray) -> None:
    """List active units only: the stage that the synapses feed sums itself."""
    _list_active(stages[s], tile, scratch, again, like)


@kernel
def synapses_backward(stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray) -> None:
    """Add to the gradients of weights and bias, and fill that of a hidden stage's units."""
    stage = stages[s]
    n_in, n_out = stage.n_in, stage.n_out
    grad = flat_rows_at(stage.grad_out, stage.grad_out_moves, scratch, tile, n_out, like)
    grad_weight, grad_bias = _gradients(stage, tile[0], like)
    indptr, units, values = lists(stage, tile, scratch, like)
    add_weight_gradient(indptr, units, values, grad, grad_weight, FIRST, len(grad))
    if stage.has_bias:
        add_rows(grad, grad_bias, FIRST, len(grad))
    if not stage.is_first:
        grad_x = flat_rows_at(stage.grad_x, stage.grad_x_moves, scratch, tile, n_in, like)
        weight = array_at(stage.weight, (n_out, n_in), like)
        panel = array_at(stage.panel + scratch, (n_out, width(like)), like)
        product(grad, weight, panel, grad_x)


@part_of_kernels
def _list_active(stage: Row, tile: Tile, scratch: int, again: bool, like: np.ndarray) -> None:
    """List a hidden stage's active units, if not done already."""
    lane, _, _, row, begins_lane, _, _ = tile
    if not (stage.is_first or again):
        indptr, units, values = lists(stage, tile, scratch, like)
        x = flat_rows_at(stage.x, stage.x_moves, scratch, tile, stage.n_in, like)
        if begins_lane or not stage.lists_move:
            indptr[0] = row * stage.n_in + TOO_MANY * lane if stage.lists_move else 0
        list_active(x, indptr, units)
        if not stage.binary:
            take_values(x, indptr, units, values)


@part_of_kernels
def weights(stage: Row, like: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights, a row for each unit that they come from, and the bias."""
    weight_t = array_at(stage.weight_t, (stage.n_in, stage.n_out), like)
    return weight_t, array_at(stage.bias, (stage.n_out,), like)


@part_of_kernels
def lists(
    stage: Row, tile: Tile, scratch: int, like: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the lists of active units of a tile's rows; lanes whose lists move have one end more each."""
    lane, _, n, row, _, n_steps, _ = tile
    first, in_scratch = (0, scratch) if not stage.lists_move else (row if stage.is_first else row + lane, 0)
    indptr = array_at(stage.indptr + in_scratch + 8 * first, (n * n_steps + 1,), np.int64)
    units = array_at(stage.units + in_scratch, (stage.n_listed,), np.int32)
    n_values = 0 if stage.is_first or stage.binary else stage.n_listed
    return indptr, units, array_at(stage.values + in_scratch, (n_values,), like)


@part_of_kernels
def _gradients(stage: Row, lane: int, like: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients that a lane sums."""
    n_in, n_out = stage.n_in, stage.n_out
    grad_weight = stage.grad_weight + lane * n_in * n_out * like.itemsize
    grad_bias = stage.grad_bias + lane * n_out * like.itemsize
    return array_at(grad_weight, (n_in, n_out), like), array_at(grad_bias, (n_out,), like)


@kernel
def product(x: np.ndarray, weight: np.ndarray, panel: np.ndarray, out: np.ndarray) -> None:
    """Set ``out`` to ``x @ weight``: sums of four rows at a time stay in registers.

    The columns of the weights that are at work are copied to ``panel``: where they are, a row's length apart,
    too many of them would fall on the same lines of the cache.
    """
    n_rows, n_terms, n_out = len(x), len(weight), out.shape[1]
    for j in range(0, n_out, width(out)):
        left = n_out - j
        for k in range(n_terms):
            store(panel, (k, FIRST), width(out), load(weight, (k, j), left))
        row = 0
        while row + 4 <= n_rows:
            a, b, c, d = zeros(out), zeros(out), zeros(out), zeros(out)
            for k in range(n_terms):
                weights = load(panel, (k, FIRST), width(out))
                a = fma(x[row, k], weights, a)
                b = fma(x[row + 1, k], weights, b)
                c = fma(x[row + 2, k], weights, c)
                d = fma(x[row + 3, k], weights, d)
            store(out, (row, j), left, a)
            store(out, (row + 1, j), left, b)
            store(out, (row + 2, j), left, c)
            store(out, (row + 3, j), left, d)
            row += 4
        while row < n_rows:
            a = zeros(out)
            for k in range(n_terms):
                a = fma(x[row, k], load(panel, (k, FIRST), width(out)), a)
            store(out, (row, j), left, a)
            row += 1
