"""A layer of axonal delays, random and frozen or learned."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from beyondrate.errors import InputError
from beyondrate.nn.delay_range import draw_delays
from beyondrate.ops.delay import DELAY_MODES, DelayMode, delay, delay_step, initial_history


class AxonalDelay(nn.Module):
    """Each unit's spikes arrive later by its own delay, a parameter in time steps.

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
        if mode not in DELAY_MODES:
            raise InputError(f"delay mode is {mode!r}", remedy=f"give one of {', '.join(DELAY_MODES)}")
        self.dt_s = dt_s
        self.max_delay_s = max_delay_s
        self.mode: DelayMode = mode
        delays = draw_delays((n_units,), dt_s, delay_range_s, max_delay_s, generator)
        self.delay_steps = nn.Parameter(delays, requires_grad=learned)
        self.constrain()

    @property
    def delay_s(self) -> Float[Tensor, " unit"]:
        """The delays in seconds."""
        return self.delay_steps.detach() * self.dt_s

    @torch.no_grad()
    def constrain(self) -> None:
        """Bring the delays back into [0, max_delay_s]; call it after each step of the optimiser."""
        longest = None if self.max_delay_s is None else self.max_delay_s / self.dt_s
        self.delay_steps.clamp_(min=0, max=longest)

    def forward(
        self, x: Float[Tensor, "batch time unit"], state: Float[Tensor, "batch past unit"] | None = None
    ) -> tuple[Float[Tensor, "batch time unit"], Float[Tensor, "batch past unit"]]:
        """Return the delayed sequence and the past that the next piece of it needs."""
        return delay(x, self.delay_steps, state, mode=self.mode)

    def step(
        self, x: Float[Tensor, "batch unit"], state: Float[Tensor, "batch past unit"] | None = None
    ) -> tuple[Float[Tensor, "batch unit"], Float[Tensor, "batch past unit"]]:
        """Return the delayed input of one time step and the past that the next step needs."""
        past = initial_history(x, self.delay_steps) if state is None else state
        return delay_step(x, self.delay_steps, past, mode=self.mode)
