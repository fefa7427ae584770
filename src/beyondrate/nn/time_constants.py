"""Time constants as parameters, and the check of what must be positive."""

from __future__ import annotations

import math

import torch
from torch import nn

from beyondrate.errors import InputError


def log_time_constant(
    tau_s: float,
    shape: tuple[int, ...],
    learn: bool,
    *,
    spread: float = 1.0,
    generator: torch.Generator | None = None,
) -> nn.Parameter:
    """Return log τ as a parameter, so that τ stays positive; it starts at τ, or anywhere within its spread.

    With a spread above 1, each τ is drawn log-uniformly from τ / spread to τ * spread.
    """
    log_tau = torch.full(shape, tau_s).log()
    if spread != 1:
        log_tau += math.log(spread) * torch.empty(shape).uniform_(-1, 1, generator=generator)
    return nn.Parameter(log_tau, requires_grad=learn)


def check_positive(**values: float) -> None:
    """Refuse a value that is not positive.

    Raises:
        InputError: naming the value.
    """
    for name, value in values.items():
        if not value > 0:
            raise InputError(f"{name} is {value}", remedy=f"give a positive {name}")
