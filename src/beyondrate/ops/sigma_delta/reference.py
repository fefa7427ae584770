"""The adaptive sigma-delta encoder in plain torch, step by step; autograd gives the spike-free gradient."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from beyondrate.ops.sigma_delta.parameters import SigmaDeltaParams


def sigma_delta_step(
    x: Float[Tensor, "batch unit"],
    memory: Float[Tensor, "batch bucket unit"],
    transition: Float[Tensor, "bucket bucket"],
    params: SigmaDeltaParams,
    gated: bool,
) -> tuple[Float[Tensor, "batch unit"], Float[Tensor, "batch bucket unit"]]:
    """Return the spike heights of one step and the buckets with them.

    The gradient is that of u = g (y - p) in place of the spike, with the gate g as it is.
    """
    passed_on = transition @ memory
    p = estimate_of(passed_on, params)
    y = torch.relu(x)
    with torch.no_grad():
        z, threshold = y - p, params.theta0 + params.adaptation * p
        quanta = torch.floor((z - params.rho * threshold) / threshold) + 1
        height = quanta.clamp(0, params.most_quanta) * threshold
        gate = (z > -(1 - params.rho) * threshold).to(x.dtype) if gated else torch.ones_like(x)
    u = gate * (y - p)
    spike = height + (u - u.detach())
    return spike, torch.cat([passed_on[:, :1] + spike[:, None], passed_on[:, 1:]], 1)


def estimate_of(
    memory: Float[Tensor, "batch bucket ..."], params: SigmaDeltaParams
) -> Float[Tensor, "batch ..."]:
    """Return what the buckets estimate: their sum, or the first of them."""
    return memory.sum(1) if params.code == "sum" else memory[:, 0]


def sigma_delta(
    x: Float[Tensor, "batch time unit"],
    memory: Float[Tensor, "batch bucket unit"],
    transition: Float[Tensor, "bucket bucket"],
    params: SigmaDeltaParams,
    gated: bool,
) -> tuple[Float[Tensor, "batch time unit"], Float[Tensor, "batch bucket unit"]]:
    """Run the steps of a sequence."""
    spikes = []
    for x_t in x.unbind(1):
        spike, memory = sigma_delta_step(x_t, memory, transition, params, gated)
        spikes.append(spike)
    return torch.stack(spikes, 1) if spikes else torch.zeros_like(x), memory


def trace_step(
    trace: Float[Tensor, "batch bucket ..."],
    dy: Float[Tensor, "batch ..."],
    transition: Float[Tensor, "bucket bucket"],
    params: SigmaDeltaParams,
) -> Float[Tensor, "batch bucket ..."]:
    """Return E(t) = (I - e_1 qᵀ) M E(t-1) + e_1 dy: how the unit's buckets change with a weight.

    ``dy`` is how its value y changes with that weight in this step.
    """
    passed_on = torch.einsum("kl,bl...->bk...", transition, trace)
    first = passed_on[:, :1] + (dy - estimate_of(passed_on, params))[:, None]
    return torch.cat([first, passed_on[:, 1:]], 1)
