"""A layer of leaky integrate-and-fire units with learnable time constants."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from beyondrate.errors import InputError
from beyondrate.nn.time_constants import check_positive, log_time_constant
from beyondrate.ops.leak import decay_of
from beyondrate.ops.lif import LIFParams, LIFState, Reset, Surrogate, lif, lif_step


class LIF(nn.Module):
    """Leaky integrate-and-fire units (Yu et al. 2025, Eq. 1): threshold 1, decay exp(-dt/τ), log τ learnable.

    Args:
        n_units: number of units.
        dt_s: time step in seconds.
        tau_s: membrane time constant in seconds.
        tau_syn_s: time constant of a current filter in seconds, or None for none.
        per_unit: learn one τ a unit instead of one for the layer.
        tau_spread: draw each unit's initial membrane τ log-uniformly from tau_s / tau_spread to
            tau_s * tau_spread.
        learn_tau: let log τ have a gradient.
        reset: "hard" (to 0) or "soft" (minus the threshold).
        detach_reset: leave the reset out of the gradient.
        surrogate: shape of the surrogate derivative.
        slope: how fast the surrogate falls off around the threshold.
        generator: draws the time constants, where they have a spread.

    Raises:
        InputError: if a time constant or the time step is not positive, τ is to have a spread but is one for
            the layer, or a name is unknown.

    Example:
        >>> layer = LIF(2, dt_s=0.001, tau_s=0.02)
        >>> spikes, state = layer(torch.full((1, 10, 2), 0.3))
        >>> spikes[0, :, 0].tolist()
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    """

    def __init__(
        self,
        n_units: int,
        *,
        dt_s: float,
        tau_s: float = 0.02,
        tau_syn_s: float | None = None,
        per_unit: bool = False,
        tau_spread: float = 1.0,
        learn_tau: bool = True,
        reset: Reset = "hard",
        detach_reset: bool = True,
        surrogate: Surrogate = "superspike",
        slope: float = 5.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_positive(dt_s=dt_s, tau_s=tau_s, slope=slope)
        if tau_spread < 1 or (tau_spread > 1 and not per_unit):
            raise InputError(
                f"tau_spread is {tau_spread} with {'one τ a unit' if per_unit else 'one τ for the layer'}",
                remedy="give a factor of 1 or more, and one τ a unit if it is above 1",
            )
        self.n_units = n_units
        self.dt_s = dt_s
        self.reset: Reset = reset
        self.detach_reset = detach_reset
        self.surrogate: Surrogate = surrogate
        self.slope = slope
        shape = (n_units,) if per_unit else ()
        self.log_tau = log_time_constant(tau_s, shape, learn_tau, spread=tau_spread, generator=generator)
        if tau_syn_s is None:
            self.log_tau_syn = None
        else:
            check_positive(tau_syn_s=tau_syn_s)
            self.log_tau_syn = log_time_constant(tau_syn_s, shape, learn_tau)
        self.params()  # refuses an unknown name now, not at the first batch

    def params(self) -> LIFParams:
        """Return the parameters of the operation for the present time constants."""
        return LIFParams(
            decay=decay_of(self.log_tau, self.dt_s),
            current_decay=None if self.log_tau_syn is None else decay_of(self.log_tau_syn, self.dt_s),
            reset=self.reset,
            detach_reset=self.detach_reset,
            surrogate=self.surrogate,
            slope=self.slope,
        )

    @property
    def tau_s(self) -> Float[Tensor, "*unit"]:
        """Membrane time constants in seconds."""
        return self.log_tau.detach().exp()

    def forward(
        self, current: Float[Tensor, "batch time unit"], state: LIFState | None = None
    ) -> tuple[Float[Tensor, "batch time unit"], LIFState]:
        """Return the spikes of a sequence and the state after it."""
        return lif(current, self.params(), state)

    def step(
        self, current: Float[Tensor, "batch unit"], state: LIFState | None = None
    ) -> tuple[Float[Tensor, "batch unit"], LIFState]:
        """Return the spikes of one time step and the state after it."""
        return lif_step(current, self.params(), state)
