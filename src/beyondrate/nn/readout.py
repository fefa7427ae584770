"""The output layer: units that integrate, with or without a leak, but never spike, one a class."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from beyondrate.nn.time_constants import check_positive, log_time_constant
from beyondrate.ops.leak import decay_of
from beyondrate.ops.lif import leaky_integrate


class LeakyReadout(nn.Module):
    """Membranes v[t] = b v[t-1] + (1 - b) I[t] of units without threshold, b = exp(-dt/τ), log τ learnable.

    The input is scaled by 1 - b so that the output's size does not depend on τ or dt. Spike counts as outputs
    (for ``Spikemax``) come from a ``LIF`` layer instead.

    Args:
        dt_s: time step in seconds.
        tau_s: time constant in seconds.
        learn_tau: let log τ have a gradient.

    Example:
        >>> import torch
        >>> out, state = LeakyReadout(dt_s=0.01, tau_s=0.05)(torch.ones(2, 100, 20))
        >>> out.shape, bool((out[:, -1] > 0.999).all())
        (torch.Size([2, 100, 20]), True)
    """

    def __init__(self, *, dt_s: float, tau_s: float = 0.1, learn_tau: bool = True) -> None:
        super().__init__()
        check_positive(dt_s=dt_s, tau_s=tau_s)
        self.dt_s = dt_s
        self.log_tau = log_time_constant(tau_s, (), learn_tau)

    def forward(
        self, current: Float[Tensor, "batch time class"], state: Float[Tensor, "batch class"] | None = None
    ) -> tuple[Float[Tensor, "batch time class"], Float[Tensor, "batch class"]]:
        """Return the membranes of a sequence and the last one, which is the state after it."""
        decay = decay_of(self.log_tau, self.dt_s)
        return leaky_integrate((1 - decay) * current, decay, state)

    def step(
        self, current: Float[Tensor, "batch class"], state: Float[Tensor, "batch class"] | None = None
    ) -> tuple[Float[Tensor, "batch class"], Float[Tensor, "batch class"]]:
        """Return the membranes of one time step, which are the state after it too."""
        decay = decay_of(self.log_tau, self.dt_s)
        before = current.new_zeros(current.shape) if state is None else state
        out = decay * before + (1 - decay) * current
        return out, out


class SumReadout(nn.Module):
    """Membranes v[t] = v[t-1] + I[t] of units without leak and threshold: the sum of all currents so far.

    Example:
        >>> import torch
        >>> out, state = SumReadout()(torch.ones(1, 3, 1))
        >>> out.flatten().tolist(), state.tolist()
        ([1.0, 2.0, 3.0], [[3.0]])
    """

    def forward(
        self, current: Float[Tensor, "batch time class"], state: Float[Tensor, "batch class"] | None = None
    ) -> tuple[Float[Tensor, "batch time class"], Float[Tensor, "batch class"]]:
        """Return the membranes of a sequence and the last one, which is the state after it."""
        return leaky_integrate(current, current.new_ones(()), state)

    def step(
        self, current: Float[Tensor, "batch class"], state: Float[Tensor, "batch class"] | None = None
    ) -> tuple[Float[Tensor, "batch class"], Float[Tensor, "batch class"]]:
        """Return the membranes of one time step, which are the state after it too."""
        out = current if state is None else state + current
        return out, out
