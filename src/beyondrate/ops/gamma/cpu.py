"""The gamma memory in numba: for a vector of units at a time, the buckets are the rows of a small array.

The array stays in the first-level cache while its units walk through time. Numbers so small that processors
are slow at them become 0. What is not a number stays so.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from beyondrate.ops.kernel import kernel, part_of_kernels
from beyondrate.ops.lanes import Lanes, flushed, fma, load, load_halves, store, store_halves, width, zeros

_LINE = 64  # bytes of a line of the cache
_STEPS_TO_FLUSH = 16


# A matrix, and how rows become what it makes of them, in their own places: matrix, pairs, begin, end. Two
# are made at a time, pairs[p]; all in them that is not 0 lies between begin[p] and end[p]. None needs a row
# that an earlier pair has replaced; the two of a pair may be the same. (A plain tuple, because the cache of
# kernels could not be read after a class in it has changed its name.)
Chain: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def chain_of(matrix: np.ndarray) -> Chain:
    """Return the matrix as a chain; its square part is triangular.

    More columns than rows stand for rows below the buckets that are only read.
    """
    return _chain(matrix.tobytes(), matrix.shape, matrix.dtype)


@lru_cache(maxsize=64)
def _chain(numbers: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Chain:
    matrix = np.frombuffer(numbers, dtype).reshape(shape)
    is_lower = bool((np.triu(matrix[:, : len(matrix)], 1) == 0).all())
    order = range(len(matrix))[:: -1 if is_lower else 1]
    pairs = [(order[first], order[min(first + 1, len(order) - 1)]) for first in range(0, len(order), 2)]
    used = [np.flatnonzero(matrix[list(pair)].any(axis=0)) for pair in pairs]
    edges = [(columns[0], columns[-1] + 1) if len(columns) else (0, 0) for columns in used]
    # unsigned indices spare the kernels a check for negative ones
    begin, end = np.array(edges, np.uint64).T.copy()
    return matrix, np.array(pairs, np.uint64), begin, end


@kernel
def rows_of_lanes(n_rows: int, like: np.ndarray) -> np.ndarray:
    """Return zeros, as many a row as fill a vector; each row begins with a line of the cache."""
    n_lanes = width(like)
    buffer = np.zeros(n_rows * n_lanes + _LINE, like.dtype)
    first = (-buffer.ctypes.data % _LINE) // like.itemsize
    return buffer[first : first + n_rows * n_lanes].reshape(n_rows, n_lanes)


@part_of_kernels
def advance(rows: np.ndarray, chain: Chain) -> None:
    """Set the rows to the chain's matrix times the rows: what is loaded serves two of them."""
    matrix, pairs, begin, end = chain
    n_lanes = width(rows)
    for p in range(len(pairs)):
        one, other = pairs[p, 0], pairs[p, 1]
        total, other_total = zeros(rows), zeros(rows)
        for i in range(begin[p], end[p]):
            row = load(rows, (i, 0), n_lanes)
            total, other_total = fma(matrix[one, i], row, total), fma(matrix[other, i], row, other_total)
        store(rows, (one, 0), n_lanes, total)
        store(rows, (other, 0), n_lanes, other_total)


@part_of_kernels
def flush(rows: np.ndarray, t: int) -> None:
    """Set tiny numbers to 0 every so many steps: to look for them at each would cost more than they do."""
    if t % _STEPS_TO_FLUSH == 0:
        for k in range(len(rows)):
            store(rows, (k, 0), width(rows), flushed(load(rows, (k, 0), width(rows))))


@part_of_kernels
def add_to(rows: np.ndarray, k: int, x: Lanes) -> None:
    """Add to row k."""
    store(rows, (k, 0), width(rows), load(rows, (k, 0), width(rows)) + x)


@part_of_kernels
def half_blocks(h: int, start: int, stop: int, like: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return sample and first unit of what the halves of vector ``h`` hold, of ``like``'s last axis.

    Each holds the units of one sample that fill half a vector, or those that are left; so that of a readout
    of few units two samples are done at once. The last half is the one before once more if their number is
    odd.
    """
    n_units, half = like.shape[-1], width(like) // 2
    n_blocks = -(-n_units // half)
    first, second = 2 * h, min(2 * h + 1, (stop - start) * n_blocks - 1)
    return (
        (start + first // n_blocks, first % n_blocks * half),
        (start + second // n_blocks, second % n_blocks * half),
    )


@part_of_kernels
def n_vectors(start: int, stop: int, like: np.ndarray) -> int:
    """Return how many vectors the units of the samples start..stop fill, half by half."""
    n_blocks = -(-like.shape[-1] // (width(like) // 2))
    return ((stop - start) * n_blocks + 1) // 2


@kernel
def scan_forward(
    u: np.ndarray,
    gain: np.ndarray,
    bias: np.ndarray,
    chain: Chain,
    x: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill x(t) = b + Σ_k g_k m_k(t), m(t) = M m(t-1) + e_1 u(t), for the samples start..stop."""
    n_units, n_lanes, n_buckets = u.shape[2], width(u), len(gain)
    memory, gains = rows_of_lanes(n_buckets, u), rows_of_lanes(n_buckets, u)
    for h in range(n_vectors(start, stop, u)):
        (n, j), (m, i) = half_blocks(h, start, stop, u)
        left, other_left = n_units - j, n_units - i
        for k in range(n_buckets):
            store(gains, (k, 0), n_lanes, load_halves(gain, (k, j), left, (k, i), other_left))
        offset = load_halves(bias, j, left, i, other_left)
        memory[:] = 0
        for t in range(u.shape[1]):
            advance(memory, chain)
            flush(memory, t)
            add_to(memory, 0, load_halves(u, (n, t, j), left, (m, t, i), other_left))
            total = offset
            for k in range(n_buckets):
                total = fma(load(gains, (k, 0), n_lanes), load(memory, (k, 0), n_lanes), total)
            store_halves(x, (n, t, j), left, (m, t, i), other_left, total)


@kernel
def scan_backward(
    grad_x: np.ndarray,
    u: np.ndarray,
    gain: np.ndarray,
    chain: Chain,
    grad_u: np.ndarray,
    grad_gain: np.ndarray,
    grad_bias: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Walk back through time with buckets that ``grad_x`` feeds: they give both gradients at once.

    With r(t) = M r(t+1) + e_1 δ(t):  du(t) = Σ_k g_k r_k(t)  and  dg_k = Σ_t r_k(t) u(t). The gradients of
    gain and bias are per sample.
    """
    n_units, n_lanes, n_buckets = u.shape[2], width(u), len(gain)
    memory, sums = rows_of_lanes(n_buckets, u), rows_of_lanes(n_buckets, u)
    for h in range(n_vectors(start, stop, u)):
        (n, j), (m, i) = half_blocks(h, start, stop, u)
        left, other_left = n_units - j, n_units - i
        memory[:], sums[:] = 0, 0
        sum_b = zeros(u)
        for t in range(u.shape[1] - 1, -1, -1):
            fed = load_halves(u, (n, t, j), left, (m, t, i), other_left)
            grad = load_halves(grad_x, (n, t, j), left, (m, t, i), other_left)
            advance(memory, chain)
            flush(memory, t)
            add_to(memory, 0, grad)
            sum_b += grad
            total = zeros(u)
            for k in range(n_buckets):
                r = load(memory, (k, 0), n_lanes)
                total = fma(load_halves(gain, (k, j), left, (k, i), other_left), r, total)
                store(sums, (k, 0), n_lanes, fma(r, fed, load(sums, (k, 0), n_lanes)))
            store_halves(grad_u, (n, t, j), left, (m, t, i), other_left, total)
        store_halves(grad_bias, (n, j), left, (m, i), other_left, sum_b)
        for k in range(n_buckets):
            store_halves(grad_gain, (n, k, j), left, (m, k, i), other_left, load(sums, (k, 0), n_lanes))


@kernel
def scan_each_forward(
    u: np.ndarray, bias: np.ndarray, chain: Chain, x: np.ndarray, start: int, stop: int
) -> None:
    """Fill x(t) = b + z_1(t), z(t) = Mᵀ z(t-1) + u(t), for the samples start..stop; the chain is Mᵀ."""
    n_units, n_lanes, n_buckets = u.shape[3], width(u), u.shape[2]
    memory = rows_of_lanes(n_buckets, u)
    for n in range(start, stop):
        for j in range(0, n_units, n_lanes):
            left = n_units - j
            memory[:] = 0
            for t in range(u.shape[1]):
                advance(memory, chain)
                flush(memory, t)
                for k in range(n_buckets):
                    add_to(memory, k, load(u, (n, t, k, j), left))
                store(x, (n, t, j), left, load(bias, j, left) + load(memory, (0, 0), n_lanes))


@kernel
def scan_each_backward(grad_x: np.ndarray, chain: Chain, grad_u: np.ndarray, start: int, stop: int) -> None:
    """Fill du_k(t) = r_k(t), r(t) = M r(t+1) + e_1 δ(t), for the samples start..stop; the chain is M."""
    n_units, n_lanes, n_buckets = grad_u.shape[3], width(grad_u), grad_u.shape[2]
    memory = rows_of_lanes(n_buckets, grad_u)
    for n in range(start, stop):
        for j in range(0, n_units, n_lanes):
            left = n_units - j
            memory[:] = 0
            for t in range(grad_x.shape[1] - 1, -1, -1):
                advance(memory, chain)
                flush(memory, t)
                add_to(memory, 0, load(grad_x, (n, t, j), left))
                for k in range(n_buckets):
                    store(grad_u, (n, t, k, j), left, load(memory, (k, 0), n_lanes))
