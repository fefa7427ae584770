"""The adaptive sigma-delta encoder in numba: blocks of samples side by side, as in the gamma memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from beyondrate.ops.gamma.cpu import (
    Passes,
    advance,
    block_rows,
    clear,
    gather,
    kernel,
    samples_in_block,
    scatter,
)


def encode(
    x: np.ndarray,
    passes: Passes,
    theta0: float,
    adaptation: float,
    rho: float,
    most_quanta: float,
    gated: bool,
    state: np.ndarray,
    spikes: np.ndarray,
    flags: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill the spikes and what their gradient needs, and advance the state, for samples start..stop.

    The passes put M m into the buckets' rows and p = qᵀ M m into the row below them. Bit 0 of a flag says
    that the gate is open, bit 1 that x > 0.
    """
    n_buckets, n_units = state.shape[1:]
    memory, value, height = (block_rows(n, n_units, x.dtype) for n in (n_buckets + 2, 1, 1))
    room = memory, value, height, block_rows(1, n_units, flags.dtype)
    options = theta0, adaptation, rho, most_quanta, gated
    arguments: list[Any] = [x, *passes, *options, *room, state, spikes, flags, start, stop]
    _encode(*arguments)


@kernel
def _encode(
    x: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    theta0: float,
    adaptation: float,
    rho: float,
    most_quanta: float,
    gated: bool,
    memory: np.ndarray,
    value: np.ndarray,
    height: np.ndarray,
    bits: np.ndarray,
    state: np.ndarray,
    spikes: np.ndarray,
    flags: np.ndarray,
    start: int,
    stop: int,
) -> None:
    zero, one = x.dtype.type(0), x.dtype.type(1)
    top, p = np.uint64(0), np.uint64(state.shape[1])
    most = samples_in_block(x.shape[2])
    for first in range(start, stop, most):
        n_samples = min(most, stop - first)
        lanes = range(np.uint64(n_samples * x.shape[2]))
        clear(memory)
        for k in range(state.shape[1]):
            gather(state, first, n_samples, k, memory, k)
        for t in range(x.shape[1]):
            advance(memory, target, others, weights, n_samples * x.shape[2])
            gather(x, first, n_samples, t, value, 0)
            for j in lanes:
                threshold = theta0 + adaptation * memory[p, j]
                z = max(value[top, j], zero) - memory[p, j]
                quanta = np.floor((z - rho * threshold) / threshold) + one
                height[top, j] = min(max(quanta, zero), most_quanta) * threshold
            for j in lanes:
                z = max(value[top, j], zero) - memory[p, j]
                is_open = (not gated) or z > (rho - one) * (theta0 + adaptation * memory[p, j])
                bits[top, j] = np.uint8(is_open) | (np.uint8(value[top, j] > zero) << np.uint8(1))
            for j in lanes:
                memory[top, j] += height[top, j]
            scatter(height, 0, first, n_samples, t, spikes)
            scatter(bits, 0, first, n_samples, t, flags)
        for k in range(state.shape[1]):
            scatter(memory, k, first, n_samples, k, state)


def encode_backward(
    grad_spikes: np.ndarray,
    flags: np.ndarray,
    passes: Passes,
    grad_state: np.ndarray,
    grad_x: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Walk back through time for samples start..stop.

    With G = ∂L/∂h and μ the gradient of the buckets:  du(t) = G(t) + μ_1(t),  dy(t) = g(t) du(t),
    μ(t-1) = Mᵀ μ(t) - Mᵀ q dy(t), which the passes do with dy in the row below the buckets. ``grad_state``
    comes with the gradient of the last buckets and leaves with that of the first ones.
    """
    n_buckets, n_units = grad_state.shape[1:]
    room = block_rows(n_buckets + 2, n_units, grad_x.dtype), block_rows(1, n_units, flags.dtype)
    _encode_backward(grad_spikes, flags, *passes, *room, grad_state, grad_x, start, stop)


@kernel
def _encode_backward(
    grad_spikes: np.ndarray,
    flags: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    memory: np.ndarray,
    bits: np.ndarray,
    grad_state: np.ndarray,
    grad_x: np.ndarray,
    start: int,
    stop: int,
) -> None:
    n_buckets = grad_state.shape[1]
    top, dy = np.uint64(0), np.uint64(n_buckets)
    most = samples_in_block(grad_x.shape[2])
    for first in range(start, stop, most):
        n_samples = min(most, stop - first)
        lanes = range(np.uint64(n_samples * grad_x.shape[2]))
        for k in range(n_buckets):
            gather(grad_state, first, n_samples, k, memory, k)
        for t in range(grad_x.shape[1] - 1, -1, -1):
            gather(grad_spikes, first, n_samples, t, memory, n_buckets)
            gather(flags, first, n_samples, t, bits, 0)
            for j in lanes:
                is_open = memory.dtype.type(bits[top, j] & np.uint8(1))
                memory[dy, j] = is_open * (memory[dy, j] + memory[top, j])
            advance(memory, target, others, weights, n_samples * grad_x.shape[2])
            for j in lanes:
                memory[dy, j] *= memory.dtype.type(bits[top, j] >> np.uint8(1))
            scatter(memory, n_buckets, first, n_samples, t, grad_x)
        for k in range(n_buckets):
            scatter(memory, k, first, n_samples, k, grad_state)
