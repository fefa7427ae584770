"""A convolutional LIF network is a dense one with shared weights; it learns, it starts awake, it is kept."""

from __future__ import annotations

import pytest
import torch

import beyondrate as br
from beyondrate.nn import Conv, ConvSpikingNet, MeanMembrane
from beyondrate.nn.operations import operations
from beyondrate.ops.lif import leaky_integrate
from beyondrate.training import load_checkpoint, save_checkpoint

SHAPE = (2, 6, 5)
N_UNITS = 60


def conv_net():
    generator = torch.Generator().manual_seed(0)
    hidden = [Conv(3, 3, 2), Conv(4, 3, 1)]
    return ConvSpikingNet(
        N_UNITS, 4, dt_s=0.01, hidden=hidden, input_shape=SHAPE, tau_s=0.03, generator=generator
    )


def frames(n_samples=5, n_steps=20, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(n_samples, n_steps, N_UNITS, generator=generator) < 0.15).float()


def awake():
    """Return a network whose layers all spike."""
    net = conv_net()
    net.initialise_from_data(frames())
    with torch.no_grad():
        for bias in net.biases:
            bias.uniform_(-0.1, 0.3, generator=torch.Generator().manual_seed(2))
    return net


def test_a_convolution_is_a_linear_map_with_shared_weights():
    net = awake()
    sizes = [wiring.n_out for wiring in net.wirings[:-1]]
    dense = ConvSpikingNet(N_UNITS, 4, dt_s=0.01, hidden=sizes, tau_s=0.03)
    with torch.no_grad():
        for layer, (wiring, n_in) in enumerate(zip(net.wirings, [N_UNITS, *sizes], strict=True)):
            dense.weights[layer].copy_(wiring.apply(torch.eye(n_in)[None], net.weights[layer])[0].T)
            dense.biases[layer].copy_(net.biases[layer].repeat_interleave(wiring.n_out // wiring.channels))
    x = frames(seed=3)
    assert all(0.01 < h.detach().mean() < 0.9 for h in net.hidden_spikes(x))
    for ours, theirs in zip(net.hidden_spikes(x), dense.hidden_spikes(x), strict=True):
        assert torch.equal(ours, theirs)
    torch.testing.assert_close(net(x), dense(x), rtol=1e-5, atol=1e-5)
    assert net.n_parameters < dense.n_parameters


def test_every_parameter_is_told_its_error():
    net = awake()
    MeanMembrane()(net(frames()), torch.tensor([0, 1, 2, 3, 0])).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())


def test_membranes_start_at_the_threshold_s_size():
    net, x = conv_net(), frames()
    net.initialise_from_data(x)
    membrane, _ = leaky_integrate(net._current(0, x), net.units[0].params().decay)
    assert membrane.square().mean().sqrt().item() == pytest.approx(1, rel=1e-4)
    assert all(h.detach().mean() > 0.01 for h in net.hidden_spikes(x))
    with pytest.raises(br.InputError, match="hidden layer 1"):
        conv_net().initialise_from_data(torch.zeros(2, 3, N_UNITS))


def test_operations_are_targets_of_spikes_and_units_steps():
    net = awake()
    x = frames(n_samples=2)
    spikes = [x, *net.hidden_spikes(x)]
    matrices = [
        wiring.apply(torch.eye(h.shape[-1])[None], torch.ones_like(weight))[0]
        for wiring, weight, h in zip(net.wirings, net.weights, spikes, strict=True)
    ]
    by_hand = sum(float((h @ m).detach().sum()) for h, m in zip(spikes, matrices, strict=True)) / 2
    counted = operations(net, x)
    assert counted.synaptic == pytest.approx(by_hand) and by_hand > 100
    assert counted.state == 20 * (27 + 36 + 4)


def test_it_is_kept_and_read_again(tmp_path):
    net = awake()
    save_checkpoint(net, tmp_path / "net.safetensors")
    again, _ = load_checkpoint(tmp_path / "net.safetensors")
    assert torch.equal(again(frames()), net(frames()))


def test_a_shape_that_is_not_the_units_is_refused():
    with pytest.raises(br.InputError, match="input_shape"):
        ConvSpikingNet(10, 2, dt_s=0.01, hidden=[Conv(2)], input_shape=SHAPE)
    with pytest.raises(br.InputError, match="rows and columns"):
        ConvSpikingNet(10, 2, dt_s=0.01, hidden=[Conv(2)])
