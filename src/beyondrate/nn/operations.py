"""What a network computes on a sample: operations that events cause, and those of every time step.

Synaptic operations are counted as for neuromorphic hardware (Merolla et al., Science 345:668, 2014): events
times fan-out, where an event is a spike in a time step, whatever its height. An input unit and a hidden
unit send them alike. State operations are the multiply-adds that every unit needs at every step, with or
without events, so they grow as the time step shrinks. K is the number of buckets, C = K (K + 1) / 2 the
non-zero entries of the exact memory's transition (2 K - 1 in the one-step cascade).

| | an event | a hidden unit's step | a readout unit's step |
|---|---|---|---|
| SpikingGamma | a multiply-add a target (K with per-synapse buckets) | 2 C + 2 K + 1 | C + K |
| LIF | an addition a target | 1 (2 with a current filter) | 1 |

A SpikingGamma unit steps its input's chain (C) and reads it (K), and if it is hidden also steps the chain of
its own estimate (C), sums it (K) and adapts its threshold (1). Comparisons, additions without a product,
delay lines and biases are not counted. There is one chain a target; chains that every sender keeps and every
target reads would cost K multiply-adds a synapse and step instead.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from beyondrate.nn.conv_lif import ConvSpikingNet
from beyondrate.nn.gamma_wiring import Wiring
from beyondrate.nn.networks import SpikingNet
from beyondrate.nn.spiking_gamma import SpikingGammaNet
from beyondrate.ops.sparse_linear import SpikeRows


class Operations(NamedTuple):
    """Operations a sample: events times fan-out, and multiply-adds of all units over all steps."""

    synaptic: float
    state: float


@torch.no_grad()
def operations(
    net: SpikingNet | SpikingGammaNet | ConvSpikingNet, x: SpikeRows | Float[Tensor, "batch time unit"]
) -> Operations:
    """Return the mean number of operations that a network, in evaluation mode, spends on a sample.

    Example:
        >>> net = SpikingNet(2, 8, dt_s=0.005, hidden=(64,))
        >>> x = torch.zeros(1, 32, 2)
        >>> x[0, 3, 0] = 1  # one event reaches 64 units, too weak to make any of them spike
        >>> operations(net, x)
        Operations(synaptic=64.0, state=2304.0)
    """
    net.eval()
    signals: list[Tensor] = [x.dense() if isinstance(x, SpikeRows) else x, *net.hidden_spikes(x)]
    n_samples, n_steps = signals[0].shape[:2]
    if isinstance(net, SpikingGammaNet):
        events, state = _gamma_events(net, signals), _gamma_state(net)
    elif isinstance(net, ConvSpikingNet):
        events = sum(_reached(wiring, signal) for wiring, signal in zip(net.wirings, signals, strict=True))
        state = sum(wiring.n_out for wiring in net.wirings)
    else:
        events, state = _lif_events(net, signals), _lif_state(net)
    return Operations(events / n_samples, float(state * n_steps))


def _gamma_events(net: SpikingGammaNet, signals: list[Tensor]) -> float:
    total = 0.0
    for synapse, signal in zip(net.synapses, signals, strict=True):
        total += _reached(synapse.wiring, signal) * (synapse.n_buckets if synapse.per_synapse else 1)
    return total


def _reached(wiring: Wiring, signal: Tensor) -> float:
    """Return how many targets all spikes reach; at the edge of a convolution's frame these are fewer."""
    ones = signal.new_ones(wiring.weight_shape)
    return float(wiring.apply((signal != 0).to(signal), ones).double().sum())


def _gamma_state(net: SpikingGammaNet) -> int:
    k = net.config["n_buckets"]
    chain = 2 * k - 1 if net.config["mode"] == "cascade" else k * (k + 1) // 2
    *hidden, readout = (synapse.wiring.n_out for synapse in net.synapses)
    return int(sum(hidden) * (2 * chain + 2 * k + 1) + readout * (chain + k))


def _lif_events(net: SpikingNet, signals: list[Tensor]) -> float:
    fan_outs = [*net.config["hidden"], net.config["n_classes"]]
    return float(sum(int((s != 0).sum()) * n for s, n in zip(signals, fan_outs, strict=True)))


def _lif_state(net: SpikingNet) -> int:
    filters = 1 if net.config["tau_syn_s"] is None else 2
    readout = filters if net.config["readout"] == "spikes" else 1
    return int(sum(net.config["hidden"]) * filters + net.config["n_classes"] * readout)
