"""Adaptive sigma-delta coding: a unit keeps an estimate of its value in the buckets that its spikes feed.

    p = qᵀ M m(t-1),   z = max(x, 0) - p,   θ = θ0 + mf p
    h = nθ,  n = floor((z - ρθ)/θ) + 1 if z >= ρθ else 0  (at most n_max)
    m(t) = M m(t-1) + e_1 h(t)

The next layer reads the same buckets, so that nothing is decoded. After Bohte (2012) and Koopman, Otte &
Bohté (2026); the spike of n quanta and ρ are ours. The gradient is ours too: that of the spike-free closed
loop u = g (y - p) in the place of h, which no threshold interrupts. With g = 1 it is the rule "full"; with
the gate g = 1[z > -(1 - ρ)θ], the rule "gated", it vanishes where the estimate is above the value and the
unit silent, and is exact in the limit of small θ.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from beyondrate.errors import InputError
from beyondrate.ops.backend import Backend
from beyondrate.ops.gamma import choose_gamma_backend, gamma_scan
from beyondrate.ops.sigma_delta import custom, reference
from beyondrate.ops.sigma_delta.parameters import CODES, Code, SigmaDeltaParams
from beyondrate.ops.sigma_delta.reference import trace_step

__all__ = [
    "CODES",
    "Code",
    "SigmaDeltaParams",
    "estimate",
    "quanta",
    "sigma_delta",
    "sigma_delta_step",
    "spatial_ratio",
    "trace_step",
]


def sigma_delta(
    x: Float[Tensor, "batch time unit"],
    transition: Float[Tensor, "bucket bucket"],
    params: SigmaDeltaParams,
    memory: Float[Tensor, "batch bucket unit"] | None = None,
    *,
    gated: bool = True,
    backend: Backend | None = None,
) -> tuple[Float[Tensor, "batch time unit"], Float[Tensor, "batch bucket unit"]]:
    """Return the spike heights that code max(x, 0), and the buckets after the sequence.

    Gradients flow to ``x`` and to the buckets before the sequence (``memory``; None: empty); one for
    ``transition`` needs the reference, which is then the default.

    Args:
        x: what to code.
        transition: M of the memory that the spikes feed.
        params: threshold, its adaptation and what the estimate is.
        memory: the buckets before the sequence.
        gated: take the gradient of the rule "gated", else of "full".
        backend: "reference", "cpu", "cuda", or None for the fastest that takes ``x``.

    Raises:
        InputError: if the memory does not fit, or the kernels are asked for a gradient of the transition.

    Example:
        >>> from beyondrate.ops.gamma import time_constants, transition
        >>> chain = transition(time_constants(8, 0.005), 0.001)
        >>> h, memory = sigma_delta(torch.full((1, 4, 1), 0.35), chain, SigmaDeltaParams(mf=0.0))
        >>> h.flatten().tolist(), memory.sum().item()  # doctest: +ELLIPSIS
        ([0.3000..., 0.0, 0.0, 0.0], 0.3000...)
    """
    memory = _memory_before(x, transition, memory)
    if choose_gamma_backend("sigma_delta", x, transition, backend) == "reference":
        return reference.sigma_delta(x, memory, transition.to(x.dtype), params, gated)
    spikes, end, _ = custom.sigma_delta(
        x,
        memory,
        transition,
        params.code == "sum",
        params.theta0,
        params.adaptation,
        params.rho,
        params.most_quanta,
        gated,
    )
    return spikes, end


def sigma_delta_step(
    x: Float[Tensor, "batch unit"],
    transition: Float[Tensor, "bucket bucket"],
    params: SigmaDeltaParams,
    memory: Float[Tensor, "batch bucket unit"] | None = None,
    *,
    gated: bool = True,
) -> tuple[Float[Tensor, "batch unit"], Float[Tensor, "batch bucket unit"]]:
    """Advance by one time step: the mathematics of ``sigma_delta`` for a caller that holds the buckets."""
    memory = _memory_before(x, transition, memory)
    return reference.sigma_delta_step(x, memory, transition.to(x.dtype), params, gated)


def spatial_ratio(tau_s: Float[Tensor, " bucket"], params: SigmaDeltaParams) -> Float64[Tensor, " bucket"]:
    """Return c_k = τ_k / Σ_j q_j τ_j, the rule "spatial": how a bucket follows a slow value.

    The paper lets the error bypass the spikes; that the ratio for slow signals is what passes is ours.
    """
    tau = tau_s.double()
    return tau / (tau.sum() if params.code == "sum" else tau[0])


def estimate(
    spikes: Float[Tensor, "batch time unit"],
    transition: Float[Tensor, "bucket bucket"],
    params: SigmaDeltaParams,
) -> Float[Tensor, "batch time unit"]:
    """Return ŷ(t), what spikes from rest say the values are."""
    read = torch.ones_like(transition[0]) if params.code == "sum" else torch.eye(1, len(transition))[0]
    gain = read.to(spikes)[:, None].expand(-1, spikes.shape[2])
    return gamma_scan(spikes, gain, transition)


def quanta(
    spikes: Float[Tensor, "batch time unit"],
    transition: Float[Tensor, "bucket bucket"],
    params: SigmaDeltaParams,
) -> Float[Tensor, "batch time unit"]:
    """Return how many quanta θ each spike is worth, for spikes from rest: the count of binary spikes."""
    before = estimate(spikes, transition, params) - spikes
    return torch.round(spikes / (params.theta0 + params.adaptation * before))


def _memory_before(
    x: Float[Tensor, "batch *time unit"],
    transition: Float[Tensor, "bucket bucket"],
    memory: Float[Tensor, "batch bucket unit"] | None,
) -> Float[Tensor, "batch bucket unit"]:
    expected = x.shape[0], len(transition), x.shape[-1]
    if memory is None:
        return x.new_zeros(expected)
    if tuple(memory.shape) != expected:
        raise InputError(
            f"the memory has shape {tuple(memory.shape)}", remedy=f"give shape {expected}, or no memory"
        )
    return memory
