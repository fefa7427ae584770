"""The gamma memory in Triton: a lane a unit of a sample, its buckets in registers, time inside.

The buckets of a block of lanes are a tile (bucket, lane), filled up with silent buckets to a power of two. A
block is one warp, so that a lane's buckets are all in one thread.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from beyondrate.ops.cuda import empty_like, lanes, over_units


@triton.jit
def load_transition(transition: tl.tensor, n_buckets: tl.tensor, BUCKETS: tl.constexpr) -> tl.tensor:
    """Return the tile (bucket, bucket) of a matrix."""
    row, column = tl.arange(0, BUCKETS)[:, None], tl.arange(0, BUCKETS)[None, :]
    exists = (row < n_buckets) & (column < n_buckets)
    return tl.load(transition + row * n_buckets + column, mask=exists, other=0.0)


@triton.jit
def advanced(transition: tl.tensor, memory: tl.tensor) -> tl.tensor:
    """Return ``transition @ memory`` to the last bits of the type, which ``tl.dot`` need not."""
    return tl.sum(transition[:, :, None] * memory[None, :, :], axis=1)


@triton.jit
def in_first_bucket(values: tl.tensor, BUCKETS: tl.constexpr) -> tl.tensor:
    """Return the tile (bucket, lane) with the values in the first bucket and nothing in the others."""
    return tl.where(tl.arange(0, BUCKETS)[:, None] == 0, values[None, :], 0.0)


@triton.jit
def first_bucket(memory: tl.tensor, BUCKETS: tl.constexpr) -> tl.tensor:
    """Return what is in the first bucket of each lane."""
    return tl.sum(tl.where(tl.arange(0, BUCKETS)[:, None] == 0, memory, 0.0), axis=0)


@triton.jit
def _scan_forward(
    u: tl.tensor,
    gain: tl.tensor,
    bias: tl.tensor,
    transition: tl.tensor,
    x: tl.tensor,
    n_lanes: tl.tensor,
    n_steps: tl.tensor,
    n_units: tl.tensor,
    n_buckets: tl.tensor,
    BUCKETS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Fill x(t) = b + Σ_k g_k m_k(t), m(t) = M m(t-1) + e_1 u(t)."""
    _, exists, unit, at = lanes(n_lanes, n_steps, n_units, BLOCK)
    bucket = tl.arange(0, BUCKETS)[:, None]
    inside = (bucket < n_buckets) & exists[None, :]
    gains = tl.load(gain + bucket * n_units + unit[None, :], mask=inside, other=0.0)
    offset = tl.load(bias + unit, mask=exists, other=0.0)
    matrix = load_transition(transition, n_buckets, BUCKETS)
    memory = tl.zeros_like(gains)
    for _ in range(n_steps):
        arriving = tl.load(u + at, mask=exists, other=0.0)
        memory = advanced(matrix, memory) + in_first_bucket(arriving, BUCKETS)
        tl.store(x + at, offset + tl.sum(gains * memory, axis=0), mask=exists)
        at += n_units


@triton.jit
def _scan_backward(
    grad_x: tl.tensor,
    u: tl.tensor,
    gain: tl.tensor,
    transition: tl.tensor,
    grad_u: tl.tensor,
    grad_gain: tl.tensor,
    n_lanes: tl.tensor,
    n_steps: tl.tensor,
    n_units: tl.tensor,
    n_buckets: tl.tensor,
    BUCKETS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Walk back through time with r(t) = M r(t+1) + e_1 δ(t):  du = Σ_k g_k r_k  and  dg_k = Σ_t r_k u.

    The gradient of the gain is per sample.
    """
    lane, exists, unit, _ = lanes(n_lanes, n_steps, n_units, BLOCK)
    bucket = tl.arange(0, BUCKETS)[:, None]
    inside = (bucket < n_buckets) & exists[None, :]
    gains = tl.load(gain + bucket * n_units + unit[None, :], mask=inside, other=0.0)
    matrix = load_transition(transition, n_buckets, BUCKETS)
    memory, total = tl.zeros_like(gains), tl.zeros_like(gains)
    at = (lane - unit + n_units) * n_steps + unit - n_units
    for _ in range(n_steps):
        arriving = tl.load(grad_x + at, mask=exists, other=0.0)
        memory = advanced(matrix, memory) + in_first_bucket(arriving, BUCKETS)
        total += memory * tl.load(u + at, mask=exists, other=0.0)[None, :]
        tl.store(grad_u + at, tl.sum(gains * memory, axis=0), mask=exists)
        at -= n_units
    place = ((lane - unit) * n_buckets + unit)[None, :] + bucket * n_units
    tl.store(grad_gain + place, total, mask=inside)


@triton.jit
def _scan_each_forward(
    u: tl.tensor,
    bias: tl.tensor,
    transposed: tl.tensor,
    x: tl.tensor,
    n_lanes: tl.tensor,
    n_steps: tl.tensor,
    n_units: tl.tensor,
    n_buckets: tl.tensor,
    BUCKETS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Fill x(t) = b + z_1(t), z(t) = Mᵀ z(t-1) + u(t), for u (batch, time, bucket, unit)."""
    lane, exists, unit, at = lanes(n_lanes, n_steps, n_units, BLOCK)
    bucket = tl.arange(0, BUCKETS)[:, None]
    inside = (bucket < n_buckets) & exists[None, :]
    source = ((lane - unit) * n_steps * n_buckets + unit)[None, :] + bucket * n_units
    offset = tl.load(bias + unit, mask=exists, other=0.0)
    matrix = load_transition(transposed, n_buckets, BUCKETS)
    memory = tl.zeros([BUCKETS, BLOCK], dtype=offset.dtype)
    for _ in range(n_steps):
        memory = advanced(matrix, memory) + tl.load(u + source, mask=inside, other=0.0)
        tl.store(x + at, offset + first_bucket(memory, BUCKETS), mask=exists)
        source += n_buckets * n_units
        at += n_units


@triton.jit
def _scan_each_backward(
    grad_x: tl.tensor,
    transition: tl.tensor,
    grad_u: tl.tensor,
    n_lanes: tl.tensor,
    n_steps: tl.tensor,
    n_units: tl.tensor,
    n_buckets: tl.tensor,
    BUCKETS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Fill du_k(t) = r_k(t), r(t) = M r(t+1) + e_1 δ(t)."""
    lane, exists, unit, _ = lanes(n_lanes, n_steps, n_units, BLOCK)
    bucket = tl.arange(0, BUCKETS)[:, None]
    inside = (bucket < n_buckets) & exists[None, :]
    matrix = load_transition(transition, n_buckets, BUCKETS)
    memory = tl.zeros([BUCKETS, BLOCK], dtype=matrix.dtype)
    last = (lane - unit + n_units) * n_steps - n_units
    at = last + unit
    place = (last * n_buckets + unit)[None, :] + bucket * n_units
    for _ in range(n_steps):
        arriving = tl.load(grad_x + at, mask=exists, other=0.0)
        memory = advanced(matrix, memory) + in_first_bucket(arriving, BUCKETS)
        tl.store(grad_u + place, memory, mask=inside)
        place -= n_buckets * n_units
        at -= n_units


def gamma_scan(u: Tensor, gain: Tensor, bias: Tensor, transition: Tensor) -> Tensor:
    """Return (batch, time, unit): the buckets that ``u`` feeds, read with the gains (bucket, unit)."""
    (x,) = empty_like(u)
    over_buckets(_scan_forward, u.shape, len(gain), (u, gain, bias, transition.to(u)), (x,))
    return x


def gamma_scan_backward(
    grad_x: Tensor, u: Tensor, gain: Tensor, transition: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of ``u``, the gain and the bias."""
    (grad_u,), grad_gain = empty_like(u), u.new_empty(len(u), *gain.shape)
    given = grad_x, u, gain, transition.to(u)
    over_buckets(_scan_backward, u.shape, len(gain), given, (grad_u, grad_gain))
    return grad_u, grad_gain.sum(0), grad_x.sum((0, 1))


def gamma_scan_each(u: Tensor, bias: Tensor, transition: Tensor) -> Tensor:
    """Return (batch, time, unit): bucket k of what ``u`` (batch, time, bucket, unit) feeds it, summed."""
    n_samples, n_steps, n_buckets, n_units = u.shape
    x = u.new_empty(n_samples, n_steps, n_units)
    over_buckets(_scan_each_forward, x.shape, n_buckets, (u, bias, transition.t().to(u)), (x,))
    return x


def gamma_scan_each_backward(grad_x: Tensor, transition: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of ``u`` and the bias."""
    n_samples, n_steps, n_units = grad_x.shape
    n_buckets = len(transition)
    grad_u = grad_x.new_empty(n_samples, n_steps, n_buckets, n_units)
    given = grad_x, transition.to(grad_x)
    over_buckets(_scan_each_backward, grad_x.shape, n_buckets, given, (grad_u,))
    return grad_u, grad_x.sum((0, 1))


def over_buckets(
    kernel: Any,  # noqa: ANN401
    shape: tuple[int, ...],
    n_buckets: int,
    given: tuple[Tensor, ...],
    filled: tuple[Tensor, ...],
    **options: Any,  # noqa: ANN401
) -> None:
    """Run ``kernel`` with a lane for each unit of each sample, all of its buckets in one thread."""
    buckets = {"n_buckets": n_buckets, "BUCKETS": triton.next_power_of_2(n_buckets)}
    over_units(kernel, shape, given, filled, block=32, num_warps=1, **buckets, **options)
