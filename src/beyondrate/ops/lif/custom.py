"""The kernels as torch custom operations, so that autograd, torch.compile and export see them.

An operation runs numba's kernel on the CPU and Triton's on a CUDA device.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from beyondrate.ops.backend import register_triton
from beyondrate.ops.lif.surrogate import SURROGATES
from beyondrate.ops.threads import in_pieces


@torch.library.custom_op("beyondrate::lif", mutates_args=(), device_types="cpu")
def lif(
    current: Tensor,
    decay: Tensor,
    current_decay: Tensor,
    state_v: Tensor,
    state_u: Tensor,
    soft: bool,
    through_reset: bool,
    surrogate: str,
    slope: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the spikes, the final states, and the membranes before reset.

    The decays are one a unit; without a current filter ``current_decay`` and ``state_u`` have no units.
    """
    from beyondrate.ops.lif import cpu

    spikes, membrane = torch.empty_like(current), torch.empty_like(current)
    end_v, end_u = _copy(state_v), _copy(state_u)
    given, filled = _numpy(current, decay, current_decay), _numpy(spikes, membrane, end_v, end_u)
    arguments = *given, given[0].dtype.type(not soft), *filled
    in_pieces(partial(cpu.lif_forward, *arguments), len(current), current[0:1].numel())
    return spikes, end_v, end_u, membrane


@torch.library.custom_op("beyondrate::lif_backward", mutates_args=(), device_types="cpu")
def _lif_backward(
    grad_spikes: Tensor,
    grad_v: Tensor,
    grad_u: Tensor,
    membrane: Tensor,
    decay: Tensor,
    current_decay: Tensor,
    state_v: Tensor,
    state_u: Tensor,
    soft: bool,
    through_reset: bool,
    surrogate: str,
    slope: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    from beyondrate.ops.lif import cpu

    grad_current = torch.empty_like(membrane)
    begin_v, begin_u = _copy(grad_v), _copy(grad_u)
    grad_decay, grad_current_decay = torch.zeros_like(begin_v), torch.zeros_like(begin_u)
    given = _numpy(grad_spikes, membrane, decay, current_decay, state_v, state_u)
    number = given[0].dtype.type
    options = number(not soft), number(through_reset), SURROGATES.index(surrogate), number(slope)
    filled = _numpy(grad_current, begin_v, begin_u, grad_decay, grad_current_decay)
    arguments = *given, *options, *filled
    in_pieces(partial(cpu.lif_backward, *arguments), len(membrane), membrane[0:1].numel())
    return grad_current, _over_samples(grad_decay), _over_samples(grad_current_decay), begin_v, begin_u


@torch.library.custom_op("beyondrate::leaky_integrate", mutates_args=(), device_types="cpu")
def leaky_integrate(current: Tensor, decay: Tensor, state: Tensor) -> Tensor:
    """Return the membranes of units that leak and integrate but never spike."""
    from beyondrate.ops.lif import cpu

    membrane = torch.empty_like(current)
    views = _numpy(current, decay, membrane, _copy(state))
    in_pieces(partial(cpu.leaky_forward, *views), len(current), current[0:1].numel())
    return membrane


@torch.library.custom_op("beyondrate::leaky_integrate_backward", mutates_args=(), device_types="cpu")
def _leaky_backward(
    grad_membrane: Tensor, membrane: Tensor, decay: Tensor, state: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    from beyondrate.ops.lif import cpu

    grad_current = torch.empty_like(membrane)
    grad_state, grad_decay = torch.zeros_like(state), torch.zeros_like(state)
    views = _numpy(grad_membrane, membrane, decay, state, grad_current, grad_state, grad_decay)
    in_pieces(partial(cpu.leaky_backward, *views), len(membrane), membrane[0:1].numel())
    return grad_current, _over_samples(grad_decay), grad_state


def _numpy(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


def _copy(tensor: Tensor) -> Tensor:
    return tensor.clone(memory_format=torch.contiguous_format)


def _over_samples(per_sample: Tensor) -> Tensor:
    """Sum over the samples in one order, whatever the number of threads."""
    return torch.from_numpy(_numpy(per_sample)[0].sum(axis=0))


@lif.register_fake
def _(*inputs: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: ANN401
    current, _, _, state_v, state_u, *_ = inputs
    return _like(current, state_v, state_u, current)


@_lif_backward.register_fake
def _(*inputs: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # noqa: ANN401
    _, _, _, membrane, decay, current_decay, state_v, state_u, *_ = inputs
    return _like(membrane, decay, current_decay, state_v, state_u)


@leaky_integrate.register_fake
def _(current: Tensor, decay: Tensor, state: Tensor) -> Tensor:
    return torch.empty_like(current)


@_leaky_backward.register_fake
def _(grad_membrane: Tensor, membrane: Tensor, decay: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return _like(membrane, decay, state)


def _like(*tensors: Tensor) -> tuple[Any, ...]:
    return tuple(torch.empty_like(tensor) for tensor in tensors)


def _save_lif(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ANN401
    _, decay, current_decay, state_v, state_u, *ctx.options = inputs
    membrane = output[3]
    ctx.mark_non_differentiable(membrane)
    ctx.set_materialize_grads(False)  # spares zeros for what has no gradient
    ctx.save_for_backward(membrane, decay, current_decay, state_v, state_u)


def _lif_gradient(
    ctx: Any,  # noqa: ANN401
    grad_spikes: Tensor | None,
    grad_v: Tensor | None,
    grad_u: Tensor | None,
    _: Tensor | None,
) -> tuple[Tensor | None, ...]:
    membrane, decay, current_decay, state_v, state_u = ctx.saved_tensors
    gradients = _lif_backward(
        _or_zeros(grad_spikes, membrane),
        _or_zeros(grad_v, state_v),
        _or_zeros(grad_u, state_u),
        membrane,
        decay,
        current_decay,
        state_v,
        state_u,
        *ctx.options,
    )
    return *gradients, None, None, None, None


def _or_zeros(grad: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if grad is None else grad


def _save_leaky(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401
    _, decay, state = inputs
    ctx.save_for_backward(output, decay, state)


def _leaky_gradient(ctx: Any, grad_membrane: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401
    gradients: tuple[Tensor, ...] = _leaky_backward(grad_membrane, *ctx.saved_tensors)
    return gradients


lif.register_autograd(_lif_gradient, setup_context=_save_lif)
leaky_integrate.register_autograd(_leaky_gradient, setup_context=_save_leaky)
register_triton(lif, __package__, "lif")
register_triton(_lif_backward, __package__, "lif_backward")
register_triton(leaky_integrate, __package__, "leaky_integrate")
register_triton(_leaky_backward, __package__, "leaky_integrate_backward")
