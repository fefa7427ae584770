"""A linear map of spikes in which every connection has its own delay, random and frozen or learned."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from beyondrate.nn.delay_range import draw_delays
from beyondrate.nn.time_constants import check_positive
from beyondrate.ops.sparse_linear import SpikeRows

NARROWEST = 0.5  # steps: the kernel's width at the end of the annealing


class SynapticDelayLinear(nn.Module):
    """Each connection brings its spikes after its own delay (Hammouamri et al., ICLR 2024).

    current_j[t] = bias_j + Σ_i w_ji Σ_k g_ji[k] x_i[t - k], lags k = 0 .. max_delay

    In training, a learned delay d is a Gaussian over the lags, g[k] ∝ exp(-(k - d)² / 2σ²) with Σ_k g[k] = 1,
    so that d has a gradient; ``anneal`` narrows σ to half a step. In evaluation, and always if the delays
    are frozen, a delay is its nearest lag.

    Args:
        n_in: input units.
        n_out: output units.
        dt_s: time step in seconds.
        delay_range_s: the initial delays are drawn from U(low, high) seconds.
        max_delay_s: longest delay in seconds; None: the upper end of the range. Time and memory grow with it.
        initial_sigma_s: the kernel's width σ before annealing, in seconds; None: half of the longest delay.
        learned: let the delays have a gradient (else they stay random).
        bias: learn an offset for each output unit, starting at 0.
        generator: draws the weights, U(-1/√n_in, 1/√n_in), then the delays.

    Raises:
        InputError: if the range is not 0 <= low <= high, or a time is not positive.

    Example:
        >>> layer = SynapticDelayLinear(1, 1, dt_s=0.001, delay_range_s=(0.002, 0.002)).eval()
        >>> layer.weight.detach().fill_(1.0)
        tensor([[1.]])
        >>> current, state = layer(torch.tensor([[[1.0], [0.0], [0.0], [0.0]]]))
        >>> current.flatten().tolist()
        [0.0, 0.0, 1.0, 0.0]
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        dt_s: float,
        delay_range_s: tuple[float, float],
        max_delay_s: float | None = None,
        initial_sigma_s: float | None = None,
        learned: bool = True,
        bias: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if initial_sigma_s is not None:
            check_positive(initial_sigma_s=initial_sigma_s)
        bound = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(torch.empty(n_out, n_in).uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None
        delays = draw_delays((n_out, n_in), dt_s, delay_range_s, max_delay_s, generator)
        self.delay_steps = nn.Parameter(delays, requires_grad=learned)
        self.dt_s = dt_s
        self.max_steps = round((delay_range_s[1] if max_delay_s is None else max_delay_s) / dt_s)
        sigma = self.max_steps / 2 if initial_sigma_s is None else initial_sigma_s / dt_s
        self.initial_sigma = max(NARROWEST, sigma)
        self.sigma: Tensor
        self.register_buffer("sigma", torch.tensor(self.initial_sigma))
        self.constrain()

    @property
    def delay_s(self) -> Float[Tensor, "receiver sender"]:
        """The delays in seconds."""
        return self.delay_steps.detach() * self.dt_s

    @torch.no_grad()
    def constrain(self) -> None:
        """Bring the delays back into [0, max_delay_s]; call it after each step of the optimiser."""
        self.delay_steps.clamp_(min=0, max=self.max_steps)

    def anneal(self, progress: float) -> None:
        """Set σ for this share of the training: it falls exponentially until half of it."""
        share = min(1.0, 2 * progress)
        self.sigma.fill_(self.initial_sigma ** (1 - share) * NARROWEST**share)

    def kernel(self) -> Float[Tensor, "receiver sender lag"]:
        """Return what a spike adds to each output unit's current at each lag."""
        lags = torch.arange(self.max_steps + 1, device=self.weight.device)
        if self.training and self.delay_steps.requires_grad:
            distance = (lags - self.delay_steps[..., None]) / self.sigma
            share = torch.softmax(-0.5 * distance.square(), dim=-1)
        else:
            share = (lags == self.delay_steps.detach().round()[..., None]).to(self.weight)
        return self.weight[..., None] * share

    def forward(
        self,
        x: SpikeRows | Float[Tensor, "batch time sender"],
        state: Float[Tensor, "batch past sender"] | None = None,
    ) -> tuple[Float[Tensor, "batch time receiver"], Float[Tensor, "batch past sender"]]:
        """Return the currents of a sequence and the past spikes that the next piece of it needs."""
        spikes = x.dense().to(self.weight) if isinstance(x, SpikeRows) else x
        if state is None:
            state = spikes.new_zeros(spikes.shape[0], self.max_steps, spikes.shape[2])
        past_and_now = torch.cat([state, spikes], dim=1)
        next_state = past_and_now[:, spikes.shape[1] :]
        if spikes.shape[1] == 0:
            return spikes.new_zeros(*spikes.shape[:2], len(self.weight)), next_state
        # torch's conv1d slides the kernel unreversed over time: put the longest lag first
        current = nn.functional.conv1d(past_and_now.transpose(1, 2), self.kernel().flip(-1), self.bias)
        return current.transpose(1, 2), next_state

    def step(
        self, x: Float[Tensor, "batch sender"], state: Float[Tensor, "batch past sender"] | None = None
    ) -> tuple[Float[Tensor, "batch receiver"], Float[Tensor, "batch past sender"]]:
        """Return the currents of one time step and the past spikes that the next step needs."""
        current, next_state = self(x[:, None], state)
        return current[:, 0], next_state
