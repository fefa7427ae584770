"""What only the tiles of a feed-forward network need: dense products that never leave the cache."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.kernel import kernel
from beyondrate.ops.lanes import fma, load, store, width, zeros


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
