"""Operations, counted by hand."""

from __future__ import annotations

import torch

from beyondrate.nn import Conv, SpikingGammaNet, SpikingNet, operations


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def spikes(shape=(3, 20, 6)):
    return (torch.rand(shape, generator=seeded(1)) < 0.3).float()


def test_events_times_fan_out_and_a_leak_a_unit_and_step():
    net = SpikingNet(6, 4, dt_s=0.005, hidden=(10, 7), generator=seeded())
    with torch.no_grad():
        for layer in net.hidden_layers:
            layer.linear.weight.abs_().mul_(3)
    first, second = (float(h.detach().sum()) for h in net.hidden_spikes(spikes()))
    assert first > 10
    assert second > 10
    found = operations(net, spikes())
    assert found.synaptic == (float(spikes().sum()) * 10 + first * 7 + second * 4) / 3
    assert found.state == 20 * (10 + 7 + 4)
    filtered = SpikingNet(6, 4, dt_s=0.005, hidden=(10, 7), tau_syn_s=0.01)
    assert operations(filtered, spikes()).state == 20 * (2 * 17 + 4)


def test_a_graded_spike_is_one_event_and_chains_take_their_entries():
    net = SpikingGammaNet(6, 4, dt_s=0.005, hidden=(10,), n_buckets=3, input_gain=3.0, generator=seeded())
    (heights,) = net.hidden_spikes(spikes())
    events = int((heights > 0).sum())
    assert events > 5
    found = operations(net, spikes())
    assert found.synaptic == (float(spikes().sum()) * 10 + events * 4) / 3
    # hidden: two chains of 6 entries, reading and summing 3 buckets, the threshold; readout: a chain, reading
    assert found.state == 20 * (10 * (6 + 6 + 3 + 3 + 1) + 4 * (6 + 3))
    exact, cascade = (net.at(0.005, mode=mode, n_buckets=3) for mode in ("exact", "cascade"))
    assert operations(exact, spikes()).state - operations(cascade, spikes()).state == 20 * 24 * (6 - 5)


def test_an_event_reaches_the_places_under_a_kernel_only():
    net = SpikingGammaNet(9, 2, dt_s=0.005, hidden=(Conv(5, kernel=3),), input_shape=(1, 3, 3))
    x = torch.zeros(1, 4, 9)
    x[0, 0, 4] = 1.0  # the middle: all nine places of five channels
    x[0, 1, 0] = 1.0  # a corner: four
    (heights,) = net.hidden_spikes(x)
    assert operations(net, x).synaptic == 5 * (9 + 4) + 2 * int((heights > 0).sum())


def test_bucket_weights_a_synapse_cost_one_a_bucket():
    x = torch.zeros(1, 4, 6)
    x[0, 0, 0] = 1.0
    nets = (
        SpikingGammaNet(6, 4, dt_s=0.005, hidden=(10,), theta0=1e6, n_buckets=3, per_synapse=each)
        for each in (False, True)
    )
    assert [operations(net, x).synaptic for net in nets] == [10, 30]
