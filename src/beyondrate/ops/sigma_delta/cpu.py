"""The adaptive sigma-delta encoder in numba: blocks of samples side by side, as in the gamma memory."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.gamma.cpu import advance, aligned_zeros, gather, kernel, samples_in_block, scatter


@kernel
def encode(
    x: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
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
    zero, one = x.dtype.type(0), x.dtype.type(1)
    n_buckets, n_units = state.shape[1], x.shape[2]
    most = samples_in_block(n_units)
    memory, rows = aligned_zeros(n_buckets + 2, most * n_units, x), aligned_zeros(2, most * n_units, x)
    p, value, height = memory[n_buckets], rows[0], rows[1]
    bits = np.empty(most * n_units, flags.dtype)
    for first in range(start, stop, most):
        n_samples = min(most, stop - first)
        lanes = range(np.uint64(n_samples * n_units))
        memory[:] = 0
        for s in range(n_samples):
            memory[:n_buckets, s * n_units : (s + 1) * n_units] = state[first + s]
        for t in range(x.shape[1]):
            advance(memory, target, others, weights, n_samples * n_units)
            gather(x, first, n_samples, t, value)
            for j in lanes:
                threshold = theta0 + adaptation * p[j]
                z = max(value[j], zero) - p[j]
                quanta = np.floor((z - rho * threshold) / threshold) + one
                height[j] = min(max(quanta, zero), most_quanta) * threshold
            for j in lanes:
                z = max(value[j], zero) - p[j]
                is_open = (not gated) or z > (rho - one) * (theta0 + adaptation * p[j])
                bits[j] = np.uint8(is_open) | (np.uint8(value[j] > zero) << np.uint8(1))
            for j in lanes:
                memory[0, j] += height[j]
            scatter(height, first, n_samples, t, spikes)
            scatter(bits, first, n_samples, t, flags)
        for s in range(n_samples):
            state[first + s] = memory[:n_buckets, s * n_units : (s + 1) * n_units]


@kernel
def encode_backward(
    grad_spikes: np.ndarray,
    flags: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
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
    n_buckets, n_units = grad_state.shape[1], grad_x.shape[2]
    most = samples_in_block(n_units)
    memory = aligned_zeros(n_buckets + 2, most * n_units, grad_x)
    dy, bits = memory[n_buckets], np.empty(most * n_units, flags.dtype)
    for first in range(start, stop, most):
        n_samples = min(most, stop - first)
        lanes = range(np.uint64(n_samples * n_units))
        for s in range(n_samples):
            memory[:n_buckets, s * n_units : (s + 1) * n_units] = grad_state[first + s]
        for t in range(grad_x.shape[1] - 1, -1, -1):
            gather(grad_spikes, first, n_samples, t, dy)
            gather(flags, first, n_samples, t, bits)
            for j in lanes:
                dy[j] = memory.dtype.type(bits[j] & np.uint8(1)) * (dy[j] + memory[0, j])
            advance(memory, target, others, weights, n_samples * n_units)
            for j in lanes:
                dy[j] *= memory.dtype.type(bits[j] >> np.uint8(1))
            scatter(dy, first, n_samples, t, grad_x)
        for s in range(n_samples):
            grad_state[first + s] = memory[:n_buckets, s * n_units : (s + 1) * n_units]
