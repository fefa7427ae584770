"""The kernels as torch custom operations, so that autograd, torch.compile and export see them.

``sparse_linear`` runs numba's kernel on the CPU and Triton's on a CUDA device; ``spike_linear`` has numba's
only, and elsewhere the dense product takes its place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from beyondrate.ops.backend import register_triton
from beyondrate.ops.threads import in_pieces

DENSE_ABOVE = 0.25  # share of non-zeros above which the dense product is the faster one

_MOST_CHUNKS = 4
_WORK_PER_CHUNK = 1 << 22


@torch.library.custom_op("beyondrate::sparse_linear", mutates_args=(), device_types="cpu")
def sparse_linear(indptr: Tensor, units: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return (rows, out): the weights of each row's spikes summed, plus the bias."""
    return _forward(indptr, units, weight.new_empty(0), weight, bias)


@torch.library.custom_op("beyondrate::sparse_linear_backward", mutates_args=(), device_types="cpu")
def _sparse_linear_backward(
    indptr: Tensor, units: Tensor, grad_out: Tensor, n_units: int
) -> tuple[Tensor, Tensor]:
    return _weight_gradient(indptr, units, grad_out.new_empty(0), grad_out, n_units), _bias_gradient(grad_out)


@torch.library.custom_op("beyondrate::spike_linear", mutates_args=())
def spike_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return (rows, out), ``x @ weight.T + bias``, and the non-zero values of ``x`` as compressed rows.

    Where the non-zeros are too many for the sparse product, the last of ``indptr`` says how many, and none is
    listed.
    """
    from beyondrate.ops.sparse_linear import cpu

    x = x.contiguous()
    room = int(DENSE_ABOVE * x.numel())
    indptr = torch.zeros(len(x) + 1, dtype=torch.int64)
    units, values = torch.empty(room, dtype=torch.int32), x.new_empty(room)
    views = _numpy(x, indptr, units, values)
    in_pieces(partial(cpu.count_active, views[0], views[1][1:]), len(x), x.shape[1])
    np.cumsum(views[1], out=views[1])
    if indptr[-1] > room:
        with torch.autocast(x.device.type, enabled=False):  # as precise as the sparse product
            return torch.nn.functional.linear(x, weight, bias), indptr, units, values
    in_pieces(partial(cpu.find_active, *views), len(x), x.shape[1])
    return _forward(indptr, units, values, weight, bias), indptr, units, values


@torch.library.custom_op("beyondrate::spike_linear_backward", mutates_args=())
def _spike_linear_backward(
    x: Tensor, indptr: Tensor, units: Tensor, values: Tensor, grad_out: Tensor
) -> tuple[Tensor, Tensor]:
    if indptr[-1] > len(units):
        return grad_out.t() @ x, _bias_gradient(grad_out)
    return _weight_gradient(indptr, units, values, grad_out, x.shape[1]), _bias_gradient(grad_out)


def _forward(indptr: Tensor, units: Tensor, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    from beyondrate.ops.sparse_linear import cpu

    n_rows, n_out = len(indptr) - 1, len(weight)
    out = weight.new_empty(n_rows, n_out)
    offset = weight.new_zeros(n_out) if bias is None else bias
    views = _numpy(indptr, units, values, weight.t(), offset, out)
    work_per_row = n_out * (1 + int(indptr[-1]) // max(1, n_rows))
    in_pieces(partial(cpu.sum_weights, *views), n_rows, work_per_row)
    return out


def _weight_gradient(indptr: Tensor, units: Tensor, values: Tensor, grad_out: Tensor, n_units: int) -> Tensor:
    from beyondrate.ops.sparse_linear import cpu

    views = _numpy(indptr, units, values, grad_out)
    shape = n_units, grad_out.shape[1]
    work = int(indptr[-1]) * grad_out.shape[1]
    add = partial(cpu.add_weight_gradient, *views)
    return _sum_over_rows(add, shape, len(grad_out), work, grad_out.dtype).t().contiguous()


def _bias_gradient(grad_out: Tensor) -> Tensor:
    from beyondrate.ops.sparse_linear import cpu

    add = partial(cpu.add_rows, *_numpy(grad_out))
    return _sum_over_rows(add, grad_out.shape[1:], len(grad_out), grad_out.numel(), grad_out.dtype)


def _sum_over_rows(
    add: Callable[[np.ndarray, int, int], None],
    shape: tuple[int, ...],
    n_rows: int,
    work: int,
    dtype: torch.dtype,
) -> Tensor:
    """Sum over rows in chunks that depend on the work only, so that the number of threads changes no bit."""
    n_chunks = max(1, min(_MOST_CHUNKS, n_rows, work // _WORK_PER_CHUNK))
    totals = torch.zeros(n_chunks, *shape, dtype=dtype).numpy()  # torch's begin at a line of the cache

    def chunks(first: int, last: int) -> None:
        for chunk in range(first, last):
            add(totals[chunk], n_rows * chunk // n_chunks, n_rows * (chunk + 1) // n_chunks)

    in_pieces(chunks, n_chunks, work // n_chunks)
    return torch.from_numpy(totals.sum(axis=0) if n_chunks > 1 else totals[0])


def _numpy(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


@sparse_linear.register_fake
def _(indptr: Tensor, units: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return weight.new_empty(indptr.shape[0] - 1, weight.shape[0])


@_sparse_linear_backward.register_fake
def _(indptr: Tensor, units: Tensor, grad_out: Tensor, n_units: int) -> tuple[Tensor, Tensor]:
    n_out = grad_out.shape[1]
    return grad_out.new_empty(n_out, n_units), grad_out.new_empty(n_out)


@spike_linear.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    room = int(DENSE_ABOVE * x.numel())
    return (
        weight.new_empty(x.shape[0], weight.shape[0]),
        x.new_empty(x.shape[0] + 1, dtype=torch.int64),
        x.new_empty(room, dtype=torch.int32),
        x.new_empty(room),
    )


@_spike_linear_backward.register_fake
def _(x: Tensor, indptr: Tensor, units: Tensor, values: Tensor, grad_out: Tensor) -> tuple[Tensor, Tensor]:
    n_out = grad_out.shape[1]
    return grad_out.new_empty(n_out, x.shape[1]), grad_out.new_empty(n_out)


def _save_rows(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401
    indptr, units, weight, bias = inputs
    ctx.save_for_backward(indptr, units)
    ctx.n_units, ctx.has_bias = weight.shape[1], bias is not None


def _rows_gradient(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
    weight, bias = _sparse_linear_backward(*ctx.saved_tensors, grad_out, ctx.n_units)
    return None, None, weight, bias if ctx.has_bias else None


def _save_dense(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ANN401
    x, weight, bias = inputs
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)  # spares zeros for what has no gradient
    ctx.save_for_backward(x, weight, *output[1:])
    ctx.has_bias = bias is not None


def _dense_gradient(ctx: Any, grad_out: Tensor, *_: Any) -> tuple[Tensor | None, ...]:  # noqa: ANN401
    x, weight, *compressed = ctx.saved_tensors
    grad_weight, grad_bias = _spike_linear_backward(x, *compressed, grad_out)
    grad_x = grad_out @ weight if ctx.needs_input_grad[0] else None
    return grad_x, grad_weight, grad_bias if ctx.has_bias else None


sparse_linear.register_autograd(_rows_gradient, setup_context=_save_rows)
spike_linear.register_autograd(_dense_gradient, setup_context=_save_dense)
register_triton(sparse_linear, __package__, "sparse_linear")
register_triton(_sparse_linear_backward, __package__, "sparse_linear_backward")
