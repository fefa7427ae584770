"""The adaptive sigma-delta encoder in Triton: a lane a unit of a sample, as in the gamma memory."""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from beyondrate.ops.cuda import empty_like, lanes
from beyondrate.ops.gamma.cuda import advanced, first_bucket, in_first_bucket, load_transition, over_buckets
from beyondrate.ops.sigma_delta.custom import estimates


@triton.jit
def _encode(
    x: tl.tensor,
    state: tl.tensor,
    transition: tl.tensor,
    spikes: tl.tensor,
    end: tl.tensor,
    flags: tl.tensor,
    n_lanes: tl.tensor,
    n_steps: tl.tensor,
    n_units: tl.tensor,
    n_buckets: tl.tensor,
    USE_SUM: tl.constexpr,
    THETA0: tl.constexpr,
    ADAPTATION: tl.constexpr,
    RHO: tl.constexpr,
    MOST_QUANTA: tl.constexpr,
    GATED: tl.constexpr,
    BUCKETS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Fill the spikes and the last buckets. Bit 0 of a flag: the gate is open; bit 1: x > 0."""
    lane, exists, unit, at = lanes(n_lanes, n_steps, n_units, BLOCK)
    bucket = tl.arange(0, BUCKETS)[:, None]
    inside = (bucket < n_buckets) & exists[None, :]
    place = ((lane - unit) * n_buckets + unit)[None, :] + bucket * n_units
    matrix = load_transition(transition, n_buckets, BUCKETS)
    memory = tl.load(state + place, mask=inside, other=0.0)
    for _ in range(n_steps):
        memory = advanced(matrix, memory)
        p = tl.sum(memory, axis=0) if USE_SUM else first_bucket(memory, BUCKETS)
        value = tl.load(x + at, mask=exists, other=0.0)
        z = tl.where(value <= 0, 0.0, value) - p  # a maximum would make 0 of what is not a number
        threshold = THETA0 + ADAPTATION * p
        quanta = tl.floor((z - RHO * threshold) / threshold) + 1
        quanta = tl.where(quanta <= 0, 0.0, quanta)
        if MOST_QUANTA is not None:
            quanta = tl.where(quanta >= MOST_QUANTA, MOST_QUANTA, quanta)
        height = quanta * threshold
        flag = (value > 0).to(tl.uint8) * 2
        if GATED:
            flag += (z > (RHO - 1) * threshold).to(tl.uint8)
        else:
            flag += 1
        memory += in_first_bucket(height, BUCKETS)
        tl.store(spikes + at, height, mask=exists)
        tl.store(flags + at, flag.to(tl.uint8), mask=exists)
        at += n_units
    tl.store(end + place, memory, mask=inside)


@triton.jit
def _encode_backward(
    grad_spikes: tl.tensor,
    grad_end: tl.tensor,
    flags: tl.tensor,
    transposed: tl.tensor,
    estimate: tl.tensor,
    grad_x: tl.tensor,
    grad_state: tl.tensor,
    n_lanes: tl.tensor,
    n_steps: tl.tensor,
    n_units: tl.tensor,
    n_buckets: tl.tensor,
    BUCKETS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Walk back through time with G = ∂L/∂h and the gradient μ of the buckets.

    dy(t) = g(t) (G(t) + μ_1(t)),  μ(t-1) = Mᵀ μ(t) - Mᵀ q dy(t).
    """
    lane, exists, unit, _ = lanes(n_lanes, n_steps, n_units, BLOCK)
    bucket = tl.arange(0, BUCKETS)[:, None]
    inside = (bucket < n_buckets) & exists[None, :]
    place = ((lane - unit) * n_buckets + unit)[None, :] + bucket * n_units
    matrix = load_transition(transposed, n_buckets, BUCKETS)
    read = tl.load(estimate + bucket, mask=bucket < n_buckets, other=0.0)
    mu = tl.load(grad_end + place, mask=inside, other=0.0)
    at = (lane - unit + n_units) * n_steps + unit - n_units
    for _ in range(n_steps):
        flag = tl.load(flags + at, mask=exists, other=0)
        dy = tl.load(grad_spikes + at, mask=exists, other=0.0) + first_bucket(mu, BUCKETS)
        dy = tl.where((flag & 1) != 0, dy, 0.0)
        mu = advanced(matrix, mu) - read * dy[None, :]
        tl.store(grad_x + at, tl.where(flag >= 2, dy, 0.0), mask=exists)
        at -= n_units
    tl.store(grad_state + place, mu, mask=inside)


def sigma_delta(
    x: Tensor,
    state: Tensor,
    transition: Tensor,
    use_sum: bool,
    theta0: float,
    adaptation: float,
    rho: float,
    most_quanta: float,
    gated: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the spike heights, the last buckets, and what the gradient needs to know of each step."""
    spikes, end = empty_like(x, state)
    flags = torch.empty(x.shape, dtype=torch.uint8, device=x.device)
    over_buckets(
        _encode,
        x.shape,
        len(transition),
        (x, state, transition.to(x)),
        (spikes, end, flags),
        USE_SUM=use_sum,
        THETA0=theta0,
        ADAPTATION=adaptation,
        RHO=rho,
        MOST_QUANTA=most_quanta if math.isfinite(most_quanta) else None,
        GATED=gated,
    )
    return spikes, end, flags


def sigma_delta_backward(
    grad_spikes: Tensor, grad_end: Tensor, flags: Tensor, transition: Tensor, use_sum: bool
) -> tuple[Tensor, Tensor]:
    """Return the gradients of ``x`` and of the first buckets."""
    grad_x, grad_state = empty_like(grad_spikes, grad_end)
    transposed, estimate = transition.t().to(grad_x), estimates(transition, use_sum).to(grad_x)
    given = grad_spikes, grad_end, flags, transposed, estimate
    over_buckets(_encode_backward, grad_x.shape, len(transition), given, (grad_x, grad_state))
    return grad_x, grad_state
