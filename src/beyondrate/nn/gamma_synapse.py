"""Synapses that read gamma buckets, in a sequence or in a step, with linear or convolutional wiring."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from beyondrate.nn.gamma import GammaMemory, Memory
from beyondrate.nn.gamma_wiring import Spikes, Wiring
from beyondrate.ops.gamma import gamma_powers, gamma_scan, gamma_scan_each


class Past(NamedTuple):
    """What a synapse reads in a sequence: spikes, and what the buckets held before (None: nothing)."""

    spikes: Spikes
    memory: Memory | None


class GammaSynapse(nn.Module):
    """Weighted buckets of all inputs, x_j = b_j + Σ_k s_k v_jk Σ_i w_ji m_ik (Koopman et al. 2026).

    Weights and biases start as U(-1/√n, 1/√n) for n inputs, bucket weights as N(0, 0.1).

    Args:
        wiring: which inputs reach which outputs.
        n_buckets: K.
        per_synapse: learn bucket weights v_jik for every synapse instead of v_jk for every channel; their
            product with w_ji is then one parameter.
        bucket_spread: standard deviation of the initial bucket weights.
        input_gain: factor on the inputs.
        generator: draws the parameters.
    """

    def __init__(
        self,
        wiring: Wiring,
        n_buckets: int = 8,
        *,
        per_synapse: bool = False,
        bucket_spread: float = 0.1,
        input_gain: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.wiring = wiring
        self.n_buckets = n_buckets
        self.input_gain = input_gain
        self.per_synapse = per_synapse
        bound = 1 / math.sqrt(math.prod(wiring.weight_shape[1:]))
        weight = torch.empty(wiring.weight_shape).uniform_(-bound, bound, generator=generator)
        self.bias = nn.Parameter(torch.empty(wiring.channels).uniform_(-bound, bound, generator=generator))
        if per_synapse:
            spread = torch.empty(n_buckets, *weight.shape).normal_(0, bucket_spread, generator=generator)
            self.weight = nn.Parameter(weight * spread)
            self.bucket_weight = None
        else:
            self.weight = nn.Parameter(weight)
            spread = torch.empty(n_buckets, wiring.channels).normal_(0, bucket_spread, generator=generator)
            self.bucket_weight = nn.Parameter(spread)

    def forward(
        self, past: Past | Memory, memory: GammaMemory, *, frozen: bool = False
    ) -> Float[Tensor, "batch *time out"]:
        """Return x of a sequence for a ``Past``, or of one step for the buckets as they are in it.

        ``frozen`` leaves the parameters without gradient.
        """
        weight, bias, gain = self.weights(memory, frozen=frozen)
        if isinstance(past, Past):
            return self._sequence(past, memory, weight, bias, gain)
        return self._read(past, weight, gain) + bias

    def rate(
        self, value: Float[Tensor, "batch *time unit"], memory: GammaMemory, ratio: Float[Tensor, " bucket"]
    ) -> Float[Tensor, "batch *time out"]:
        """Return what x is, without bias, where bucket k is ``ratio``_k times the input's value.

        The rule "spatial" passes errors through this map. The parameters get no gradient.
        """
        weight, _, gain = self.weights(memory, frozen=True)
        ratio = ratio.to(weight)
        if gain is None:
            weight = torch.tensordot(ratio, weight, 1)
        if value.dim() == 2:
            out = self.wiring.apply_dense(value[:, None], weight)[:, 0]
        else:
            out = self.wiring.apply(value, weight)
        return out if gain is None else out * (ratio @ gain)

    def weights(self, memory: GammaMemory, *, frozen: bool = False) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the weights (scaled if per synapse), and bias and gains (bucket, out) of every output.

        Weights per synapse have no gains; ``frozen`` leaves all without gradient.
        """
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        bucket_weight: Tensor | None = self.bucket_weight
        if frozen:
            weight, bias = weight.detach(), bias.detach()
            bucket_weight = None if bucket_weight is None else bucket_weight.detach()
        scale = self.input_gain * memory.constants(self.weight)[1]
        gain = None if bucket_weight is None else scale[:, None] * bucket_weight
        repeats = self.wiring.n_out // self.wiring.channels
        if repeats > 1:
            bias = bias.repeat_interleave(repeats)
            gain = None if gain is None else gain.repeat_interleave(repeats, dim=1)
        if gain is None:
            weight = torch.einsum("k,k...->k...", scale, weight)
        return weight, bias, gain

    def _sequence(
        self, past: Past, memory: GammaMemory, weight: Tensor, bias: Tensor, gain: Tensor | None
    ) -> Float[Tensor, "batch time out"]:
        chain, _ = memory.constants(weight)
        if gain is None:
            u = self.wiring.apply(past.spikes, weight.flatten(0, 1))
            x = gamma_scan_each(u.unflatten(2, (self.n_buckets, -1)), chain, bias)
        else:
            x = gamma_scan(self.wiring.apply(past.spikes, weight), gain, chain, bias)
        if past.memory is None or x.shape[1] == 0:
            return x
        powers = gamma_powers(chain, x.shape[1])
        if gain is None:
            left = torch.einsum("tkl,bli->btki", powers, past.memory).flatten(0, 1)
            return x + self._read(left, weight, gain).reshape(x.shape)
        left = self.wiring.apply_dense(past.memory, weight)
        return x + torch.einsum("tlj,blj->btj", torch.einsum("kj,tkl->tlj", gain, powers), left)

    def _read(self, buckets: Memory, weight: Tensor, gain: Tensor | None) -> Float[Tensor, "batch out"]:
        if gain is None:
            parts = [self.wiring.apply_dense(buckets[:, k : k + 1], weight[k]) for k in range(self.n_buckets)]
            return torch.cat(parts, 1).sum(1)
        return (gain * self.wiring.apply_dense(buckets, weight)).sum(1)
