"""The adaptive sigma-delta encoder in numba: samples outside, time inside, units vectorised."""

from __future__ import annotations

import numpy as np
from numba import njit

from beyondrate.ops.gamma.cpu import advance

_kernel = njit(cache=True, nogil=True, error_model="numpy")


@_kernel
def encode(
    x: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    use_sum: bool,
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
    """Fill the spikes and what their gradient needs, and advance the state, for samples start..stop."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    n_buckets = np.uint64(state.shape[1])
    units = range(np.uint64(x.shape[2]))
    memory = np.zeros((state.shape[1] + 1, x.shape[2]), x.dtype)
    p = np.empty(x.shape[2], x.dtype)
    for n in range(start, stop):
        memory[: state.shape[1]] = state[n]
        for t in range(x.shape[1]):
            advance(memory, target, others, weights)
            for j in units:
                p[j] = memory[0, j]
            if use_sum:
                for k in range(np.uint64(1), n_buckets):
                    for j in units:
                        p[j] += memory[k, j]
            for j in units:
                threshold = theta0 + adaptation * p[j]
                z = max(x[n, t, j], zero) - p[j]
                quanta = np.floor((z - rho * threshold) / threshold) + one
                spikes[n, t, j] = min(max(quanta, zero), most_quanta) * threshold
            for j in units:
                z = max(x[n, t, j], zero) - p[j]
                is_open = (not gated) or z > (rho - one) * (theta0 + adaptation * p[j])
                flags[n, t, j] = np.uint8(is_open) | (np.uint8(x[n, t, j] > zero) << np.uint8(1))
            for j in units:
                memory[0, j] += spikes[n, t, j]
        state[n] = memory[: state.shape[1]]


@_kernel
def encode_backward(
    grad_spikes: np.ndarray,
    flags: np.ndarray,
    target: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    use_sum: bool,
    grad_state: np.ndarray,
    grad_x: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Walk back through time for samples start..stop; the passes are Mᵀ's.

    With G = ∂L/∂h and μ the gradient of the buckets:  du(t) = G(t) + μ_1(t),  dy(t) = g(t) du(t),
    μ(t-1) = Mᵀ (μ(t) - q dy(t)). ``grad_state`` comes with the gradient of the last buckets and leaves with
    that of the first ones.
    """
    n_buckets = np.uint64(grad_state.shape[1])
    units = range(np.uint64(grad_x.shape[2]))
    memory = np.zeros((grad_state.shape[1] + 1, grad_x.shape[2]), grad_x.dtype)
    dy = np.empty(grad_x.shape[2], grad_x.dtype)
    for n in range(start, stop):
        memory[: grad_state.shape[1]] = grad_state[n]
        for t in range(grad_x.shape[1] - 1, -1, -1):
            for j in units:
                is_open = grad_x.dtype.type(flags[n, t, j] & np.uint8(1))
                dy[j] = is_open * (grad_spikes[n, t, j] + memory[0, j])
            for j in units:
                grad_x[n, t, j] = grad_x.dtype.type(flags[n, t, j] >> np.uint8(1)) * dy[j]
            for k in range(n_buckets if use_sum else np.uint64(1)):
                for j in units:
                    memory[k, j] -= dy[j]
            advance(memory, target, others, weights)
        grad_state[n] = memory[: grad_state.shape[1]]
