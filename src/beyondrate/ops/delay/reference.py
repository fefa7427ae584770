"""Axonal delays in plain torch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def delay(
    x: Float[Tensor, "batch past_and_time unit"], delays: Float[Tensor, " unit"], mode: str, n_past: int
) -> Float[Tensor, "batch time unit"]:
    """Delay each unit's sequence; the first ``n_past`` steps of ``x`` are input only."""
    k = whole_steps(delays, mode)
    if mode == "linear":
        fraction = delays - k
        return (1 - fraction) * _shifted(x, k, n_past) + fraction * _shifted(x, k + 1, n_past)
    if mode == "floor":
        slope = _shifted(x, k + 1, n_past) - _shifted(x, k, n_past)
    else:
        slope = (_shifted(x, k + 1, n_past) - _shifted(x, k - 1, n_past)) / 2
    return _shifted(x, k, n_past) + (delays - delays.detach()) * slope.detach()


def whole_steps(delays: Float[Tensor, " unit"], mode: str) -> Int64[Tensor, " unit"]:
    """Return the whole steps k of each delay: rounded in mode "central", else rounded down."""
    return torch.floor(delays.detach() + (0.5 if mode == "central" else 0.0)).long()


def _shifted(
    x: Float[Tensor, "batch past_and_time unit"], k: Int64[Tensor, " unit"], n_past: int
) -> Float[Tensor, "batch time unit"]:
    """Return x[t - k], 0 outside of the sequence."""
    n_steps = x.shape[1]
    source = torch.arange(n_past, n_steps, device=x.device)[:, None] - k
    inside = (source >= 0) & (source < n_steps)
    unit = torch.arange(x.shape[2], device=x.device)
    return x[:, source.clamp(0, max(n_steps - 1, 0)), unit] * inside
