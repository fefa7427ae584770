"""Products of spikes with weights in numba: each spike adds one row of the transposed weights.

Rows hold active units: ``units[indptr[row]:indptr[row + 1]]``, with ``values`` beside them, or with no values
at all where every one is 1. Several units are taken at a pass over the outputs. Unsigned indices spare the
compiler the check for negative ones, without which it vectorises.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
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
    outputs = range(np.uint64(out.shape[1]))
    for row in range(np.uint64(start), np.uint64(stop)):
        for j in outputs:
            out[row, j] = bias[j]
        k, end = np.uint64(indptr[row]), np.uint64(indptr[row + np.uint64(1)])
        while k + np.uint64(4) <= end:
            a, b = np.uint64(units[k]), np.uint64(units[k + np.uint64(1)])
            c, d = np.uint64(units[k + np.uint64(2)]), np.uint64(units[k + np.uint64(3)])
            if len(values) == 0:
                for j in outputs:
                    out[row, j] += (weight_t[a, j] + weight_t[b, j]) + (weight_t[c, j] + weight_t[d, j])
            else:
                x_a, x_b = values[k], values[k + np.uint64(1)]
                x_c, x_d = values[k + np.uint64(2)], values[k + np.uint64(3)]
                for j in outputs:
                    left = x_a * weight_t[a, j] + x_b * weight_t[b, j]
                    out[row, j] += left + (x_c * weight_t[c, j] + x_d * weight_t[d, j])
            k += np.uint64(4)
        while k < end:
            a = np.uint64(units[k])
            x_a = out.dtype.type(1) if len(values) == 0 else values[k]
            for j in outputs:
                out[row, j] += x_a * weight_t[a, j]
            k += np.uint64(1)


@njit(cache=True, nogil=True, error_model="numpy")
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
    outputs = range(np.uint64(grad_out.shape[1]))
    one = grad_out.dtype.type(1)
    for row in range(np.uint64(start), np.uint64(stop)):
        k, end = np.uint64(indptr[row]), np.uint64(indptr[row + np.uint64(1)])
        while k + np.uint64(2) <= end:
            a, b = np.uint64(units[k]), np.uint64(units[k + np.uint64(1)])
            x_a = one if len(values) == 0 else values[k]
            x_b = one if len(values) == 0 else values[k + np.uint64(1)]
            for j in outputs:
                grad_weight_t[a, j] += x_a * grad_out[row, j]
                grad_weight_t[b, j] += x_b * grad_out[row, j]
            k += np.uint64(2)
        if k < end:
            a = np.uint64(units[k])
            x_a = one if len(values) == 0 else values[k]
            for j in outputs:
                grad_weight_t[a, j] += x_a * grad_out[row, j]


@njit(cache=True, nogil=True, error_model="numpy")
def add_rows(values: np.ndarray, total: np.ndarray, start: int, stop: int) -> None:
    """Add the rows start..stop of ``values`` to ``total``."""
    for row in range(np.uint64(start), np.uint64(stop)):
        for j in range(np.uint64(len(total))):
            total[j] += values[row, j]


@njit(cache=True, nogil=True, error_model="numpy")
def count_active(x: np.ndarray, counts: np.ndarray, start: int, stop: int) -> None:
    """Count the non-zero values in the rows start..stop of ``x``."""
    for row in range(np.uint64(start), np.uint64(stop)):
        n_active = 0
        for i in range(np.uint64(x.shape[1])):
            n_active += x[row, i] != 0
        counts[row] = n_active


@njit(cache=True, nogil=True, error_model="numpy")
def find_active(
    x: np.ndarray, indptr: np.ndarray, units: np.ndarray, values: np.ndarray, start: int, stop: int
) -> None:
    """List the non-zero values in the rows start..stop of ``x``, each row where ``indptr`` says.

    ``units`` and ``values`` have room for one entry more than there are.
    """
    for row in range(np.uint64(start), np.uint64(stop)):
        k, end = np.uint64(indptr[row]), np.uint64(indptr[row + np.uint64(1)])
        i = np.uint64(0)
        while k < end:
            units[k] = i
            values[k] = x[row, i]
            k += np.uint64(x[row, i] != 0)
            i += np.uint64(1)
