from __future__ import annotations

import pytest
import torch

from beyondrate.errors import InputError
from beyondrate.nn import SpikingNet, initialise_from_data
from beyondrate.nn.networks import currents
from beyondrate.ops.lif import leaky_integrate


def spikes(seed=0, share=0.03):
    return (torch.rand(8, 60, 40, generator=torch.Generator().manual_seed(seed)) < share).float()


def net(seed=0, **options):
    return SpikingNet(
        40, 3, dt_s=0.01, hidden=(50, 30), generator=torch.Generator().manual_seed(seed), **options
    )


def free_membrane(linear, lif, x):
    current, _ = currents(linear, x)
    params = lif.params()
    if params.current_decay is not None:
        current, _ = leaky_integrate(current, params.current_decay)
    return leaky_integrate(current, params.decay)[0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tau_syn_s": 0.02},
        {"delays": "frozen", "delay_range_s": (0.0, 0.1)},
        {"delays": "learned", "delay_kind": "synaptic", "delay_range_s": (0.0, 0.1)},
        {"dropout": 0.5},
    ],
)
@pytest.mark.parametrize("membrane_spread", [0.7, 1.5])
def test_every_layers_membranes_spread_as_told(options, membrane_spread):
    model, x = net(readout="spikes", **options), spikes()
    initialise_from_data(model, x, membrane_spread=membrane_spread)
    assert model.training
    model.eval()
    for layer in model.hidden_layers:
        spread = free_membrane(layer.linear, layer.lif, x).square().mean().sqrt()
        assert spread.item() == pytest.approx(membrane_spread, rel=1e-4)
        x, _ = layer(x)
    spread = free_membrane(model.readout_linear, model.readout, x).square().mean().sqrt()
    assert spread.item() == pytest.approx(membrane_spread, rel=1e-4)


def test_it_brings_a_silent_net_to_life_whatever_the_size_of_its_input():
    for share in (0.01, 0.2):
        model = net()
        silent = [int(h.sum()) for h in model.hidden_spikes(spikes(share=share))]
        initialise_from_data(model, spikes(share=share))
        rates = [h.mean().item() for h in model.hidden_spikes(spikes(seed=1, share=share))]
        assert silent[1] == 0
        assert all(0.01 < rate < 0.4 for rate in rates)


def test_what_cannot_be_scaled_is_refused():
    with pytest.raises(InputError, match="hidden layer 1 gets no input"):
        initialise_from_data(net(), torch.zeros(2, 10, 40))
    with pytest.raises(InputError, match="membrane_spread is 0"):
        initialise_from_data(net(), spikes(), membrane_spread=0)
