"""How delays are checked and drawn, and the warning that a delay is too long to be heard."""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float
from torch import Tensor

from beyondrate.errors import InputError
from beyondrate.nn.time_constants import check_positive


def draw_delays(
    shape: tuple[int, ...],
    dt_s: float,
    delay_range_s: tuple[float, float],
    max_delay_s: float | None,
    generator: torch.Generator | None,
) -> Float[Tensor, "*connection"]:
    """Return delays in time steps, drawn from U(low, high) seconds; warn if some are above ``max_delay_s``.

    Raises:
        InputError: if the time step or the limit is not positive, or the range is not 0 <= low <= high.
    """
    check_positive(dt_s=dt_s)
    if max_delay_s is not None:
        check_positive(max_delay_s=max_delay_s)
    low, high = delay_range_s
    if not 0 <= low <= high:
        raise InputError(f"delay_range_s is ({low}, {high})", remedy="give 0 <= low <= high in seconds")
    delays = torch.empty(shape).uniform_(low, high, generator=generator)
    if max_delay_s is not None and bool((delays > max_delay_s).any()):
        warnings.warn(f"delays above max_delay_s = {max_delay_s} s are cut to it", stacklevel=3)
    return delays / dt_s


def warn_of_silence(delay_steps: Float[Tensor, "*connection"], n_steps: int, dt_s: float) -> bool:
    """Warn if a delay is as long as a sequence of ``n_steps``, and say whether one is."""
    n_silent = int((delay_steps >= n_steps).sum())
    if n_silent:
        warnings.warn(
            f"{n_silent} of {delay_steps.numel()} delays are as long as the sequence of {n_steps} steps, and "
            f"their spikes never arrive; give max_delay_s = {(n_steps - 1) * dt_s:g} or less",
            stacklevel=3,
        )
    return n_silent > 0
