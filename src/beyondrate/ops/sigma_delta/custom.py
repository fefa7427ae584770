"""The kernels as torch custom operations, so that autograd, torch.compile and export see them.

An operation runs numba's kernel on the CPU and Triton's on a CUDA device.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from beyondrate.ops.backend import register_triton
from beyondrate.ops.threads import in_pieces


@torch.library.custom_op("beyondrate::sigma_delta", mutates_args=(), device_types="cpu")
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
    from beyondrate.ops.gamma.cpu import chain_of
    from beyondrate.ops.sigma_delta import cpu

    spikes = torch.empty_like(x, memory_format=torch.contiguous_format)
    flags = torch.empty(x.shape, dtype=torch.uint8)
    end = state.clone(memory_format=torch.contiguous_format)
    (given,), filled = _numpy(x), _numpy(end, spikes, flags)
    numbers = [given.dtype.type(value) for value in (theta0, adaptation, rho, most_quanta)]
    chain = chain_of(*_numpy(forward_matrix(transition, use_sum).to(x.dtype)))
    arguments = given, chain, *numbers, gated, *filled
    in_pieces(partial(cpu.encode, *arguments), len(x), x[0:1].numel() * state.shape[1])
    return spikes, end, flags


@torch.library.custom_op("beyondrate::sigma_delta_backward", mutates_args=(), device_types="cpu")
def _backward(
    grad_spikes: Tensor, grad_end: Tensor, flags: Tensor, transition: Tensor, use_sum: bool
) -> tuple[Tensor, Tensor]:
    from beyondrate.ops.gamma.cpu import chain_of
    from beyondrate.ops.sigma_delta import cpu

    grad_x = torch.empty_like(grad_spikes, memory_format=torch.contiguous_format)
    grad_state = grad_end.clone(memory_format=torch.contiguous_format)
    chain = chain_of(*_numpy(backward_matrix(transition, use_sum).to(grad_x.dtype)))
    given, filled = _numpy(grad_spikes, flags), _numpy(grad_state, grad_x)
    arguments = *given, chain, *filled
    in_pieces(
        partial(cpu.encode_backward, *arguments), len(grad_x), grad_x[0:1].numel() * grad_state.shape[1]
    )
    return grad_x, grad_state


def forward_matrix(transition: Tensor, use_sum: bool) -> Tensor:
    """Return what turns the buckets, and a row below them, into M m and what they estimate."""
    with_estimate = torch.cat([transition, estimates(transition, use_sum)[None]])
    return torch.nn.functional.pad(with_estimate, (0, 1))


def backward_matrix(transition: Tensor, use_sum: bool) -> Tensor:
    """Return what turns the buckets' gradient, and dy in the row below it, into that of the step before."""
    return torch.cat([transition.t(), -estimates(transition, use_sum)[:, None]], 1)


def estimates(transition: Tensor, use_sum: bool) -> Tensor:
    """Return qᵀ M, which turns the buckets of one step into what they estimate in the next."""
    return transition.sum(0) if use_sum else transition[0]


def _numpy(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


@sigma_delta.register_fake
def _(*inputs: Any) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN401
    x, state, *_ = inputs
    return _empty_like(x), _empty_like(state), x.new_empty(x.shape, dtype=torch.uint8)


@_backward.register_fake
def _(*inputs: Any) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    grad_spikes, grad_end, *_ = inputs
    return _empty_like(grad_spikes), _empty_like(grad_end)


def _empty_like(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ANN401
    _, state, transition, use_sum, *_ = inputs
    flags = output[2]
    ctx.mark_non_differentiable(flags)
    ctx.set_materialize_grads(False)  # spares zeros for what has no gradient
    ctx.save_for_backward(flags, transition)
    ctx.use_sum, ctx.dtype, ctx.state_shape = use_sum, state.dtype, state.shape


def _gradient(
    ctx: Any,  # noqa: ANN401
    grad_spikes: Tensor | None,
    grad_end: Tensor | None,
    _: Tensor | None,
) -> tuple[Tensor | None, ...]:
    flags, transition = ctx.saved_tensors
    if grad_spikes is None:
        grad_spikes = torch.zeros(flags.shape, dtype=ctx.dtype, device=flags.device)
    if grad_end is None:
        grad_end = torch.zeros(ctx.state_shape, dtype=ctx.dtype, device=flags.device)
    gradients = _backward(grad_spikes, grad_end, flags, transition, ctx.use_sum)
    return *gradients, *[None] * 7


sigma_delta.register_autograd(_gradient, setup_context=_save)
register_triton(sigma_delta, __package__, "sigma_delta")
register_triton(_backward, __package__, "sigma_delta_backward")
