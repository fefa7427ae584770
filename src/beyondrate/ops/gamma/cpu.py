"""The gamma memory in numba: blocks of samples outside, time inside, the units of a block side by side.

The buckets of a block are the rows of a small array that stays in the first-level cache, a lane for each
unit of each sample; below them is a row of zeros. ``Passes`` say how the rows become M m in place: each pass
sets one row to a weighted sum of itself and a few others. A loop over lanes writes one array and reads few,
so that the compiler can check them for overlap and vectorise; blocks make it long enough to be worth the
check, and rows that begin with a line of the cache halve its time. A product and a sum may be rounded once.
Numbers below ``_TINY`` become 0, because arithmetic on denormal numbers is slow on many processors.
What is not a number stays so.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit

_TINY = 1e-30
_OTHERS = 4  # rows that one pass adds
_LINE = 64  # bytes of a line of the cache
_LANES = 512  # lanes of a block, where the units of one sample are fewer

kernel = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


class Passes(NamedTuple):
    """Row ``target`` becomes ``weights[0]`` times itself plus ``weights[1:]`` times the rows ``others``."""

    target: np.ndarray
    others: np.ndarray
    weights: np.ndarray


def passes_of(matrix: np.ndarray) -> Passes:
    """Return the passes that set the rows m to ``matrix @ m`` in place; its square part is triangular.

    Each row needs the rows before it (after it) as they were, so the last (the first) row comes first. More
    columns than rows stand for rows that are only read.
    """
    return _passes(matrix.tobytes(), matrix.shape, matrix.dtype)


@lru_cache(maxsize=64)
def _passes(numbers: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Passes:
    matrix = np.frombuffer(numbers, dtype).reshape(shape)
    n_targets, n_rows = shape
    lower = bool((np.triu(matrix[:, :n_targets], 1) == 0).all())
    passes: list[tuple[int, list[int], list[float]]] = []
    for row in range(n_targets - 1, -1, -1) if lower else range(n_targets):
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


@kernel
def samples_in_block(n_units: int) -> int:
    """Return how many samples share a block."""
    return max(1, _LANES // max(1, n_units))


def block_rows(n_rows: int, n_units: int, dtype: np.dtype[Any]) -> np.ndarray:
    """Return zeros of (row, lane or more), each row beginning with a line of the cache."""
    per_line = _LINE // dtype.itemsize
    width = -(-samples_in_block(n_units) * n_units // per_line) * per_line
    buffer = np.zeros(n_rows * width + per_line, dtype)
    first = (-buffer.ctypes.data % _LINE) // dtype.itemsize
    return buffer[first : first + n_rows * width].reshape(n_rows, width)


def _repeated(rows: np.ndarray) -> np.ndarray:
    """Return the values of one sample's units, (row, unit), for each sample of a block."""
    n_rows, n_units = rows.shape
    lanes = block_rows(n_rows, n_units, rows.dtype)
    n_times = samples_in_block(n_units)
    lanes[:, : n_times * n_units] = np.tile(rows, n_times)
    return lanes


@kernel
def advance(
    memory: np.ndarray, target: np.ndarray, others: np.ndarray, weights: np.ndarray, n_lanes: int
) -> None:
    """Run the passes over (row, lane)."""
    zero, tiny = memory.dtype.type(0), memory.dtype.type(_TINY)
    for p in range(len(target)):
        k, a, b, c, d = target[p], others[p, 0], others[p, 1], others[p, 2], others[p, 3]
        own, w_a, w_b = weights[p, 0], weights[p, 1], weights[p, 2]
        w_c, w_d = weights[p, 3], weights[p, 4]
        for j in range(np.uint64(n_lanes)):
            inflow = (w_a * memory[a, j] + w_b * memory[b, j]) + (w_c * memory[c, j] + w_d * memory[d, j])
            m = own * memory[k, j] + inflow
            memory[k, j] = zero if abs(m) <= tiny else m


@kernel
def clear(rows: np.ndarray) -> None:
    """Set all rows to 0: a slice would do it too, but takes the compiler far longer."""
    for row in range(np.uint64(rows.shape[0])):
        for j in range(np.uint64(rows.shape[1])):
            rows[row, j] = 0


@kernel
def gather(values: np.ndarray, first: int, n_samples: int, t: int, rows: np.ndarray, row: int) -> None:
    """Copy the units of a block's samples at time t to the lanes of a row."""
    n_units = np.uint64(values.shape[2])
    for s in range(np.uint64(n_samples)):
        for j in range(n_units):
            rows[np.uint64(row), s * n_units + j] = values[np.uint64(first) + s, t, j]


@kernel
def scatter(rows: np.ndarray, row: int, first: int, n_samples: int, t: int, values: np.ndarray) -> None:
    """Copy the lanes of a row to the units of a block's samples at time t."""
    n_units = np.uint64(values.shape[2])
    for s in range(np.uint64(n_samples)):
        for j in range(n_units):
            values[np.uint64(first) + s, t, j] = rows[np.uint64(row), s * n_units + j]


@kernel
def _feed(lanes: np.ndarray, memory: np.ndarray, n_lanes: int) -> None:
    """Add the first row of ``lanes`` to the first bucket."""
    for j in range(np.uint64(n_lanes)):
        memory[np.uint64(0), j] += lanes[np.uint64(0), j]


@kernel
def _read(gain: np.ndarray, offset: np.ndarray, memory: np.ndarray, n_lanes: int, lanes: np.ndarray) -> None:
    """Fill the first row of ``lanes`` with the offset plus Σ_k g_k m_k.

    ``gain`` has a multiple of four rows, silent ones last.
    """
    zero, one = np.uint64(0), np.uint64(1)
    for j in range(np.uint64(n_lanes)):
        lanes[zero, j] = offset[zero, j]
    for block in range(np.uint64(gain.shape[0] // 4)):
        a = block * np.uint64(4)
        b, c, d = a + one, a + one + one, a + one + one + one
        for j in range(np.uint64(n_lanes)):
            low = gain[a, j] * memory[a, j] + gain[b, j] * memory[b, j]
            lanes[zero, j] += low + (gain[c, j] * memory[c, j] + gain[d, j] * memory[d, j])


def scan_forward(
    u: np.ndarray,
    gain: np.ndarray,
    bias: np.ndarray,
    passes: Passes,
    x: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill x(t) = b + Σ_k g_k m_k(t), m(t) = M m(t-1) + e_1 u(t), for the samples start..stop."""
    memory, lanes = (block_rows(n, u.shape[2], u.dtype) for n in (len(gain) + 1, 1))
    _scan_forward(u, _repeated(gain), _repeated(bias[None]), *passes, memory, lanes, x, start, stop)


@kernel
def _scan_forward(
    u: np.ndarray,
    gain: np.ndarray,
    bias: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    memory: np.ndarray,
    lanes: np.ndarray,
    x: np.ndarray,
    start: int,
    stop: int,
) -> None:
    most = samples_in_block(u.shape[2])
    for first in range(start, stop, most):
        n_samples = min(most, stop - first)
        n_lanes = n_samples * u.shape[2]
        clear(memory)
        for t in range(u.shape[1]):
            advance(memory, target, others, weights, n_lanes)
            gather(u, first, n_samples, t, lanes, 0)
            _feed(lanes, memory, n_lanes)
            _read(gain, bias, memory, n_lanes, lanes)
            scatter(lanes, 0, first, n_samples, t, x)


def scan_backward(
    grad_x: np.ndarray,
    u: np.ndarray,
    gain: np.ndarray,
    passes: Passes,
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
    n_buckets, n_units = grad_gain.shape[1:]
    rows = len(gain) + 1, n_buckets, 1, 1, 1, 1
    room = (block_rows(n, n_units, u.dtype) for n in rows)
    filled = grad_u, grad_gain, grad_bias
    arguments: list[Any] = [grad_x, u, _repeated(gain), *passes, *room, *filled, start, stop]
    _scan_backward(*arguments)


@kernel
def _scan_backward(
    grad_x: np.ndarray,
    u: np.ndarray,
    gain: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    memory: np.ndarray,
    sums: np.ndarray,
    lanes: np.ndarray,
    inputs: np.ndarray,
    bias_sums: np.ndarray,
    no_offset: np.ndarray,
    grad_u: np.ndarray,
    grad_gain: np.ndarray,
    grad_bias: np.ndarray,
    start: int,
    stop: int,
) -> None:
    zero, n_buckets, n_units = np.uint64(0), np.uint64(grad_gain.shape[1]), np.uint64(u.shape[2])
    most = samples_in_block(u.shape[2])
    for first in range(start, stop, most):
        n_samples = min(most, stop - first)
        n_lanes = n_samples * u.shape[2]
        clear(memory)
        clear(sums)
        clear(bias_sums)
        for t in range(u.shape[1] - 1, -1, -1):
            advance(memory, target, others, weights, n_lanes)
            gather(grad_x, first, n_samples, t, lanes, 0)
            gather(u, first, n_samples, t, inputs, 0)
            _feed(lanes, memory, n_lanes)
            _feed(lanes, bias_sums, n_lanes)
            for k in range(n_buckets):
                for j in range(np.uint64(n_lanes)):
                    sums[k, j] += memory[k, j] * inputs[zero, j]
            _read(gain, no_offset, memory, n_lanes, lanes)
            scatter(lanes, 0, first, n_samples, t, grad_u)
        for s in range(np.uint64(n_samples)):
            for j in range(n_units):
                grad_bias[np.uint64(first) + s, j] = bias_sums[zero, s * n_units + j]
            for k in range(n_buckets):
                for j in range(n_units):
                    grad_gain[np.uint64(first) + s, k, j] = sums[k, s * n_units + j]


def scan_each_forward(
    u: np.ndarray, bias: np.ndarray, passes: Passes, x: np.ndarray, start: int, stop: int
) -> None:
    """Fill x(t) = b + z_1(t), z(t) = Mᵀ z(t-1) + u(t), for the samples start..stop; the passes are Mᵀ's."""
    memory = block_rows(u.shape[2] + 1, u.shape[3], u.dtype)
    _scan_each_forward(u, bias, *passes, memory, x, start, stop)


@kernel
def _scan_each_forward(
    u: np.ndarray,
    bias: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    memory: np.ndarray,
    x: np.ndarray,
    start: int,
    stop: int,
) -> None:
    n_buckets, units = np.uint64(u.shape[2]), range(np.uint64(u.shape[3]))
    for n in range(start, stop):
        clear(memory)
        for t in range(u.shape[1]):
            advance(memory, target, others, weights, u.shape[3])
            for k in range(n_buckets):
                for j in units:
                    memory[k, j] += u[n, t, k, j]
            for j in units:
                x[n, t, j] = bias[j] + memory[0, j]


def scan_each_backward(grad_x: np.ndarray, passes: Passes, grad_u: np.ndarray, start: int, stop: int) -> None:
    """Fill du_k(t) = r_k(t), r(t) = M r(t+1) + e_1 δ(t), for the samples start..stop; the passes are M's."""
    memory = block_rows(grad_u.shape[2] + 1, grad_u.shape[3], grad_x.dtype)
    _scan_each_backward(grad_x, *passes, memory, grad_u, start, stop)


@kernel
def _scan_each_backward(
    grad_x: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    memory: np.ndarray,
    grad_u: np.ndarray,
    start: int,
    stop: int,
) -> None:
    n_buckets, units = np.uint64(grad_u.shape[2]), range(np.uint64(grad_u.shape[3]))
    for n in range(start, stop):
        clear(memory)
        for t in range(grad_x.shape[1] - 1, -1, -1):
            advance(memory, target, others, weights, grad_u.shape[3])
            for j in units:
                memory[0, j] += grad_x[n, t, j]
            for k in range(n_buckets):
                for j in units:
                    grad_u[n, t, k, j] = memory[k, j]
