from __future__ import annotations

import pytest
import torch

from beyondrate.nn import LIF, SigmaDelta, SpikeLinear, SpikingGammaNet, SpikingNet
from beyondrate.ops.sparse_linear import SpikeRows

LIF_NETS = [
    {},
    {"tau_syn_s": 0.02, "reset": "soft", "detach_reset": False},
    {"tau_per_unit": True, "tau_spread": 3.0, "bias": False},
    {"delays": "learned", "delay_range_s": (0.0, 0.05)},
    {"readout": "spikes"},
    {"readout": "sum"},
]
GAMMA_NETS = [{"rule": "gated"}, {"rule": "full", "n_max": 2}]


def rows_of(density=0.3, batch=5, steps=30, units=12):
    raster = torch.rand(batch, steps, units, generator=torch.Generator().manual_seed(3)) < density
    indptr = torch.zeros(batch * steps + 1, dtype=torch.int64)
    indptr[1:] = raster.flatten(0, 1).sum(1).cumsum(0)
    return SpikeRows(indptr, raster.nonzero()[:, 2].to(torch.int32), batch, steps, units)


def lif_net(dropout=0.0, **settings):
    net = SpikingNet(
        12,
        3,
        dt_s=0.01,
        hidden=(9, 8),
        dropout=dropout,
        generator=torch.Generator().manual_seed(0),
        **settings,
    ).double()
    with torch.no_grad():
        for layer in net.hidden_layers:
            layer.linear.weight.mul_(4).abs_()
        net.readout_linear.weight.mul_(4)
    return net


def gamma_net(dropout=0.0, **settings):
    generator = torch.Generator().manual_seed(0)
    return SpikingGammaNet(
        12, 3, dt_s=0.01, hidden=(9, 8), memory_s=0.01, dropout=dropout, generator=generator, **settings
    ).double()


def output_and_gradients(net, x):
    net.zero_grad()
    out = net(x)
    (
        out * torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
    ).sum().backward()
    return out.detach(), {name: p.grad for name, p in net.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize(
    ("make", "settings"),
    [(lif_net, each) for each in LIF_NETS] + [(gamma_net, each) for each in GAMMA_NETS],
)
def test_stages_do_what_the_modules_do(make, settings, dropout):
    rows = rows_of()
    fused, modules = make(dropout, **settings), make(dropout, **settings)
    assert fused.runs_in_stages
    found, gradients = output_and_gradients(fused, rows)
    expected, expected_gradients = output_and_gradients(modules, rows.dense().double())
    assert found.abs().max() > 0.01
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    assert gradients.keys() == expected_gradients.keys()
    for name, grad in gradients.items():
        torch.testing.assert_close(grad, expected_gradients[name], rtol=1e-9, atol=1e-10)


def test_own_neurons_and_listeners_are_heard():
    class Own(LIF):
        """A user's neuron that never fires."""

        def forward(self, current, state=None):
            spikes, state = super().forward(current, state)
            return torch.zeros_like(spikes), state

    rows = rows_of()
    own = lif_net()
    own.hidden_layers[0].lif = Own(9, dt_s=0.01).double()
    assert not own.runs_in_stages
    assert not own.hidden_spikes(rows)[0].any()
    heard, listened = [], lif_net()
    listened.hidden_layers[1].lif.register_forward_hook(lambda *_: heard.append(1))
    listened(rows)
    assert heard == [1]
    listened = lif_net()
    listened.hidden_layers[0].register_forward_hook(lambda *_: heard.append(1))
    listened(rows)
    assert heard == [1, 1]
    encoders = gamma_net()
    encoders.encoder.register_forward_hook(lambda *_: heard.append(2))
    encoders(rows)
    assert heard == [1, 1, 2, 2]


def test_what_a_network_does_its_own_way_is_done(monkeypatch):
    rows = rows_of()

    class OwnSequence(SpikingNet):
        def sequence(self, x, state=None):
            out, state = super().sequence(x, state)
            return 0 * out, state

    class OwnEncoder(SpikingGammaNet):
        def _encode(self, *arguments):
            return 0 * super()._encode(*arguments)[0], *super()._encode(*arguments)[1:]

    class OwnForward(SpikingNet):
        """Which leaves the rest as it is."""

        def forward(self, x):
            return super().forward(x)

    assert not OwnSequence(12, 3, dt_s=0.01)(rows).any()
    assert not OwnEncoder(12, 3, dt_s=0.01).runs_in_stages
    assert OwnForward(12, 3, dt_s=0.01).runs_in_stages
    patched = lif_net()
    patched.sequence = lambda x, state=None: (torch.zeros(5, 30, 3), None)
    assert not patched(rows).any()
    for find in (
        lambda net: net.hidden_layers[0],
        lambda net: net.hidden_layers[1].lif,
        lambda net: net.readout,
    ):
        patched, called = lif_net(), []
        part, usual = find(patched), find(patched).forward
        part.forward = lambda *arguments, usual=usual, called=called: called.append(1) or usual(*arguments)
        patched(rows)
        assert called == [1]
    monkeypatch.setattr(LIF, "forward", lambda self, current, state=None: (torch.zeros_like(current), None))
    assert not lif_net(readout="spikes")(rows).any()


def test_who_listens_to_all_modules_hears_each(monkeypatch):
    heard = []
    handle = torch.nn.modules.module.register_module_forward_hook(lambda part, *_: heard.append(type(part)))
    try:
        lif_net()(rows_of())
        gamma_net()(rows_of())
    finally:
        handle.remove()
    assert heard.count(LIF) == 2 and heard.count(SigmaDelta) == 2
    assert lif_net().runs_in_stages
    monkeypatch.delattr("torch.nn.modules.module._has_any_global_hook")  # torch does not promise it
    assert lif_net().runs_in_stages


@pytest.mark.parametrize(
    "settings", [{"rule": "spatial"}, {"rule": "eligibility"}, {"per_synapse": True}, {"learn_tau": True}]
)
def test_gamma_nets_that_have_no_stages(settings):
    assert not gamma_net(**settings).runs_in_stages


def test_synaptic_delays_have_no_stages():
    net = lif_net(delays="learned", delay_kind="synaptic", delay_range_s=(0.0, 0.05))
    assert not net.runs_in_stages


@pytest.mark.parametrize("settings", [{}, {"tau_syn_s": 0.02, "dropout": 0.4}, {"readout": "spikes"}])
def test_a_layer_is_as_wide_as_its_weights(settings):
    """With one time constant a layer, module by module any width works: in stages too."""
    rows = rows_of()
    found = []
    for x in (rows, rows.dense().double()):
        net = lif_net(**settings)
        generator = torch.Generator().manual_seed(2)
        net.hidden_layers[1].linear = SpikeLinear(9, 300, generator=generator).double()
        net.readout_linear = SpikeLinear(300, 5, generator=generator).double()
        with torch.no_grad():
            net.hidden_layers[1].linear.weight.mul_(4).abs_()
            net.readout_linear.weight.mul_(4).abs_()
        assert net.runs_in_stages
        found.append(output_and_gradients(net, x))
    (out, gradients), (expected, expected_gradients) = found
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
    for name, grad in gradients.items():
        torch.testing.assert_close(grad, expected_gradients[name], rtol=1e-9, atol=1e-10)
