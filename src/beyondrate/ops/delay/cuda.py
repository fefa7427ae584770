"""Axonal delays in Triton: a lane a number of the output forward, a lane a unit of a sample backward."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from beyondrate.ops.cuda import lanes, on_grid, over_units
from beyondrate.ops.delay.reference import whole_steps

_BLOCK = 256  # numbers of the output that one program makes


@triton.jit
def _delay_forward(
    x: tl.tensor,
    k: tl.tensor,
    fraction: tl.tensor,
    y: tl.tensor,
    n_lanes: tl.tensor,
    n_steps: tl.tensor,
    n_past: tl.tensor,
    n_units: tl.tensor,
    BLOCK: tl.constexpr,
) -> None:
    """Set y[t] = (1 - φ) x[t - k] + φ x[t - k - 1], where x begins ``n_past`` of its ``n_steps`` before y."""
    lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    exists = lane < n_lanes
    unit = lane % n_units
    sample, step = lane // n_units // (n_steps - n_past), lane // n_units % (n_steps - n_past)
    source = step + n_past - tl.load(k + unit, mask=exists, other=0)
    place = (sample * n_steps + source) * n_units + unit
    late = tl.load(x + place, mask=exists & (source >= 0), other=0.0)
    later = tl.load(x + place - n_units, mask=exists & (source >= 1), other=0.0)
    part = tl.load(fraction + unit, mask=exists, other=0.0)
    tl.store(y + lane, (1 - part) * late + part * later, mask=exists)


@triton.jit
def _delay_backward(
    grad_y: tl.tensor,
    x: tl.tensor,
    k: tl.tensor,
    fraction: tl.tensor,
    grad_x: tl.tensor,
    grad_delay: tl.tensor,
    n_lanes: tl.tensor,
    n_steps: tl.tensor,
    n_past: tl.tensor,
    n_units: tl.tensor,
    CENTRAL: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Walk through time: what x[s] gave arrives k steps later. The delays' gradients are per sample."""
    lane, exists, unit, source = lanes(n_lanes, n_steps, n_units, BLOCK)
    part = tl.load(fraction + unit, mask=exists, other=0.0)
    total = tl.zeros_like(part)
    n_arriving = n_steps - n_past
    arrival = tl.load(k + unit, mask=exists, other=0) - n_past
    place = (lane - unit) * n_arriving + arrival * n_units + unit
    for _ in range(n_steps):
        now = tl.load(grad_y + place, mask=exists & (arrival >= 0) & (arrival < n_arriving), other=0.0)
        is_later = exists & (arrival >= -1) & (arrival < n_arriving - 1)
        later = tl.load(grad_y + place + n_units, mask=is_later, other=0.0)
        tl.store(grad_x + source, (1 - part) * now + part * later, mask=exists)
        if CENTRAL:
            is_earlier = exists & (arrival >= 1) & (arrival < n_arriving + 1)
            earlier = tl.load(grad_y + place - n_units, mask=is_earlier, other=0.0)
            slope = (later - earlier) / 2
        else:
            slope = later - now
        total += tl.load(x + source, mask=exists, other=0.0) * slope
        arrival += 1
        source += n_units
        place += n_units
    tl.store(grad_delay + lane, total, mask=exists)


def delay(x: Tensor, delays: Tensor, mode: str, n_past: int) -> Tensor:
    """Return (batch, time, unit): ``x`` without its first ``n_past`` steps, each unit delayed."""
    n_samples, n_steps, n_units = x.shape
    y = x.new_empty(n_samples, n_steps - n_past, n_units)
    sizes = {"n_lanes": y.numel(), "n_steps": n_steps, "n_past": n_past, "n_units": n_units}
    n_programs = -(-y.numel() // _BLOCK)
    on_grid(_delay_forward, (n_programs,), (x, *_split(delays, mode, x)), (y,), **sizes, BLOCK=_BLOCK)
    return y


def delay_backward(
    grad_y: Tensor, x: Tensor, delays: Tensor, mode: str, n_past: int
) -> tuple[Tensor, Tensor]:
    """Return the gradients of ``x`` and of the delays."""
    grad_x, grad_delay = x.new_empty(x.shape), x.new_empty(x.shape[0], x.shape[2])
    given, filled = (grad_y, x, *_split(delays, mode, x)), (grad_x, grad_delay)
    over_units(_delay_backward, x.shape, given, filled, n_past=n_past, CENTRAL=mode == "central")
    return grad_x, grad_delay.sum(0).to(delays.dtype)


def _split(delays: Tensor, mode: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return whole steps, cut where they silence all, and what is left of a step."""
    k = whole_steps(delays, mode)
    fraction = delays - k if mode == "linear" else torch.zeros_like(delays)
    return k.clamp(max=x.shape[1] + 1), fraction.to(x.dtype)
