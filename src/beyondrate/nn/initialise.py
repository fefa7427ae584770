"""Initial weights from data: every layer starts with membranes that move around the threshold."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from beyondrate.errors import InputError
from beyondrate.nn.lif import LIF
from beyondrate.nn.linear import SpikeLinear
from beyondrate.nn.networks import SpikingNet, currents
from beyondrate.nn.synaptic_delay import SynapticDelayLinear
from beyondrate.nn.time_constants import check_positive
from beyondrate.ops.lif import leaky_integrate
from beyondrate.ops.sparse_linear import SpikeRows


@torch.no_grad()
def initialise_from_data(
    net: SpikingNet,
    batch: SpikeRows | Float[Tensor, "batch time unit"],
    *,
    membrane_spread: float = 1.0,
) -> None:
    """Scale each layer's weights on one batch, so that its membranes without reset spread as told.

    The spread is the root mean square over samples, time and units, in thresholds: too small and the layer is
    silent, too large and it fires at every step. Layers are scaled one after another, each on the spikes
    that the scaled layers below it send.

    Args:
        net: the network; its weights change in place.
        batch: training inputs, some hundred samples.
        membrane_spread: root mean square of the membranes without reset.

    Raises:
        InputError: if the spread is not positive, or a layer gets no input from this batch.

    Example:
        >>> net = SpikingNet(50, 2, dt_s=0.01, hidden=(64,), generator=torch.Generator().manual_seed(0))
        >>> batch = (torch.rand(8, 100, 50, generator=torch.Generator().manual_seed(1)) < 0.02).float()
        >>> before = int(net.hidden_spikes(batch)[0].sum())
        >>> initialise_from_data(net, batch)
        >>> before, int(net.hidden_spikes(batch)[0].sum()) > 1000
        (0, True)
    """
    check_positive(membrane_spread=membrane_spread)
    training = net.training
    net.eval()
    signal: SpikeRows | Tensor = batch
    for index, layer in enumerate(net.hidden_layers):
        _scale(layer.linear, layer.lif, signal, membrane_spread, f"hidden layer {index + 1}")
        signal, _ = layer(signal)
    if isinstance(net.readout, LIF):
        _scale(net.readout_linear, net.readout, signal, membrane_spread, "the readout")
    net.train(training)


def _scale(
    linear: SpikeLinear | SynapticDelayLinear,
    lif: LIF,
    signal: SpikeRows | Tensor,
    membrane_spread: float,
    name: str,
) -> None:
    params = lif.params()
    current, _ = currents(linear, signal)
    if params.current_decay is not None:
        current, _ = leaky_integrate(current, params.current_decay)
    membrane, _ = leaky_integrate(current, params.decay)
    spread = membrane.square().mean().sqrt()
    if not spread > 0:
        raise InputError(f"{name} gets no input from this batch", remedy="give a batch with spikes")
    linear.weight.mul_(membrane_spread / spread)
