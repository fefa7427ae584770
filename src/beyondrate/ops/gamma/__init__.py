"""The gamma memory: chains of leaky buckets that hold a smoothed past of their input (Koopman et al. 2026).

    m(t) = M m(t-1) + e_1 u(t),    x(t) = b + Σ_k g_k m_k(t)

Units of one layer share M, so that the filter commutes with the weights: a layer is ``u = W h`` followed by
one scan over its outputs (``gamma_scan``), and no bucket is stored. Where each synapse has bucket weights of
its own, the weights give one u a bucket (``gamma_scan_each``). Buckets are (batch, bucket, unit) tensors.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from beyondrate.errors import InputError
from beyondrate.ops.backend import Backend, choose_backend
from beyondrate.ops.gamma import custom, reference
from beyondrate.ops.gamma.basis import MODES, SCALES, Mode, Scale, bucket_scale, time_constants, transition
from beyondrate.ops.gamma.reference import gamma_step

__all__ = [
    "MODES",
    "SCALES",
    "Mode",
    "Scale",
    "bucket_scale",
    "choose_gamma_backend",
    "gamma_after",
    "gamma_powers",
    "gamma_scan",
    "gamma_scan_each",
    "gamma_step",
    "time_constants",
    "transition",
]


def gamma_scan(
    u: Float[Tensor, "batch time unit"],
    gain: Float[Tensor, "bucket unit"],
    transition: Float[Tensor, "bucket bucket"],
    bias: Float[Tensor, " unit"] | None = None,
    *,
    backend: Backend | None = None,
) -> Float[Tensor, "batch time unit"]:
    """Return x(t) = b + Σ_k g_k m_k(t) for buckets that start empty and are fed with ``u``.

    Gradients flow to ``u``, ``gain`` and ``bias``; one for ``transition`` needs the reference, which is then
    the default.

    Raises:
        InputError: if gain, bias and transition do not fit, or the kernels are asked for a gradient of M.

    Example:
        >>> u = torch.tensor([[[1.0], [0.0], [0.0]]])
        >>> chain = transition(torch.tensor([0.01, 0.02]), 0.01)
        >>> gamma_scan(u, torch.tensor([[1.0], [1.0]]), chain).flatten().tolist() # doctest: +ELLIPSIS
        [1.0, 0.845..., 0.600...]
    """
    n_buckets, n_units = len(transition), u.shape[2]
    _check_shape("gain", gain, (n_buckets, n_units))
    bias = u.new_zeros(n_units) if bias is None else bias
    _check_shape("bias", bias, (n_units,))
    if choose_gamma_backend("gamma_scan", u, transition, backend) == "reference":
        return reference.gamma_scan(u, gain, bias, transition.to(u.dtype))
    return custom.gamma_scan(u, gain, bias, transition)


def gamma_scan_each(
    u: Float[Tensor, "batch time bucket unit"],
    transition: Float[Tensor, "bucket bucket"],
    bias: Float[Tensor, " unit"] | None = None,
    *,
    backend: Backend | None = None,
) -> Float[Tensor, "batch time unit"]:
    """Return x(t) = b + Σ_k m_k^(k)(t), where u_k alone feeds the chain of which bucket k is read.

    Gradients, backends and errors are those of ``gamma_scan``.
    """
    n_units = u.shape[3]
    _check_shape("u", u, (u.shape[0], u.shape[1], len(transition), n_units))
    bias = u.new_zeros(n_units) if bias is None else bias
    _check_shape("bias", bias, (n_units,))
    if choose_gamma_backend("gamma_scan_each", u, transition, backend) == "reference":
        return reference.gamma_scan_each(u, bias, transition.to(u.dtype))
    return custom.gamma_scan_each(u, bias, transition)


def gamma_powers(
    transition: Float[Tensor, "bucket bucket"], n_steps: int
) -> Float[Tensor, "time bucket bucket"]:
    """Return M, M², … M^n: what is left of the buckets after each step without input."""
    powers = [torch.eye(len(transition), dtype=transition.dtype, device=transition.device)]
    for _ in range(n_steps):
        powers.append(transition @ powers[-1])
    return torch.stack(powers)[1:]


def gamma_after(
    memory: Float[Tensor, "batch bucket unit"] | None,
    u: Float[Tensor, "batch time unit"],
    transition: Float[Tensor, "bucket bucket"],
) -> Float[Tensor, "batch bucket unit"]:
    """Return the buckets after the sequence ``u``; ``memory`` is what was in them before (None: empty).

    Example:
        >>> chain = transition(torch.tensor([0.01, 0.02]), 0.01)
        >>> gamma_after(None, torch.ones(1, 1, 3), chain).shape
        torch.Size([1, 2, 3])
    """
    empty = memory is None
    memory = u.new_zeros(u.shape[0], len(transition), u.shape[2]) if memory is None else memory
    if u.shape[1] == 0:
        return memory
    powers = gamma_powers(transition, u.shape[1])
    spike = torch.eye(len(transition), 1).to(powers)
    responses = torch.cat([spike[None], powers[:-1, :, :1]])[:, :, 0]
    added = torch.einsum("tk,btj->bkj", responses.flip(0).to(u.dtype), u)
    return added if empty else added + powers[-1].to(u.dtype) @ memory


def choose_gamma_backend(
    operation: str, u: Tensor, transition: Float[Tensor, "bucket bucket"], backend: Backend | None
) -> Backend:
    """Return the backend that runs ``operation``: the reference where M needs a gradient.

    Raises:
        InputError: if the kernels are asked for all the same.
    """
    if transition.requires_grad and backend is None:
        backend = "reference"
    chosen = choose_backend(operation, u, backend)
    if chosen != "reference" and transition.requires_grad:
        raise InputError(
            f"backend {chosen!r} gives {operation} no gradient of the transition",
            remedy="give backend=None, or a transition that needs no gradient",
        )
    return chosen


def _check_shape(name: str, tensor: Tensor, expected: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != expected:
        raise InputError(f"{name} has shape {tuple(tensor.shape)}", remedy=f"give shape {expected}")
