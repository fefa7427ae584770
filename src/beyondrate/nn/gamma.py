"""The memory and the spike code of SpikingGamma units as modules."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from beyondrate.ops.gamma import (
    Mode,
    Scale,
    bucket_scale,
    gamma_after,
    gamma_step,
    time_constants,
    transition,
)
from beyondrate.ops.sigma_delta import Code, SigmaDeltaParams, sigma_delta, sigma_delta_step, spatial_ratio

Memory = Float[Tensor, "batch bucket unit"]


class GammaMemory(nn.Module):
    """The buckets that the spikes of a group of units feed: a smoothed past of each, about 21 T long.

    Args:
        n_buckets: K, buckets a unit.
        memory_s: T in seconds; the time constants are τ_k = -T / ln l_k, l_k = 0.1 … 0.9.
        dt_s: time step in seconds.
        mode: "exact" (the continuous chain at any dt) or "cascade" (the classic one-step chain).
        scale: how the buckets are scaled when read: "dc", "mass" or "rms", see ``beyondrate.ops.gamma``.
        learn_tau: let log τ have a gradient; the plain torch path then runs, which is far slower.

    Raises:
        InputError: if a number is not positive or a name is unknown.

    Example:
        >>> memory = GammaMemory(8, memory_s=0.005, dt_s=0.001)
        >>> memory(torch.ones(2, 50, 3)).shape, round(1000 * memory.mean_life_s)
        (torch.Size([2, 8, 3]), 105)
    """

    def __init__(
        self,
        n_buckets: int = 8,
        *,
        memory_s: float,
        dt_s: float,
        mode: Mode = "exact",
        scale: Scale = "dc",
        learn_tau: bool = False,
    ) -> None:
        super().__init__()
        self.n_buckets = n_buckets
        self.dt_s = dt_s
        self.mode: Mode = mode
        self.scale: Scale = scale
        self._fixed_tau_s = time_constants(n_buckets, memory_s)
        self.log_tau = nn.Parameter(self._fixed_tau_s.log().float()) if learn_tau else None
        self._made: dict[tuple[torch.dtype, torch.device], tuple[Tensor, Tensor]] = {}
        self.constants(torch.zeros(()))  # refuses a bad setting now, not at the first batch

    @property
    def tau_s(self) -> Float[Tensor, " bucket"]:
        """Time constants in seconds."""
        return self._fixed_tau_s if self.log_tau is None else self.log_tau.exp()

    @property
    def mean_life_s(self) -> float:
        """Σ τ_k, how long a spike stays in the chain on average: about the longest delay it can hold."""
        return float(self.tau_s.detach().sum())

    def constants(self, like: Tensor) -> tuple[Float[Tensor, "bucket bucket"], Float[Tensor, " bucket"]]:
        """Return M and the scales s_k for tensors such as ``like``."""
        if self.log_tau is not None:
            return self._make(like)
        key = like.dtype, like.device
        if key not in self._made:
            with torch.inference_mode(False):  # else they could not be used in training later
                self._made[key] = self._make(like)
        return self._made[key]

    def _make(self, like: Tensor) -> tuple[Tensor, Tensor]:
        chain = transition(self.tau_s, self.dt_s, self.mode)
        return chain.to(like), bucket_scale(self.tau_s, self.scale).to(like)

    def forward(self, u: Float[Tensor, "batch time unit"], memory: Memory | None = None) -> Memory:
        """Return the buckets after the input ``u``; ``memory`` is what was in them before (None: empty)."""
        return gamma_after(memory, u, self.constants(u)[0])

    def step(self, u: Float[Tensor, "batch unit"], memory: Memory | None = None) -> Memory:
        """Return the buckets a time step later, with the input ``u`` in the first."""
        before = u.new_zeros(len(u), self.n_buckets, u.shape[1]) if memory is None else memory
        return gamma_step(before, u, self.constants(u)[0])


class SigmaDelta(nn.Module):
    """Units that code max(x, 0) in adaptive sigma-delta spikes, into the buckets of ``memory``.

    Args:
        theta0, mf, rho, n_max, code: see ``SigmaDeltaParams``.

    Raises:
        InputError: if a value is out of range.

    Example:
        >>> memory, encoder = GammaMemory(8, memory_s=0.005, dt_s=0.001), SigmaDelta(theta0=0.1)
        >>> spikes, state = encoder(torch.ones(1, 50, 2), memory)
        >>> int((spikes > 0).sum()), state.sum(1).tolist()  # doctest: +ELLIPSIS
        (2, [[0.897..., 0.897...]])
    """

    def __init__(
        self,
        *,
        theta0: float = 0.1,
        mf: float | None = None,
        rho: float = 1.0,
        n_max: int | None = None,
        code: Code = "sum",
    ) -> None:
        super().__init__()
        self.params = SigmaDeltaParams(theta0=theta0, mf=mf, rho=rho, n_max=n_max, code=code)

    def forward(
        self,
        x: Float[Tensor, "batch time unit"],
        memory: GammaMemory,
        state: Memory | None = None,
        *,
        gated: bool = True,
    ) -> tuple[Float[Tensor, "batch time unit"], Memory]:
        """Return the spike heights of a sequence and the buckets after it."""
        return sigma_delta(x, memory.constants(x)[0], self.params, state, gated=gated)

    def step(
        self,
        x: Float[Tensor, "batch unit"],
        memory: GammaMemory,
        state: Memory | None = None,
        *,
        gated: bool = True,
    ) -> tuple[Float[Tensor, "batch unit"], Memory]:
        """Return the spike heights of one time step and the buckets with them."""
        return sigma_delta_step(x, memory.constants(x)[0], self.params, state, gated=gated)

    def ratio(self, memory: GammaMemory) -> Float64[Tensor, " bucket"]:
        """Return how the buckets follow a slow value, which is what the rule "spatial" lets pass."""
        return spatial_ratio(memory.tau_s.detach(), self.params)
