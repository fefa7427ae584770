"""What remains of a value after a time step, for a time constant that is learned by its logarithm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor


def decay_of(log_tau: Float[Tensor, "*unit"], dt_s: float) -> Float[Tensor, "*unit"]:
    """Return exp(-dt/τ), the share that remains after a step."""
    return torch.exp(-dt_s * torch.exp(-log_tau))


def decay_slope(log_tau: Float[Tensor, "*unit"], dt_s: float) -> Float[Tensor, "*unit"]:
    """Return how that changes with log τ: exp(-dt/τ) dt/τ."""
    rate = dt_s * torch.exp(-log_tau)
    return torch.exp(-rate) * rate


@dataclass(frozen=True)
class Leak:
    """The leak of units with log τ of their own each, or one for all; the time step is in seconds.

    Example:
        >>> Leak(torch.tensor(0.1).log(), dt_s=0.01).decay(3)
        tensor([0.9048, 0.9048, 0.9048])
    """

    log_tau: Float[Tensor, "*unit"]
    dt_s: float

    def decay(self, n_units: int) -> Float[Tensor, " unit"]:
        """Return each unit's decay."""
        return decay_of(self.log_tau, self.dt_s).expand(n_units)

    def values(self) -> tuple[Float64[np.ndarray, "*unit"], Float64[np.ndarray, "*unit"]]:
        """Return decays and their slopes by log τ, for kernels: without what keeps a way back to log τ."""
        rate = self.dt_s * np.exp(-self.log_tau.detach().double().numpy())
        decay = np.exp(-rate)
        return decay, decay * rate
