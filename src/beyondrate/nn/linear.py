"""A linear map whose input is spikes: events as compressed rows, or a mostly-zero tensor."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from beyondrate.ops.sparse_linear import SpikeRows, sparse_linear, spike_linear


class SpikeLinear(nn.Module):
    """``x @ weight.T + bias``, where only the units that spike cost anything.

    Args:
        n_in: input units.
        n_out: output units.
        bias: learn an offset for each output unit, starting at 0.
        generator: draws the initial weights, U(-1/√n_in, 1/√n_in).

    Example:
        >>> layer = SpikeLinear(700, 128)
        >>> layer(torch.zeros(2, 5, 700)).shape
        torch.Size([2, 5, 128])
    """

    def __init__(
        self, n_in: int, n_out: int, *, bias: bool = True, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        bound = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(torch.empty(n_out, n_in).uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None

    def forward(self, x: SpikeRows | Float[Tensor, "*batch unit"]) -> Float[Tensor, "*batch out"]:
        """Map spikes to currents; compressed rows give (batch, time, out)."""
        if isinstance(x, SpikeRows):
            return sparse_linear(x, self.weight, self.bias)
        return spike_linear(x, self.weight, self.bias)
