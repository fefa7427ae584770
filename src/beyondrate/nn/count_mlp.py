"""The rate baseline: a multilayer perceptron that sees nothing but spike counts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from beyondrate.nn.dropout import UnitDropout
from beyondrate.ops.sparse_linear import SpikeRows


class CountMLP(nn.Module):
    """ReLU layers on z-scored spike counts: what a classifier can do without timing (Yu et al. 2025).

    The counts are scaled by the training set's statistics, which ``fit_scaling`` takes; a unit whose
    count never changes is only centred.

    Args:
        n_units: input units.
        n_classes: classes.
        hidden: sizes of the hidden layers.
        dropout: share of hidden units that training leaves out.
        generator: draws the initial weights.

    Example:
        >>> net = CountMLP(3, 2)
        >>> net.fit_scaling(torch.tensor([[4.0, 1.0, 0.0], [2.0, 1.0, 1.0]]))
        >>> net(torch.ones(5, 10, 3)).shape
        torch.Size([5, 1, 2])
    """

    takes_spike_rows = True

    def __init__(
        self,
        n_units: int,
        n_classes: int,
        *,
        hidden: tuple[int, ...] = (128, 128),
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "n_units": n_units,
            "n_classes": n_classes,
            "hidden": list(hidden),
            "dropout": dropout,
        }
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(n_units))
        self.register_buffer("std", torch.ones(n_units))
        sizes = [n_units, *hidden, n_classes]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(sizes):
            linear = nn.utils.skip_init(nn.Linear, n_in, n_out)
            nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.ReLU(), UnitDropout(dropout, generator=generator)]
        self.layers = nn.Sequential(*layers[:-2])

    @classmethod
    def from_config(cls, config: dict[str, Any], *, generator: torch.Generator | None = None) -> CountMLP:
        """Build the network that ``config`` describes, with new weights."""
        return cls(**{**config, "hidden": tuple(config["hidden"])}, generator=generator)

    @property
    def n_parameters(self) -> int:
        """Number of parameters that training changes."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def fit_scaling(self, counts: Float[Tensor, "sample unit"]) -> None:
        """Take mean and standard deviation of each unit's count over the training samples."""
        counts = torch.as_tensor(counts, dtype=self.mean.dtype)
        std = counts.std(0, correction=0)
        self.mean.copy_(counts.mean(0))
        self.std.copy_(torch.where(std > 0, std, torch.ones_like(std)))

    def forward(self, x: SpikeRows | Float[Tensor, "batch time unit"]) -> Float[Tensor, "batch 1 class"]:
        """Return class scores; their time axis has one step, so that every loss takes them."""
        counts = x.counts() if isinstance(x, SpikeRows) else x.sum(1)
        scores: Tensor = self.layers((counts - self.mean) / self.std)
        return scores[:, None]
