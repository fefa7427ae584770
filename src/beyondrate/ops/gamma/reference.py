"""The gamma memory in plain torch, one step at a time; autograd gives every gradient, that of M too."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def gamma_step(
    memory: Float[Tensor, "batch bucket unit"],
    u: Float[Tensor, "batch unit"],
    transition: Float[Tensor, "bucket bucket"],
) -> Float[Tensor, "batch bucket unit"]:
    """Return M m + e_1 u: the buckets a time step later, with new input in the first."""
    passed_on = transition @ memory
    return torch.cat([passed_on[:, :1] + u[:, None], passed_on[:, 1:]], 1)


def gamma_scan(
    u: Float[Tensor, "batch time unit"],
    gain: Float[Tensor, "bucket unit"],
    bias: Float[Tensor, " unit"],
    transition: Float[Tensor, "bucket bucket"],
) -> Float[Tensor, "batch time unit"]:
    """Return x(t) = b + Σ_k g_k m_k(t) for buckets that start empty and are fed with u."""
    memory = u.new_zeros(u.shape[0], len(gain), u.shape[2])
    read = []
    for u_t in u.unbind(1):
        memory = gamma_step(memory, u_t, transition)
        read.append(bias + (gain * memory).sum(1))
    return torch.stack(read, 1) if read else torch.zeros_like(u)


def gamma_scan_each(
    u: Float[Tensor, "batch time bucket unit"],
    bias: Float[Tensor, " unit"],
    transition: Float[Tensor, "bucket bucket"],
) -> Float[Tensor, "batch time unit"]:
    """Return x(t) = b + Σ_k m_k^(k)(t), where u_k alone feeds the chain of which bucket k is read.

    K chains are one in the transposed form: z(t) = Mᵀ z(t-1) + u(t), x = b + z_1.
    """
    memory = u.new_zeros(u.shape[0], u.shape[2], u.shape[3])
    read = []
    for u_t in u.unbind(1):
        memory = transition.t() @ memory + u_t
        read.append(bias + memory[:, 0])
    return torch.stack(read, 1) if read else u[:, :, 0]
