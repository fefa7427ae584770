"""The gamma memory's constants: time constants in seconds, the transition of one time step, scales.

A spike of height h adds h to bucket 1, and what leaves bucket k - 1 enters bucket k:

    dm_1/dt = -m_1/τ_1 + Σ_s h_s δ(t - t_s),    dm_k/dt = m_{k-1}/τ_{k-1} - m_k/τ_k

after de Vries & Principe (1992) and Koopman, Otte & Bohté (2026), whose rates l_k a step become physical time
constants here: l_k^F a step is exp(-dt/τ_k) with τ_k = -T / ln l_k and T = dt/F. That, the exact transition
expm(A dt) and the scales are ours; mode "cascade" is the classic chain that passes on once a step.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from beyondrate.errors import InputError

Mode = Literal["exact", "cascade"]
Scale = Literal["dc", "mass", "rms"]
MODES: tuple[str, ...] = get_args(Mode)
SCALES: tuple[str, ...] = get_args(Scale)

_RATES = 0.1, 0.9  # l_1 and l_K, as the paper has them


def time_constants(n_buckets: int, memory_s: float) -> Float64[Tensor, " bucket"]:
    """Return τ_k = -T / ln l_k in seconds, l_k evenly spaced from 0.1 to 0.9; ``memory_s`` is T.

    A spike stays Σ τ_k in the chain on average, about 21 T with 8 buckets.

    Raises:
        InputError: if there is no bucket, or T is not positive.

    Example:
        >>> (1000 * time_constants(8, 0.005)).round(decimals=2).tolist()
        [2.17, 3.25, 4.49, 6.14, 8.55, 12.55, 20.73, 47.46]
    """
    if n_buckets < 1:
        raise InputError(f"n_buckets is {n_buckets}", remedy="give 1 bucket or more")
    if not memory_s > 0:
        raise InputError(f"memory_s is {memory_s}", remedy="give a positive memory_s in seconds")
    return -memory_s / torch.linspace(*_RATES, n_buckets, dtype=torch.float64).log()


def transition(
    tau_s: Float[Tensor, " bucket"], dt_s: float, mode: Mode = "exact"
) -> Float64[Tensor, "bucket bucket"]:
    """Return M of one time step, m(t) = M m(t-1) + e_1 h(t), lower triangular; differentiable in ``tau_s``.

    "exact" is expm(A dt), the continuous chain sampled at any dt; "cascade" is
    m_k(t) = α_k m_k(t-1) + (1 - α_{k-1}) m_{k-1}(t-1) with α_k = exp(-dt/τ_k), which depends on dt.

    Raises:
        InputError: if dt is not positive or the mode is unknown.

    Example:
        >>> transition(torch.tensor([0.01, 0.02]), 0.01, "cascade").round(decimals=3).tolist()
        [[0.368, 0.0], [0.632, 0.607]]
    """
    if not dt_s > 0:
        raise InputError(f"dt_s is {dt_s}", remedy="give a positive dt_s in seconds")
    if mode == "exact":
        return torch.linalg.matrix_exp(_generator(tau_s) * dt_s).tril()
    if mode != "cascade":
        raise InputError(f"gamma mode is {mode!r}", remedy=f"give one of {', '.join(MODES)}")
    stays = torch.exp(-dt_s / tau_s.double())
    return torch.diag(stays) + torch.diag(1 - stays[:-1], -1)


def bucket_scale(tau_s: Float[Tensor, " bucket"], scale: Scale = "dc") -> Float64[Tensor, " bucket"]:
    """Return the factor s_k that each bucket is read with: it conditions training and adds nothing else.

    "dc": Στ/τ_k, every bucket a delayed copy with the same gain for slow signals; "mass": 1; "rms": every
    bucket as large as the others under white noise. All are 1 for a single bucket.

    Raises:
        InputError: if the scale is unknown.

    Example:
        >>> bucket_scale(torch.tensor([0.01, 0.03], dtype=torch.float64)).round(decimals=3).tolist()
        [4.0, 1.333]
    """
    tau = tau_s.double()
    if scale == "dc":
        return tau.sum() / tau
    if scale == "mass":
        return torch.ones_like(tau)
    if scale == "rms":
        return torch.sqrt(tau.sum() / (2 * _energy(tau)))
    raise InputError(f"bucket scale is {scale!r}", remedy=f"give one of {', '.join(SCALES)}")


def _generator(tau_s: Float[Tensor, " bucket"]) -> Float64[Tensor, "bucket bucket"]:
    """Return A: A_kk = -1/τ_k, A_{k,k-1} = 1/τ_{k-1}."""
    rate = 1 / tau_s.double()
    return torch.diag(-rate) + torch.diag(rate[:-1], -1)


def _energy(tau_s: Float64[Tensor, " bucket"]) -> Float64[Tensor, " bucket"]:
    """Return ∫ m_k² dt of the response to a spike: the diagonal of P, where A P + P Aᵀ = -e_1 e_1ᵀ."""
    a, one = _generator(tau_s), torch.eye(len(tau_s), dtype=torch.float64, device=tau_s.device)
    spike = torch.zeros_like(a).index_put((torch.tensor(0), torch.tensor(0)), a.new_ones(()))
    p = torch.linalg.solve(torch.kron(a, one) + torch.kron(one, a), -spike.flatten())
    return p.reshape(a.shape).diagonal()
