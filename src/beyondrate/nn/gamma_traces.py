"""Eligibility traces: how a hidden layer's buckets change with its parameters, kept up forward in time."""

from __future__ import annotations

import torch
from torch import Tensor

from beyondrate.errors import InputError
from beyondrate.nn.gamma import GammaMemory, Memory
from beyondrate.nn.gamma_synapse import GammaSynapse
from beyondrate.nn.gamma_wiring import Dense
from beyondrate.nn.spiking_gamma import GammaState, SpikingGammaNet
from beyondrate.ops.sigma_delta import trace_step

_UNITS_LAST = {"bias": "j", "bucket_weight": "cj"}  # the axes of each parameter; j are the layer's units


class EligibilityTraces:
    """E(t) = (I - e_1 qᵀ) M E(t-1) + e_1 ∂y(t)/∂w for every parameter w of every hidden layer.

    With D(t), what the loss of this step says about the layer's buckets, the gradient is Σ_t D(t) E(t): for
    the uppermost hidden layer that of the rule "full". The memory is that of K copies of the parameters for
    each sample, however long the stream.

    Args:
        net: a network of rule "eligibility".

    Raises:
        InputError: if the network has another rule, convolutions, or time constants that learn.
    """

    def __init__(self, net: SpikingGammaNet) -> None:
        if net.rule != "eligibility":
            raise InputError(f"rule is {net.rule!r}", remedy="give a network of rule 'eligibility'")
        if not all(isinstance(synapse.wiring, Dense) for synapse in net.synapses):
            raise InputError(
                "rule 'eligibility' has no traces for convolutions online", remedy="take rule 'spatial'"
            )
        self.net = net
        self._traces: list[dict[str, Tensor]] = [{} for _ in range(len(net.synapses) - 1)]

    def reset(self) -> None:
        """Forget, before a new trial."""
        self._traces = [{} for _ in self._traces]

    @torch.no_grad()
    def advance(self, state: GammaState) -> None:
        """Bring the traces to the time step that led to ``state``."""
        for layer, traces in enumerate(self._traces):
            inputs = state.memories[layer]
            if layer > 0 and state.kept is not None:
                inputs = inputs * state.kept[layer - 1][:, None]
            chain = self.net.memories[layer + 1].constants(inputs)[0]
            slopes = _slopes(self.net.synapses[layer], inputs, self.net.memories[layer])
            for name, slope in slopes.items():
                empty = slope.new_zeros(len(slope), len(chain), *slope.shape[1:])
                before = traces.get(name, empty)
                traces[name] = trace_step(before, slope, chain, self.net.encoder.params)

    @torch.no_grad()
    def add_gradients(self, state: GammaState) -> None:
        """Add D(t) E(t) to every parameter's ``grad``; D is that of the hidden buckets in ``state``."""
        for layer, traces in enumerate(self._traces):
            said = state.memories[layer + 1].grad
            if said is None:
                continue
            synapse = self.net.synapses[layer]
            for name, trace in traces.items():
                parameter = getattr(synapse, name)
                axes = _UNITS_LAST.get(name, "cji" if synapse.per_synapse else "ji")
                gradient = torch.einsum(f"bkj,bk{axes}->{axes}", said, trace)
                parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient


def _slopes(synapse: GammaSynapse, buckets: Memory, memory: GammaMemory) -> dict[str, Tensor]:
    """Return (batch, …parameter), ∂y_j/∂w for unit j's every parameter w, with the buckets as they are."""
    positive = (synapse(buckets, memory) > 0).to(buckets)
    scale = synapse.input_gain * memory.constants(buckets)[1]
    if synapse.bucket_weight is None:
        return {
            "bias": positive,
            "weight": torch.einsum("bj,k,bki->bkji", positive, scale, buckets),
        }
    gain = scale[:, None] * synapse.bucket_weight
    return {
        "bias": positive,
        "weight": torch.einsum("bj,kj,bki->bji", positive, gain, buckets),
        "bucket_weight": torch.einsum(
            "bj,k,bkj->bkj", positive, scale, synapse.wiring.apply_dense(buckets, synapse.weight)
        ),
    }
