"""Leaky integrate-and-fire units in numba: a vector of units walks through time in registers.

Numbers so small that processors are slow at them become 0. What is not a number stays so.
"""

from __future__ import annotations

import numpy as np

from beyondrate.ops.kernel import kernel, part_of_kernels
from beyondrate.ops.lanes import Lanes, flushed, load, reciprocal, store, where, width
from beyondrate.ops.lif.surrogate import SURROGATES

_SUPERSPIKE, _ATAN, _TRIANGLE, _SIGMOID = (
    SURROGATES.index(name) for name in ("superspike", "atan", "triangle", "sigmoid")
)


@kernel
def lif_forward(
    current: np.ndarray,
    decay: np.ndarray,
    current_decay: np.ndarray,
    hard: float,
    spikes: np.ndarray,
    membrane: np.ndarray,
    state_v: np.ndarray,
    state_u: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill ``spikes`` and ``membrane`` (before reset) and advance the states, for samples start..stop.

    ``hard`` is 1 or 0; without current decays currents are not filtered.
    """
    zero, one = current.dtype.type(0), current.dtype.type(1)
    n_steps, n_units = current.shape[1:]
    filtered = len(current_decay) > 0
    for n in range(start, stop):
        for j in range(0, n_units, width(current)):
            left = n_units - j
            b, after = load(decay, j, left), load(state_v, (n, j), left)
            a, u = (load(current_decay, j, left), load(state_u, (n, j), left)) if filtered else (b, after)
            for t in range(n_steps):
                inflow = load(current, (n, t, j), left)
                if filtered:
                    u = flushed(a * u + inflow)
                    inflow = u
                v = flushed(b * after + inflow)
                store(membrane, (n, t, j), left, v)
                store(spikes, (n, t, j), left, where(v >= one, one, zero))
                after = after_reset(v, one, hard)
            store(state_v, (n, j), left, after)
            if filtered:
                store(state_u, (n, j), left, u)


@kernel
def lif_backward(
    grad_spikes: np.ndarray,
    membrane: np.ndarray,
    decay: np.ndarray,
    current_decay: np.ndarray,
    state_v: np.ndarray,
    state_u: np.ndarray,
    hard: float,
    through_reset: float,
    surrogate: int,
    slope: float,
    grad_current: np.ndarray,
    grad_v: np.ndarray,
    grad_u: np.ndarray,
    grad_decay: np.ndarray,
    grad_current_decay: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Walk back through time for samples start..stop, filling ``grad_current``.

    ``state_v`` and ``state_u`` are the initial states; ``grad_v`` and ``grad_u`` come with the gradients of
    the final states and leave with those of the initial ones. The decays' gradients are per sample and unit,
    and are added to. ``hard`` and ``through_reset`` are 1 or 0.
    """
    one = membrane.dtype.type(1)
    n_steps, n_units = membrane.shape[1:]
    filtered = len(current_decay) > 0
    for n in range(start, stop if n_steps > 0 else start):
        for j in range(0, n_units, width(membrane)):
            left = n_units - j
            b, v = load(decay, j, left), load(membrane, (n, n_steps - 1, j), left)
            carried, sum_b = load(grad_v, (n, j), left), load(grad_decay, (n, j), left)
            a, carried_u, sum_a = b, carried, sum_b
            if filtered:
                a, carried_u = load(current_decay, j, left), load(grad_u, (n, j), left)
                sum_a = load(grad_current_decay, (n, j), left)
            grad = carried
            for t in range(n_steps - 1, -1, -1):
                before = load(membrane, (n, t - 1, j), left) if t > 0 else load(state_v, (n, j), left)
                after_before = after_reset(before, one, hard) if t > 0 else before
                spike_slope = _surrogate_derivative(v, one, surrogate, slope)
                kept = where(v >= one, one - hard, one)
                if through_reset == one:
                    kept -= spike_slope * (hard * v + (one - hard))
                grad_membrane = flushed(carried * kept + load(grad_spikes, (n, t, j), left) * spike_slope)
                sum_b += grad_membrane * after_before
                carried = b * grad_membrane
                if filtered:
                    if t < n_steps - 1:  # here ``grad`` is still that of the step after
                        sum_a += grad * (v - b * after_before)
                    grad = grad_membrane + carried_u
                    carried_u = flushed(a * grad)
                else:
                    grad = grad_membrane
                store(grad_current, (n, t, j), left, grad)
                v = before
            store(grad_v, (n, j), left, carried)
            store(grad_decay, (n, j), left, sum_b)
            if filtered:
                store(grad_u, (n, j), left, carried_u)
                store(grad_current_decay, (n, j), left, sum_a + grad * load(state_u, (n, j), left))


@part_of_kernels
def after_reset(v: Lanes, one: float, hard: float) -> Lanes:
    """Return the membranes after the reset of those at or above the threshold."""
    return where(v >= one, v - (hard * v + (one - hard)), v)


@part_of_kernels
def _surrogate_derivative(v: Lanes, one: float, surrogate: int, slope: float) -> Lanes:
    """Return the surrogate of d spike / d membrane."""
    distance = slope * abs(v - one)
    if surrogate == _SUPERSPIKE:
        return reciprocal((distance + one) * (distance + one))
    if surrogate == _ATAN:
        return reciprocal(distance * distance + one)
    if surrogate == _TRIANGLE:
        return where(distance >= one, one - one, one - distance)
    e = np.exp(-distance)
    return (one + one + one + one) * e / ((one + e) * (one + e))


@kernel
def leaky_forward(
    current: np.ndarray, decay: np.ndarray, membrane: np.ndarray, state: np.ndarray, start: int, stop: int
) -> None:
    """Fill ``membrane`` of units that never spike and advance the state, for samples start..stop."""
    n_steps, n_units = current.shape[1:]
    for n in range(start, stop):
        for j in range(0, n_units, width(current)):
            left = n_units - j
            b, v = load(decay, j, left), load(state, (n, j), left)
            for t in range(n_steps):
                v = flushed(b * v + load(current, (n, t, j), left))
                store(membrane, (n, t, j), left, v)
            store(state, (n, j), left, v)


@kernel
def leaky_backward(
    grad_membrane: np.ndarray,
    membrane: np.ndarray,
    decay: np.ndarray,
    state: np.ndarray,
    grad_current: np.ndarray,
    grad_state: np.ndarray,
    grad_decay: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Walk back through time; the gradients of the states and of the decay are per sample and unit."""
    n_steps, n_units = membrane.shape[1:]
    for n in range(start, stop):
        for j in range(0, n_units, width(membrane)):
            left = n_units - j
            b, carried = load(decay, j, left), load(grad_state, (n, j), left)
            sum_b = load(grad_decay, (n, j), left)
            for t in range(n_steps - 1, -1, -1):
                before = load(membrane, (n, t - 1, j), left) if t > 0 else load(state, (n, j), left)
                grad = flushed(load(grad_membrane, (n, t, j), left) + carried)
                store(grad_current, (n, t, j), left, grad)
                sum_b += grad * before
                carried = b * grad
            store(grad_state, (n, j), left, carried)
            store(grad_decay, (n, j), left, sum_b)
