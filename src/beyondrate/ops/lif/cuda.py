"""Leaky integrate-and-fire units in Triton: a lane a unit of a sample, its state in registers, time inside.

The lanes of a block are neighbours in memory, so that each step reads and writes whole lines. The backward
pass finds the spikes again from the membranes before reset, which are all that the forward pass keeps.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from beyondrate.ops.cuda import empty_like, lanes, over_units


@triton.jit
def _after_reset(v: tl.tensor, SOFT: tl.constexpr) -> tl.tensor:
    return tl.where(v >= 1, v - 1 if SOFT else 0.0, v)


@triton.jit
def _surrogate_derivative(x: tl.tensor, SURROGATE: tl.constexpr, SLOPE: tl.constexpr) -> tl.tensor:
    z = tl.abs(SLOPE * x)
    if SURROGATE == "superspike":
        derivative = 1 / ((z + 1) * (z + 1))
    elif SURROGATE == "atan":
        derivative = 1 / (z * z + 1)
    elif SURROGATE == "triangle":
        derivative = tl.where(z >= 1, 0.0, 1 - z)  # a maximum would make 0 of what is not a number
    else:
        e = tl.exp(-z)
        derivative = 4 * e / ((1 + e) * (1 + e))
    return derivative


@triton.jit
def _lif_forward(
    current: tl.tensor,
    decay: tl.tensor,
    current_decay: tl.tensor,
    state_v: tl.tensor,
    state_u: tl.tensor,
    spikes: tl.tensor,
    membrane: tl.tensor,
    end_v: tl.tensor,
    end_u: tl.tensor,
    n_lanes: tl.tensor,
    n_steps: tl.tensor,
    n_units: tl.tensor,
    FILTERED: tl.constexpr,
    SOFT: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    lane, exists, unit, at = lanes(n_lanes, n_steps, n_units, BLOCK)
    b = tl.load(decay + unit, mask=exists, other=0.0)
    after = tl.load(state_v + lane, mask=exists, other=0.0)
    a, u = tl.zeros_like(b), tl.zeros_like(b)
    if FILTERED:
        a = tl.load(current_decay + unit, mask=exists, other=0.0)
        u = tl.load(state_u + lane, mask=exists, other=0.0)
    for _ in range(n_steps):
        arriving = tl.load(current + at, mask=exists, other=0.0)
        if FILTERED:
            u = a * u + arriving
            arriving = u
        v = b * after + arriving
        after = _after_reset(v, SOFT)
        tl.store(spikes + at, (v >= 1).to(v.dtype), mask=exists)
        tl.store(membrane + at, v, mask=exists)
        at += n_units
    tl.store(end_v + lane, after, mask=exists)
    if FILTERED:
        tl.store(end_u + lane, u, mask=exists)


@triton.jit
def _lif_backward(
    grad_spikes: tl.tensor,
    grad_end_v: tl.tensor,
    grad_end_u: tl.tensor,
    membrane: tl.tensor,
    decay: tl.tensor,
    current_decay: tl.tensor,
    state_v: tl.tensor,
    state_u: tl.tensor,
    grad_current: tl.tensor,
    grad_decay: tl.tensor,
    grad_current_decay: tl.tensor,
    grad_state_v: tl.tensor,
    grad_state_u: tl.tensor,
    n_lanes: tl.tensor,
    n_steps: tl.tensor,
    n_units: tl.tensor,
    FILTERED: tl.constexpr,
    SOFT: tl.constexpr,
    THROUGH_RESET: tl.constexpr,
    SURROGATE: tl.constexpr,
    SLOPE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Walk back through time; the decays' gradients are per sample and unit."""
    lane, exists, unit, first = lanes(n_lanes, n_steps, n_units, BLOCK)
    b = tl.load(decay + unit, mask=exists, other=0.0)
    at_rest = tl.load(state_v + lane, mask=exists, other=0.0)
    grad_v = tl.load(grad_end_v + lane, mask=exists, other=0.0)
    a, grad_u = tl.zeros_like(b), tl.zeros_like(b)
    if FILTERED:
        a = tl.load(current_decay + unit, mask=exists, other=0.0)
        grad_u = tl.load(grad_end_u + lane, mask=exists, other=0.0)
    sum_b, sum_a, grad_later = tl.zeros_like(b), tl.zeros_like(b), tl.zeros_like(b)
    at = (lane - unit + n_units) * n_steps + unit - n_units
    v = tl.load(membrane + at, mask=exists & (at >= first), other=0.0)
    for _ in range(n_steps):
        has_before = exists & (at > first)
        v_before = tl.load(membrane + at - n_units, mask=has_before, other=0.0)
        before = tl.where(has_before, _after_reset(v_before, SOFT), at_rest)
        derivative = _surrogate_derivative(v - 1, SURROGATE, SLOPE)
        kept = tl.where(v < 1, 1.0, 1.0 if SOFT else 0.0).to(v.dtype)
        if THROUGH_RESET:
            kept -= derivative if SOFT else derivative * v
        grad = grad_v * kept + tl.load(grad_spikes + at, mask=exists, other=0.0) * derivative
        sum_b += grad * before
        grad_v = b * grad
        if FILTERED:
            sum_a += grad_later * (v - b * before)
            grad += grad_u
            grad_later = grad
            grad_u = a * grad
        tl.store(grad_current + at, grad, mask=exists)
        v = v_before
        at -= n_units
    tl.store(grad_decay + lane, sum_b, mask=exists)
    tl.store(grad_state_v + lane, grad_v, mask=exists)
    if FILTERED:
        sum_a += grad_later * tl.load(state_u + lane, mask=exists, other=0.0)
        tl.store(grad_current_decay + lane, sum_a, mask=exists)
        tl.store(grad_state_u + lane, grad_u, mask=exists)


@triton.jit
def _leaky_forward(
    current: tl.tensor,
    decay: tl.tensor,
    state: tl.tensor,
    membrane: tl.tensor,
    n_lanes: tl.tensor,
    n_steps: tl.tensor,
    n_units: tl.tensor,
    BLOCK: tl.constexpr,
) -> None:
    lane, exists, unit, at = lanes(n_lanes, n_steps, n_units, BLOCK)
    b = tl.load(decay + unit, mask=exists, other=0.0)
    v = tl.load(state + lane, mask=exists, other=0.0)
    for _ in range(n_steps):
        v = b * v + tl.load(current + at, mask=exists, other=0.0)
        tl.store(membrane + at, v, mask=exists)
        at += n_units


@triton.jit
def _leaky_backward(
    grad_membrane: tl.tensor,
    membrane: tl.tensor,
    decay: tl.tensor,
    state: tl.tensor,
    grad_current: tl.tensor,
    grad_decay: tl.tensor,
    grad_state: tl.tensor,
    n_lanes: tl.tensor,
    n_steps: tl.tensor,
    n_units: tl.tensor,
    BLOCK: tl.constexpr,
) -> None:
    """Walk back through time; the decay's gradient is per sample and unit."""
    lane, exists, unit, first = lanes(n_lanes, n_steps, n_units, BLOCK)
    b = tl.load(decay + unit, mask=exists, other=0.0)
    at_rest = tl.load(state + lane, mask=exists, other=0.0)
    grad_v, sum_b = tl.zeros_like(b), tl.zeros_like(b)
    at = (lane - unit + n_units) * n_steps + unit - n_units
    for _ in range(n_steps):
        has_before = exists & (at > first)
        v_before = tl.load(membrane + at - n_units, mask=has_before, other=0.0)
        grad = grad_v + tl.load(grad_membrane + at, mask=exists, other=0.0)
        sum_b += grad * tl.where(has_before, v_before, at_rest)
        grad_v = b * grad
        tl.store(grad_current + at, grad, mask=exists)
        at -= n_units
    tl.store(grad_decay + lane, sum_b, mask=exists)
    tl.store(grad_state + lane, grad_v, mask=exists)


def lif(
    current: Tensor,
    decay: Tensor,
    current_decay: Tensor,
    state_v: Tensor,
    state_u: Tensor,
    soft: bool,
    through_reset: bool,
    surrogate: str,
    slope: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the spikes, the final states, and the membranes before reset."""
    spikes, end_v, end_u, membrane = empty_like(current, state_v, state_u, current)
    given = current, decay, current_decay, state_v, state_u
    filled = spikes, membrane, end_v, end_u
    over_units(_lif_forward, current.shape, given, filled, FILTERED=len(current_decay) > 0, SOFT=soft)
    return spikes, end_v, end_u, membrane


def lif_backward(
    grad_spikes: Tensor,
    grad_v: Tensor,
    grad_u: Tensor,
    membrane: Tensor,
    decay: Tensor,
    current_decay: Tensor,
    state_v: Tensor,
    state_u: Tensor,
    soft: bool,
    through_reset: bool,
    surrogate: str,
    slope: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of the current, the decays and the initial states."""
    given = grad_spikes, grad_v, grad_u, membrane, decay, current_decay, state_v, state_u
    filled = empty_like(membrane, state_v, state_u, state_v, state_u)
    over_units(
        _lif_backward,
        membrane.shape,
        given,
        filled,
        FILTERED=len(current_decay) > 0,
        SOFT=soft,
        THROUGH_RESET=through_reset,
        SURROGATE=surrogate,
        SLOPE=slope,
    )
    grad_current, grad_decay, grad_current_decay, begin_v, begin_u = filled
    return grad_current, grad_decay.sum(0), grad_current_decay.sum(0), begin_v, begin_u


def leaky_integrate(current: Tensor, decay: Tensor, state: Tensor) -> Tensor:
    """Return the membranes of units that leak and integrate but never spike."""
    (membrane,) = empty_like(current)
    over_units(_leaky_forward, current.shape, (current, decay, state), (membrane,))
    return membrane


def leaky_integrate_backward(
    grad_membrane: Tensor, membrane: Tensor, decay: Tensor, state: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of the current, the decay and the initial state."""
    grad_current, grad_decay, grad_state = filled = empty_like(membrane, state, state)
    over_units(_leaky_backward, membrane.shape, (grad_membrane, membrane, decay, state), filled)
    return grad_current, grad_decay.sum(0), grad_state
