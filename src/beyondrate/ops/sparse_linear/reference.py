"""Products of spikes with weights in plain torch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor


def sparse_linear(
    indptr: Int64[Tensor, " rows_plus_1"],
    units: Int32[Tensor, " spikes"],
    weight: Float[Tensor, "out unit"],
    bias: Float[Tensor, " out"] | None,
) -> Float[Tensor, "rows out"]:
    """Return for each row the sum of the weights of its spikes, plus the bias."""
    n_rows = len(indptr) - 1
    row = torch.repeat_interleave(torch.arange(n_rows, device=indptr.device), indptr.diff())
    summed = weight.new_zeros(n_rows, len(weight)).index_add(0, row, weight.t()[units.long()])
    return summed if bias is None else summed + bias
