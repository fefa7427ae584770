"""A layer of axonal delays, random and frozen or learned."""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float
from torch import Tensor, nn

from beyondrate.errors import InputError
from beyondrate.nn.time_constants import check_positive
from beyondrate.ops.delay import DELAY_MODES, DelayMode, delay, delay_step, initial_history


class AxonalDelay(nn.Module):
    """Each unit's spikes arrive later by its own delay, kept in seconds.

    Args:
        n_units: number of units.
        dt_s: time step in seconds.
        delay_range_s: the initial delays are drawn from U(low, high) seconds.
        max_delay_s: longest delay in seconds; a delay as long as the sequence silences its unit, so give the
            duration less one step. None: no limit.
        learned: let the delays have a gradient (else they stay random).
        mode: "linear", "floor" or "central", see ``beyondrate.ops.delay``.
        generator: draws the delays.

    Raises:
        InputError: if the range is not 0 <= low <= high, or the mode is unknown.

    Example:
        >>> layer = AxonalDelay(1, dt_s=0.001, delay_range_s=(0.002, 0.002))
        >>> y, state = layer(torch.tensor([[[1.0], [0.0], [0.0], [0.0]]]))
        >>> y.flatten().tolist()
        [0.0, 0.0, 1.0, 0.0]
    """

    def __init__(
        self,
        n_units: int,
        *,
        dt_s: float,
        delay_range_s: tuple[float, float],
        max_delay_s: float | None = None,
        learned: bool = True,
        mode: DelayMode = "linear",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        low, high = delay_range_s
        check_positive(dt_s=dt_s)
        if max_delay_s is not None:
            check_positive(max_delay_s=max_delay_s)
        if not 0 <= low <= high:
            raise InputError(f"delay_range_s is ({low}, {high})", remedy="give 0 <= low <= high in seconds")
        if mode not in DELAY_MODES:
            raise InputError(f"delay mode is {mode!r}", remedy=f"give one of {', '.join(DELAY_MODES)}")
        self.dt_s = dt_s
        self.max_delay_s = max_delay_s
        self.mode: DelayMode = mode
        delays = torch.empty(n_units).uniform_(low, high, generator=generator)
        if max_delay_s is not None and bool((delays > max_delay_s).any()):
            warnings.warn(f"delays above max_delay_s = {max_delay_s} s are cut to it", stacklevel=2)
        self.delay_s = nn.Parameter(delays, requires_grad=learned)
        self.constrain()

    @property
    def steps(self) -> Float[Tensor, " unit"]:
        """The delays in time steps."""
        return self.delay_s / self.dt_s

    @torch.no_grad()
    def constrain(self) -> None:
        """Bring the delays back into [0, max_delay_s]; call it after each step of the optimiser."""
        self.delay_s.clamp_(min=0, max=self.max_delay_s)

    def forward(
        self, x: Float[Tensor, "batch time unit"], state: Float[Tensor, "batch past unit"] | None = None
    ) -> tuple[Float[Tensor, "batch time unit"], Float[Tensor, "batch past unit"]]:
        """Return the delayed sequence and the past that the next piece of it needs."""
        return delay(x, self.steps, state, mode=self.mode)

    def step(
        self, x: Float[Tensor, "batch unit"], state: Float[Tensor, "batch past unit"] | None = None
    ) -> tuple[Float[Tensor, "batch unit"], Float[Tensor, "batch past unit"]]:
        """Return the delayed input of one time step and the past that the next step needs."""
        steps = self.steps
        return delay_step(x, steps, initial_history(x, steps) if state is None else state, mode=self.mode)
