"""Leaky integrate-and-fire units in plain torch, one step at a time."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from beyondrate.ops.lif.parameters import LIFParams, LIFState
from beyondrate.ops.lif.surrogate import Surrogate, surrogate_derivative


class _Spike(torch.autograd.Function):
    """Heaviside step forward, surrogate derivative backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, surrogate: Surrogate, slope: float) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x)
        ctx.surrogate, ctx.slope = surrogate, slope
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        (x,) = ctx.saved_tensors
        return grad * surrogate_derivative(x, ctx.surrogate, ctx.slope), None, None


def lif_step(
    current: Float[Tensor, "batch unit"], params: LIFParams, state: LIFState
) -> tuple[Float[Tensor, "batch unit"], LIFState]:
    """Advance by one time step: filter the current, leak, integrate, spike, reset."""
    filtered = None
    if params.current_decay is not None and state.current is not None:
        current = filtered = params.current_decay * state.current + current
    membrane = params.decay * state.membrane + current
    spikes = _Spike.apply(membrane - 1, params.surrogate, params.slope)
    reset_by = spikes.detach() if params.detach_reset else spikes
    after = membrane * (1 - reset_by) if params.reset == "hard" else membrane - reset_by
    return spikes, LIFState(after, filtered)


def lif(
    current: Float[Tensor, "batch time unit"], params: LIFParams, state: LIFState
) -> tuple[Float[Tensor, "batch time unit"], LIFState]:
    """Run the steps of a sequence."""
    spikes = []
    for current_t in current.unbind(1):
        spikes_t, state = lif_step(current_t, params, state)
        spikes.append(spikes_t)
    return torch.stack(spikes, 1) if spikes else torch.zeros_like(current), state


def leaky_integrate(
    current: Float[Tensor, "batch time unit"],
    decay: Float[Tensor, "*unit"],
    state: Float[Tensor, "batch unit"],
) -> Float[Tensor, "batch time unit"]:
    """Return the membranes of units that leak and integrate but never spike."""
    membranes = []
    for current_t in current.unbind(1):
        state = decay * state + current_t
        membranes.append(state)
    return torch.stack(membranes, 1) if membranes else torch.zeros_like(current)
