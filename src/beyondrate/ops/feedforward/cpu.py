"""What only the tiles of a feed-forward network need: all that one stage does to a tile, in one call.

Between two calls a thread waits for the interpreter, if another has it.
"""

from __future__ import annotations

import numpy as np

from beyondrate.ops.kernel import kernel
from beyondrate.ops.lanes import fma, load, store, width, zeros
from beyondrate.ops.sparse_linear.cpu import (
    add_rows,
    add_weight_gradient,
    list_active,
    sum_weights,
    take_values,
)


@kernel
def through_synapses(
    x: np.ndarray,
    indptr: np.ndarray,
    units: np.ndarray,
    values: np.ndarray,
    weight_t: np.ndarray,
    bias: np.ndarray,
    out: np.ndarray,
) -> None:
    """List where the rows of ``x`` are not 0, and set ``out`` to the bias plus the weights of these units.

    Without room for values all are 1.
    """
    list_active(x, indptr, units)
    if len(values) > 0:
        take_values(x, indptr, units, values)
    sum_weights(indptr, units, values, weight_t, bias, out, 0, len(out))


@kernel
def back_through_synapses(
    indptr: np.ndarray,
    units: np.ndarray,
    values: np.ndarray,
    grad_out: np.ndarray,
    weight: np.ndarray,
    grad_weight_t: np.ndarray,
    grad_bias: np.ndarray,
    grad_in: np.ndarray,
) -> None:
    """Add to the gradients of weights and bias, and fill that of what came in, where there is room."""
    add_weight_gradient(indptr, units, values, grad_out, grad_weight_t, 0, len(grad_out))
    add_rows(grad_out, grad_bias, 0, len(grad_out))
    product(grad_out, weight, grad_in)


@kernel
def product(x: np.ndarray, weight: np.ndarray, out: np.ndarray) -> None:
    """Set ``out`` to ``x @ weight``: sums of four rows at a time stay in registers."""
    n_rows, n_terms, n_out = len(x), len(weight), out.shape[1]
    for j in range(0, n_out, width(out)):
        left = n_out - j
        row = 0
        while row + 4 <= n_rows:
            a, b, c, d = zeros(out), zeros(out), zeros(out), zeros(out)
            for k in range(n_terms):
                weights = load(weight, (k, j), left)
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
                a = fma(x[row, k], load(weight, (k, j), left), a)
            store(out, (row, j), left, a)
            row += 1
