"""The gamma memory in numba: samples outside, time inside, units vectorised.

The buckets of a sample are the rows of a small array that stays in the first-level cache; below them is a row
of zeros. ``Passes`` say how the rows become M m in place: each pass sets one row to a weighted sum of itself
and a few others. A pass over the units writes one array and reads few, so that the compiler can check them
for overlap and vectorise; a product and a sum may be rounded once. Numbers below ``_TINY`` become 0, because
arithmetic on denormal numbers is slow on many processors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

_TINY = 1e-30
_OTHERS = 4  # rows that one pass adds


class Passes(NamedTuple):
    """Row ``target`` becomes ``weights[0]`` times itself plus ``weights[1:]`` times the rows ``others``."""

    target: np.ndarray
    others: np.ndarray
    weights: np.ndarray


def passes_of(matrix: np.ndarray) -> Passes:
    """Return the passes that set m to ``matrix @ m`` in place, for a lower or an upper triangular matrix.

    Each row needs the rows before it (after it) as they were, so the last (the first) row comes first.
    """
    n_rows = len(matrix)
    lower = bool((np.triu(matrix, 1) == 0).all())
    passes: list[tuple[int, list[int], list[float]]] = []
    for row in range(n_rows - 1, -1, -1) if lower else range(n_rows):
        used = [int(other) for other in np.flatnonzero(matrix[row]) if other != row]
        own = float(matrix[row, row])
        for first in range(0, max(1, len(used)), _OTHERS):
            others = used[first : first + _OTHERS]
            missing = _OTHERS - len(others)
            weights = [own, *(float(matrix[row, other]) for other in others), *[0.0] * missing]
            passes.append((row, [*others, *[n_rows] * missing], weights))
            own = 1.0
    target, others_of, weights_of = zip(*passes, strict=True)
    return Passes(
        np.array(target, np.uint64), np.array(others_of, np.uint64), np.array(weights_of, matrix.dtype)
    )


_kernel = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@_kernel
def advance(memory: np.ndarray, target: np.ndarray, others: np.ndarray, weights: np.ndarray) -> None:
    """Run the passes over (row, unit)."""
    zero, tiny = memory.dtype.type(0), memory.dtype.type(_TINY)
    for p in range(len(target)):
        k, a, b, c, d = target[p], others[p, 0], others[p, 1], others[p, 2], others[p, 3]
        own, w_a, w_b = weights[p, 0], weights[p, 1], weights[p, 2]
        w_c, w_d = weights[p, 3], weights[p, 4]
        for j in range(np.uint64(memory.shape[1])):
            inflow = (w_a * memory[a, j] + w_b * memory[b, j]) + (w_c * memory[c, j] + w_d * memory[d, j])
            m = own * memory[k, j] + inflow
            memory[k, j] = m if abs(m) > tiny else zero


@_kernel
def add_read(gain: np.ndarray, memory: np.ndarray, out: np.ndarray, n: int, t: int) -> None:
    """Add Σ_k g_k m_k to the units of out[n, t]; ``gain`` has a multiple of four rows, silent ones last."""
    one = np.uint64(1)
    for block in range(np.uint64(gain.shape[0] // 4)):
        a = block * np.uint64(4)
        b, c, d = a + one, a + one + one, a + one + one + one
        for j in range(np.uint64(gain.shape[1])):
            low = gain[a, j] * memory[a, j] + gain[b, j] * memory[b, j]
            out[n, t, j] += low + (gain[c, j] * memory[c, j] + gain[d, j] * memory[d, j])


@_kernel
def scan_forward(
    u: np.ndarray,
    gain: np.ndarray,
    bias: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    x: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill x(t) = b + Σ_k g_k m_k(t), m(t) = M m(t-1) + e_1 u(t), for the samples start..stop."""
    units = range(np.uint64(u.shape[2]))
    memory = np.empty((len(gain) + 1, u.shape[2]), u.dtype)
    for n in range(start, stop):
        memory[:] = 0
        for t in range(u.shape[1]):
            advance(memory, target, others, weights)
            for j in units:
                memory[0, j] += u[n, t, j]
            for j in units:
                x[n, t, j] = bias[j]
            add_read(gain, memory, x, n, t)


@_kernel
def scan_backward(
    grad_x: np.ndarray,
    u: np.ndarray,
    gain: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
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
    n_buckets = np.uint64(grad_gain.shape[1])
    units = range(np.uint64(u.shape[2]))
    memory = np.empty((len(gain) + 1, u.shape[2]), u.dtype)
    for n in range(start, stop):
        memory[:] = 0
        for t in range(u.shape[1] - 1, -1, -1):
            advance(memory, target, others, weights)
            for j in units:
                memory[0, j] += grad_x[n, t, j]
            for j in units:
                grad_bias[n, j] += grad_x[n, t, j]
            for k in range(n_buckets):
                for j in units:
                    grad_gain[n, k, j] += memory[k, j] * u[n, t, j]
            for j in units:
                grad_u[n, t, j] = 0
            add_read(gain, memory, grad_u, n, t)


@_kernel
def scan_each_forward(
    u: np.ndarray,
    bias: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    x: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill x(t) = b + z_1(t), z(t) = Mᵀ z(t-1) + u(t), for the samples start..stop; the passes are Mᵀ's."""
    n_buckets, units = np.uint64(u.shape[2]), range(np.uint64(u.shape[3]))
    memory = np.empty((u.shape[2] + 1, u.shape[3]), u.dtype)
    for n in range(start, stop):
        memory[:] = 0
        for t in range(u.shape[1]):
            advance(memory, target, others, weights)
            for k in range(n_buckets):
                for j in units:
                    memory[k, j] += u[n, t, k, j]
            for j in units:
                x[n, t, j] = bias[j] + memory[0, j]


@_kernel
def scan_each_backward(
    grad_x: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    grad_u: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill du_k(t) = r_k(t), r(t) = M r(t+1) + e_1 δ(t), for the samples start..stop; the passes are M's."""
    n_buckets, units = np.uint64(grad_u.shape[2]), range(np.uint64(grad_u.shape[3]))
    memory = np.empty((grad_u.shape[2] + 1, grad_u.shape[3]), grad_x.dtype)
    for n in range(start, stop):
        memory[:] = 0
        for t in range(grad_x.shape[1] - 1, -1, -1):
            advance(memory, target, others, weights)
            for j in units:
                memory[0, j] += grad_x[n, t, j]
            for k in range(n_buckets):
                for j in units:
                    grad_u[n, t, k, j] = memory[k, j]
