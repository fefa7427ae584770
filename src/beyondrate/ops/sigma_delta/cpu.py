"""The adaptive sigma-delta encoder in numba: vectors of units walk through time, as in the gamma memory."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.gamma.cpu import Chain, add_to, advance, flush, rows_of_lanes
from beyondrate.ops.kernel import kernel
from beyondrate.ops.lanes import load, load_bytes, store, where, width, zeros


@kernel
def encode(
    x: np.ndarray,
    chain: Chain,
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

    The chain makes M m of the buckets and p = qᵀ M m in the row below them. Bit 0 of a flag says that the
    gate is open, bit 1 that x > 0.
    """
    zero, one = x.dtype.type(0), x.dtype.type(1)
    two = one + one
    n_units, n_lanes, n_buckets = x.shape[2], width(x), state.shape[1]
    memory = rows_of_lanes(n_buckets + 1, x)
    for n in range(start, stop):
        for j in range(0, n_units, n_lanes):
            left = n_units - j
            for k in range(n_buckets):
                store(memory, (k, 0), n_lanes, load(state, (n, k, j), left))
            for t in range(x.shape[1]):
                advance(memory, chain)
                flush(memory, t)
                value, p = load(x, (n, t, j), left), load(memory, (n_buckets, 0), n_lanes)
                threshold = theta0 + adaptation * p
                z = where(value < zero, zero, value) - p
                quanta = np.floor((z - rho * threshold) / threshold) + one
                quanta = where(quanta < zero, zero, quanta)
                height = where(quanta > most_quanta, most_quanta, quanta) * threshold
                add_to(memory, 0, height)
                store(spikes, (n, t, j), left, height)
                is_open = where(z > (rho - one) * threshold, one, zero) if gated else zeros(x) + one
                store(flags, (n, t, j), left, is_open + where(value > zero, two, zero))
            for k in range(n_buckets):
                store(state, (n, k, j), left, load(memory, (k, 0), n_lanes))


@kernel
def encode_backward(
    grad_spikes: np.ndarray,
    flags: np.ndarray,
    chain: Chain,
    grad_state: np.ndarray,
    grad_x: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Walk back through time for samples start..stop.

    With G = ∂L/∂h and μ the gradient of the buckets:  du(t) = G(t) + μ_1(t),  dy(t) = g(t) du(t),
    μ(t-1) = Mᵀ μ(t) - Mᵀ q dy(t), which the chain does with dy in the row below the buckets. ``grad_state``
    comes with the gradient of the last buckets and leaves with that of the first ones.
    """
    zero, one = grad_x.dtype.type(0), grad_x.dtype.type(1)
    two = one + one
    n_units, n_lanes, n_buckets = grad_x.shape[2], width(grad_x), grad_state.shape[1]
    memory = rows_of_lanes(n_buckets + 1, grad_x)
    for n in range(start, stop):
        for j in range(0, n_units, n_lanes):
            left = n_units - j
            for k in range(n_buckets):
                store(memory, (k, 0), n_lanes, load(grad_state, (n, k, j), left))
            for t in range(grad_x.shape[1] - 1, -1, -1):
                flag = load_bytes(flags, (n, t, j), left, grad_x)
                is_open = where(flag >= two, flag - two, flag)
                dy = is_open * (load(grad_spikes, (n, t, j), left) + load(memory, (0, 0), n_lanes))
                store(memory, (n_buckets, 0), n_lanes, dy)
                advance(memory, chain)
                flush(memory, t)
                store(grad_x, (n, t, j), left, where(flag >= two, one, zero) * dy)
            for k in range(n_buckets):
                store(grad_state, (n, k, j), left, load(memory, (k, 0), n_lanes))
