"""Products of spikes with weights in Triton: a program sums the rows of a table that a list names.

The weights of a time step's spikes are such a sum, and so is the gradient of a unit's weights, over the time
steps in which it spikes. For the gradient the spikes are sorted by unit. Each sum is then one program's, so
that no two programs add to the same number and the result does not depend on which comes first.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from beyondrate.ops.cuda import on_grid

_COLUMNS = 128  # at most, of one program
_AT_ONCE = 16  # rows of the table that are fetched together


@triton.jit
def _gather_sum(
    indptr: tl.tensor,
    indices: tl.tensor,
    table: tl.tensor,
    start: tl.tensor,
    out: tl.tensor,
    n_columns: tl.tensor,
    AT_ONCE: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """Set a row of ``out`` to ``start`` plus the rows of ``table`` that the row's indices name."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    exists = column < n_columns
    total = tl.load(start + column, mask=exists, other=0.0)
    first, end = tl.load(indptr + row), tl.load(indptr + row + 1)
    for at in range(first, end, AT_ONCE):
        place = at + tl.arange(0, AT_ONCE)
        index = tl.load(indices + place, mask=place < end, other=0).to(tl.int64)
        wanted = (place < end)[:, None] & exists[None, :]
        rows = tl.load(table + index[:, None] * n_columns + column[None, :], mask=wanted, other=0.0)
        total += tl.sum(rows.to(total.dtype), axis=0)
    tl.store(out + row * n_columns + column, total, mask=exists)


def sparse_linear(indptr: Tensor, units: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return (rows, out): the weights of each row's spikes summed, plus the bias."""
    start = _zeros(weight, len(weight)) if bias is None else bias.to(_sum_type(weight))
    return _summed(indptr, units, weight.t(), start)


def sparse_linear_backward(
    indptr: Tensor, units: Tensor, grad_out: Tensor, n_units: int
) -> tuple[Tensor, Tensor]:
    """Return the gradients of the weight and of the bias."""
    by_unit, order = torch.sort(units, stable=True)
    row = torch.searchsorted(indptr, order, right=True) - 1
    edges = torch.searchsorted(by_unit, torch.arange(n_units + 1, device=units.device).to(units))
    grad_weight_t = _summed(edges, row, grad_out, _zeros(grad_out, grad_out.shape[1]))
    return grad_weight_t.t().contiguous(), grad_out.sum(0)


def _summed(indptr: Tensor, indices: Tensor, table: Tensor, start: Tensor) -> Tensor:
    n_rows, n_columns = len(indptr) - 1, table.shape[1]
    out = table.new_empty(n_rows, n_columns)
    columns = min(_COLUMNS, triton.next_power_of_2(max(1, n_columns)))
    grid = n_rows, -(-n_columns // columns)
    numbers = {"n_columns": n_columns, "AT_ONCE": _AT_ONCE, "COLUMNS": columns}
    on_grid(_gather_sum, grid, (indptr, indices, table, start), (out,), **numbers)
    return out


def _zeros(like: Tensor, n: int) -> Tensor:
    return like.new_zeros(n, dtype=_sum_type(like))


def _sum_type(tensor: Tensor) -> torch.dtype:
    """Return the type that sums are made in: float32 at least."""
    return torch.promote_types(tensor.dtype, torch.float32)
