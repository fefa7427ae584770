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


@torch.library.custom_op("beyondrate::gamma_scan", mutates_args=(), device_types="cpu")
def gamma_scan(u: Tensor, gain: Tensor, bias: Tensor, transition: Tensor) -> Tensor:
    """Return (batch, time, unit): the buckets that ``u`` feeds, read with the gains (bucket, unit)."""
    from beyondrate.ops.gamma import cpu

    x = torch.empty_like(u, memory_format=torch.contiguous_format)
    chain = cpu.chain_of(*_numpy(transition.to(u.dtype)))
    arguments = *_numpy(u, gain, bias), chain, *_numpy(x)
    in_pieces(partial(cpu.scan_forward, *arguments), len(u), u[0:1].numel() * len(gain))
    return x


@torch.library.custom_op("beyondrate::gamma_scan_backward", mutates_args=(), device_types="cpu")
def _scan_backward(
    grad_x: Tensor, u: Tensor, gain: Tensor, transition: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    from beyondrate.ops.gamma import cpu

    grad_u = torch.empty_like(u, memory_format=torch.contiguous_format)
    grad_gain, grad_bias = u.new_zeros(len(u), *gain.shape), u.new_zeros(len(u), u.shape[2])
    chain = cpu.chain_of(*_numpy(transition.to(u.dtype)))
    arguments = *_numpy(grad_x, u, gain), chain, *_numpy(grad_u, grad_gain, grad_bias)
    in_pieces(partial(cpu.scan_backward, *arguments), len(u), u[0:1].numel() * len(gain))
    return grad_u, _over_samples(grad_gain), _over_samples(grad_bias)


@torch.library.custom_op("beyondrate::gamma_scan_each", mutates_args=(), device_types="cpu")
def gamma_scan_each(u: Tensor, bias: Tensor, transition: Tensor) -> Tensor:
    """Return (batch, time, unit): bucket k of what ``u`` (batch, time, bucket, unit) feeds it, summed."""
    from beyondrate.ops.gamma import cpu

    x = u.new_empty(u.shape[0], u.shape[1], u.shape[3])
    chain = cpu.chain_of(*_numpy(transition.t().to(u.dtype)))
    arguments = *_numpy(u, bias), chain, *_numpy(x)
    in_pieces(partial(cpu.scan_each_forward, *arguments), len(u), u[0:1].numel())
    return x


@torch.library.custom_op("beyondrate::gamma_scan_each_backward", mutates_args=(), device_types="cpu")
def _scan_each_backward(grad_x: Tensor, transition: Tensor) -> tuple[Tensor, Tensor]:
    from beyondrate.ops.gamma import cpu

    n_samples, n_steps, n_units = grad_x.shape
    grad_u = grad_x.new_empty(n_samples, n_steps, len(transition), n_units)
    chain = cpu.chain_of(*_numpy(transition.to(grad_x.dtype)))
    arguments = *_numpy(grad_x), chain, *_numpy(grad_u)
    in_pieces(partial(cpu.scan_each_backward, *arguments), n_samples, grad_u[0:1].numel())
    return grad_u, grad_x.sum((0, 1))


def _numpy(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


def _over_samples(per_sample: Tensor) -> Tensor:
    """Sum over the samples in one order, whatever the number of threads."""
    return torch.from_numpy(_numpy(per_sample)[0].sum(axis=0))


@gamma_scan.register_fake
def _(u: Tensor, gain: Tensor, bias: Tensor, transition: Tensor) -> Tensor:
    return torch.empty_like(u, memory_format=torch.contiguous_format)


@_scan_backward.register_fake
def _(grad_x: Tensor, u: Tensor, gain: Tensor, transition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(u), torch.empty_like(gain), gain.new_empty(gain.shape[1])


@gamma_scan_each.register_fake
def _(u: Tensor, bias: Tensor, transition: Tensor) -> Tensor:
    return u.new_empty(u.shape[0], u.shape[1], u.shape[3])


@_scan_each_backward.register_fake
def _(grad_x: Tensor, transition: Tensor) -> tuple[Tensor, Tensor]:
    n_samples, n_steps, n_units = grad_x.shape
    grad_u = grad_x.new_empty(n_samples, n_steps, transition.shape[0], n_units)
    return grad_u, grad_x.new_empty(n_units)


def _save_scan(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401
    u, gain, _, transition = inputs
    ctx.save_for_backward(u, gain, transition)


def _scan_gradient(ctx: Any, grad_x: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
    return *_scan_backward(grad_x, *ctx.saved_tensors), None


def _save_scan_each(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401
    ctx.save_for_backward(inputs[2])


def _scan_each_gradient(ctx: Any, grad_x: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
    return *_scan_each_backward(grad_x, *ctx.saved_tensors), None


gamma_scan.register_autograd(_scan_gradient, setup_context=_save_scan)
gamma_scan_each.register_autograd(_scan_each_gradient, setup_context=_save_scan_each)
register_triton(gamma_scan, __package__, "gamma_scan")
register_triton(_scan_backward, __package__, "gamma_scan_backward")
register_triton(gamma_scan_each, __package__, "gamma_scan_each")
register_triton(_scan_each_backward, __package__, "gamma_scan_each_backward")
