"""Products of spikes with weights in numba: each spike adds one row of the transposed weights.

Rows hold active units: ``units[indptr[row]:indptr[row + 1]]``, with ``values`` beside them, or with no values
at all where every one is 1. The sums of a row stay in registers until all its spikes are in.
"""

from __future__ import annotations

import numpy as np

from beyondrate.ops.kernel import kernel, part_of_kernels
from beyondrate.ops.lanes import Lanes, bits, count_bits, load, lowest_bit, store, width, zeros


@kernel
def sum_weights(
    indptr: np.ndarray,
    units: np.ndarray,
    values: np.ndarray,
    weight_t: np.ndarray,
    bias: np.ndarray,
    out: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Set the rows start..stop of ``out`` to the bias plus the weights of their active units."""
    n_out = out.shape[1]
    for j in range(0, n_out, width(out)):
        left = n_out - j
        for row in range(start, stop):
            store(out, (row, j), left, sum_of_row(indptr, units, values, weight_t, bias, row, j, left))


@part_of_kernels
def sum_of_row(
    indptr: np.ndarray,
    units: np.ndarray,
    values: np.ndarray,
    weight_t: np.ndarray,
    bias: np.ndarray,
    row: int,
    j: int,
    left: int,
) -> Lanes:
    """Return the bias plus the weights of a row's active units, from output j on."""
    total = load(bias, j, left)
    k, end = indptr[row], indptr[row + 1]
    while k + 4 <= end:  # four at a time: the next sum waits for the last one
        w_a, w_b = load(weight_t, (units[k], j), left), load(weight_t, (units[k + 1], j), left)
        w_c, w_d = load(weight_t, (units[k + 2], j), left), load(weight_t, (units[k + 3], j), left)
        if len(values) == 0:
            total += (w_a + w_b) + (w_c + w_d)
        else:
            first = values[k] * w_a + values[k + 1] * w_b
            total += first + (values[k + 2] * w_c + values[k + 3] * w_d)
        k += 4
    while k < end:
        w_a = load(weight_t, (units[k], j), left)
        total += w_a if len(values) == 0 else values[k] * w_a
        k += 1
    return total


@kernel
def add_weight_gradient(
    indptr: np.ndarray,
    units: np.ndarray,
    values: np.ndarray,
    grad_out: np.ndarray,
    grad_weight_t: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Add the gradient of each of the rows start..stop to the weights of its active units."""
    n_out = grad_out.shape[1]
    for j in range(0, n_out, width(grad_out)):
        left = n_out - j
        for row in range(start, stop):
            grad = load(grad_out, (row, j), left)
            for k in range(indptr[row], indptr[row + 1]):
                total = load(grad_weight_t, (units[k], j), left)
                total += grad if len(values) == 0 else values[k] * grad
                store(grad_weight_t, (units[k], j), left, total)


@kernel
def add_rows(values: np.ndarray, total: np.ndarray, start: int, stop: int) -> None:
    """Add the rows start..stop of ``values`` to ``total``."""
    for j in range(0, len(total), width(total)):
        left = len(total) - j
        subtotal = load(total, j, left)
        for row in range(start, stop):
            subtotal += load(values, (row, j), left)
        store(total, j, left, subtotal)


@kernel
def count_active(x: np.ndarray, counts: np.ndarray, start: int, stop: int) -> None:
    """Count the non-zero values in the rows start..stop of ``x``."""
    for row in range(np.uint64(start), np.uint64(stop)):
        n_active = 0
        for i in range(np.uint64(x.shape[1])):
            n_active += x[row, i] != 0
        counts[row] = n_active


@kernel
def find_active(
    x: np.ndarray, indptr: np.ndarray, units: np.ndarray, values: np.ndarray, start: int, stop: int
) -> None:
    """List the non-zero values in the rows start..stop of ``x``, each row where ``indptr`` says."""
    n_units = x.shape[1]
    for row in range(start, stop):
        k = indptr[row]
        for j in range(0, n_units, width(x)):
            active = bits(load(x, (row, j), n_units - j) != zeros(x))
            while active:
                unit = j + lowest_bit(active)
                units[k], values[k] = unit, x[row, unit]
                k += 1
                active &= active - np.uint64(1)


@kernel
def list_active(x: np.ndarray, indptr: np.ndarray, units: np.ndarray) -> None:
    """List where the rows of ``x`` are not 0, row after row, from where ``indptr`` begins.

    Four at a time, and so up to four too many, which the next ones overwrite: how many there are differs from
    vector to vector, and a processor that guesses wrong loses more time. ``units`` has room for four more.
    """
    n_units = x.shape[1]
    k = indptr[0]
    for row in range(len(x)):
        for j in range(0, n_units, width(x)):
            active = bits(load(x, (row, j), n_units - j) != zeros(x))
            n_active = count_bits(active)
            for first in range(k, k + max(1, n_active), 4):
                for i in range(4):
                    units[first + i] = j + lowest_bit(active)
                    active &= active - np.uint64(1)
            k += n_active
        indptr[row + 1] = k


@kernel
def take_values(x: np.ndarray, indptr: np.ndarray, units: np.ndarray, values: np.ndarray) -> None:
    """Fill the values of ``x`` beside the units that the rows list."""
    for row in range(len(x)):
        for k in range(indptr[row], indptr[row + 1]):
            values[k] = x[row, units[k]]
