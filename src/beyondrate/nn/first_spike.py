"""Networks that compute with the times of single spikes, in closed form (Mostafa 2018).

H. Mostafa, "Supervised learning based on temporal coding in spiking neural networks", IEEE TNNLS 29:3227:
units integrate without leak, synaptic currents decay exponentially, every unit fires at most once. With
z = exp(t/τ), a unit of weights w whose causal inputs C come before its spike fires at

    z_out = Σ_{i∈C} w_i z_i / (Σ_{i∈C} w_i - 1),

where C is the smallest set of earliest inputs with Σ w_i > 1 whose z_out comes before the next input.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from beyondrate.nn.time_constants import check_positive
from beyondrate.ops.sparse_linear import SpikeRows

NEVER = 1e6  # z of a unit that does not fire: later than any that does


def first_spike(
    z: Float[Tensor, "batch unit"], weight: Float[Tensor, "out unit"]
) -> Float[Tensor, "batch out"]:
    """Return z = exp(t/τ) of the outputs' spikes, given those of the inputs; ``NEVER`` where there is none.

    The gradient is that of the closed form: dz_out/dz_i = w_i / (Σ w - 1) for causal inputs, else 0.

    Example:
        >>> z = torch.tensor([[1.0, 2.0, 9.0]])
        >>> first_spike(z, torch.tensor([[1.0, 1.0, 5.0], [0.2, 0.2, 0.2]]))
        tensor([[3.0000e+00, 1.0000e+06]])
    """
    ordered, order = z.sort(dim=1)
    w = weight.T[order]  # (batch, rank, out)
    total = w.cumsum(1) - 1
    fires = total > 0
    at = (w * ordered[:, :, None]).cumsum(1) / torch.where(fires, total, torch.ones_like(total))
    following = torch.cat([ordered[:, 1:], torch.full_like(ordered[:, :1], NEVER)], 1)[:, :, None]
    causal = fires & (ordered[:, :, None] < NEVER) & (at >= ordered[:, :, None]) & (at < following)
    first = causal.to(torch.uint8).argmax(1, keepdim=True)
    found = at.gather(1, first)[:, 0]
    return torch.where(causal.any(1), found, torch.full_like(found, NEVER))


class FirstSpikeNet(nn.Module):
    """Layers of units that fire once; the class whose unit fires first is the answer.

    Scores are -z of the last layer, so that cross-entropy compares the times of its spikes. After every
    update weights of a unit are raised together until they sum to ``least_sum``, so that it fires when all
    its inputs have; the paper adds a penalty to the loss for that instead.

    Args:
        n_units: input units, of which the first spike of a sample counts.
        n_classes: classes.
        dt_s: time step of the input in seconds; a spike is in the middle of its bin.
        hidden: sizes of the hidden layers.
        tau_s: τ of the synaptic currents in seconds.
        least_sum: what weights of a unit sum to at least, above 1.
        generator: draws the initial weights, U(0, 2 least_sum / n) for n inputs.

    Raises:
        InputError: if a time is not positive, or ``least_sum`` not above 1.

    Example:
        >>> net = FirstSpikeNet(2, 8, dt_s=0.005, hidden=(64,))
        >>> net(torch.zeros(4, 32, 2)).shape
        torch.Size([4, 1, 8])
    """

    takes_spike_rows = True

    def __init__(
        self,
        n_units: int,
        n_classes: int,
        *,
        dt_s: float,
        hidden: tuple[int, ...] = (128,),
        tau_s: float = 0.05,
        least_sum: float = 1.2,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in locals().items()
            if name not in ("self", "generator", "__class__")
        }
        check_positive(dt_s=dt_s, tau_s=tau_s, excess_of_least_sum_over_1=least_sum - 1)
        self.dt_s, self.tau_s, self.least_sum = dt_s, tau_s, least_sum
        self.weights = nn.ParameterList(
            torch.empty(n_out, n_in).uniform_(0, 2 * least_sum / n_in, generator=generator)
            for n_in, n_out in pairwise([n_units, *hidden, n_classes])
        )
        self.constrain()

    @classmethod
    def from_config(
        cls, config: dict[str, Any], *, generator: torch.Generator | None = None
    ) -> FirstSpikeNet:
        """Build the network that ``config`` describes, with new weights."""
        return cls(**{**config, "hidden": tuple(config["hidden"])}, generator=generator)

    @property
    def n_parameters(self) -> int:
        """Number of parameters that training changes."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    @torch.no_grad()
    def constrain(self) -> None:
        """Raise the weights of units that would not fire."""
        for weight in self.weights:
            missing = (self.least_sum - weight.sum(1, keepdim=True)).clamp(min=0)
            weight += missing / weight.shape[1]

    def spike_times(self, x: SpikeRows | Float[Tensor, "batch time unit"]) -> list[Float[Tensor, "batch _"]]:
        """Return z = exp(t/τ) of the inputs and of every layer; t counts from the sample's first spike."""
        dense = x.dense() if isinstance(x, SpikeRows) else x
        there = dense > 0
        bins = there.to(torch.uint8).argmax(1)
        silent = ~there.any(1)
        first = torch.where(silent, dense.shape[1], bins).amin(1, keepdim=True)
        z = torch.exp((bins - first).to(self.weights[0]) * (self.dt_s / self.tau_s))
        times = [torch.where(silent, torch.full_like(z, NEVER), z)]
        for weight in self.weights:
            times.append(first_spike(times[-1], weight))
        return times

    def forward(self, x: SpikeRows | Float[Tensor, "batch time unit"]) -> Float[Tensor, "batch 1 class"]:
        """Return the scores; their time axis has one step, so that every loss takes them."""
        return -self.spike_times(x)[-1][:, None]
