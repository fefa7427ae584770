"""What only the tiles of a feed-forward network need: finding the spikes in them, and dense products.

Unsigned indices spare the compiler the check for negative ones.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def list_active(x: np.ndarray, indptr: np.ndarray, units: np.ndarray, values: np.ndarray) -> None:
    """List the non-zero values of ``x`` row by row; without room for values only where they are.

    ``units`` and ``values`` have room for one entry more than ``x`` has.
    """
    k = np.uint64(0)
    for row in range(np.uint64(len(x))):
        if len(values) == 0:
            for i in range(np.uint64(x.shape[1])):
                units[k] = i
                k += np.uint64(x[row, i] != 0)
        else:
            for i in range(np.uint64(x.shape[1])):
                units[k] = i
                values[k] = x[row, i]
                k += np.uint64(x[row, i] != 0)
        indptr[row + np.uint64(1)] = k


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def product(x: np.ndarray, weight: np.ndarray, out: np.ndarray) -> None:
    """Set ``out`` to ``x @ weight``: four rows by four terms at a pass over the outputs."""
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    n_rows, n_terms, outputs = np.uint64(len(x)), np.uint64(len(weight)), range(np.uint64(out.shape[1]))
    out[:] = 0
    r = np.uint64(0)
    while r + four <= n_rows:
        a, b, c, d = r, r + one, r + two, r + three
        k = np.uint64(0)
        while k + four <= n_terms:
            p, q, s = k + one, k + two, k + three
            a0, a1, a2, a3 = x[a, k], x[a, p], x[a, q], x[a, s]
            b0, b1, b2, b3 = x[b, k], x[b, p], x[b, q], x[b, s]
            c0, c1, c2, c3 = x[c, k], x[c, p], x[c, q], x[c, s]
            d0, d1, d2, d3 = x[d, k], x[d, p], x[d, q], x[d, s]
            for j in outputs:
                w0, w1, w2, w3 = weight[k, j], weight[p, j], weight[q, j], weight[s, j]
                out[a, j] += a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
                out[b, j] += b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3
                out[c, j] += c0 * w0 + c1 * w1 + c2 * w2 + c3 * w3
                out[d, j] += d0 * w0 + d1 * w1 + d2 * w2 + d3 * w3
            k += four
        while k < n_terms:
            for j in outputs:
                w0 = weight[k, j]
                out[a, j] += x[a, k] * w0
                out[b, j] += x[b, k] * w0
                out[c, j] += x[c, k] * w0
                out[d, j] += x[d, k] * w0
            k += one
        r += four
    while r < n_rows:
        for term in range(n_terms):
            for j in outputs:
                out[r, j] += x[r, term] * weight[term, j]
        r += one
