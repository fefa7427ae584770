from __future__ import annotations

import itertools
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.errors import InputError
from beyondrate.nn import MeanMembrane, SpikeRows, SpikingNet, initialise_from_data

PROPERTY = settings(max_examples=15, deadline=None, derandomize=True)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def dense_spikes(seed=0, shape=(3, 24, 12), share=0.3):
    return (torch.rand(shape, generator=seeded(seed)) < share).double()


def rows_of(x):
    batch, time, unit = x.shape
    at = x.reshape(-1, unit).nonzero()
    indptr = torch.zeros(batch * time + 1, dtype=torch.int64)
    indptr[1:] = torch.bincount(at[:, 0], minlength=batch * time).cumsum(0)
    return SpikeRows(indptr, at[:, 1].int(), batch, time, unit)


def live_net(seed=0, **options):
    options = {"dt_s": 0.01, "hidden": (10, 8), "delay_range_s": (0.0, 0.08), **options}
    net = SpikingNet(12, 4, generator=seeded(seed), **options).double()
    initialise_from_data(net, dense_spikes(9))
    return net


KINDS = [
    {},
    {"tau_syn_s": 0.02, "tau_per_unit": True, "tau_spread": 3.0},
    {"delays": "learned", "reset": "soft"},
    {"delays": "frozen", "readout": "spikes", "dropout": 0.2, "bias": False},
    {"delays": "learned", "delay_mode": "floor", "surrogate": "atan", "slope": 3.0},
    {"delays": "learned", "delay_mode": "central", "surrogate": "triangle", "slope": 1.0},
    {"delays": "learned", "delay_kind": "synaptic", "surrogate": "sigmoid", "detach_reset": False},
    {"delays": "frozen", "delay_kind": "synaptic", "readout": "sum", "tau_syn_s": 0.02},
]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_and_tensors_give_the_same_and_every_parameter_learns(kind):
    net, x = live_net(**kind), dense_spikes()
    net.eval()
    if kind.get("delay_kind") == "synaptic":  # these have no gradient in evaluation
        net.train()
    out = net(x)
    assert out.shape == (3, 24, 4)
    assert out.abs().sum() > 0
    assert all(0 < h.mean() < 1 for h in net.hidden_spikes(x))
    torch.testing.assert_close(net(rows_of(x)), out, rtol=0, atol=1e-10)
    out.square().sum().backward()
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad.abs().sum() > 0, name
    learned = sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert net.n_parameters == learned


@pytest.mark.parametrize("kind", KINDS)
@PROPERTY
@given(cuts=st.lists(st.integers(0, 24), max_size=3))
def test_any_split_and_single_steps_give_what_the_whole_gives(kind, cuts):
    net, x = live_net(**kind).eval(), dense_spikes()
    whole = net(x)
    pieces, state = [], None
    for first, stop in itertools.pairwise([0, *sorted(cuts), 24]):
        out, state = net.sequence(x[:, first:stop], state)
        pieces.append(out)
    steps, stepped = [], None
    for t in range(24):
        out, stepped = net.step(x[:, t], stepped)
        steps.append(out)
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=0, atol=1e-10)
    torch.testing.assert_close(torch.stack(steps, 1), whole, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_net_is_built_again_from_its_config(kind):
    net = live_net(**kind)
    config = json.loads(json.dumps(net.config))
    again = SpikingNet.from_config(config).double()
    again.load_state_dict(net.state_dict())
    x = dense_spikes()
    assert again.config == net.config
    assert torch.equal(again.eval()(x), net.eval()(x))


@pytest.mark.parametrize("kind", KINDS)
def test_the_fast_gradients_are_those_of_plain_torch(kind, monkeypatch):
    """The whole network, every parameter: autograd through the steps of plain torch is the reference."""
    kind = {**kind, "dropout": 0.0}
    x = dense_spikes()
    fast, plain = live_net(**kind), live_net(**kind)

    def gradients(net):
        (net(x) * torch.linspace(-1, 1, 24, dtype=torch.float64)[:, None] ** 3).sum().backward()
        return {name: p.grad for name, p in net.named_parameters() if p.requires_grad}

    found = gradients(fast)
    for operation in ("lif", "delay", "sparse_linear"):
        monkeypatch.setattr(f"beyondrate.ops.{operation}.choose_backend", lambda *_: "reference")
    expected = gradients(plain)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert gradient.abs().max() > 1e-6, name
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"readout": "sum"},
        {"delays": "learned"},
        {"delays": "learned", "delay_kind": "synaptic", "delay_sigma_s": 0.01},
    ],
)
def test_gradients_behind_the_last_spikes_are_finite_differences(kind):
    """What comes after the last hidden layer's threshold is smooth: delays, weights and the readout's τ."""
    net, x = live_net(**kind), dense_spikes()
    smooth = [
        name
        for name, _ in net.named_parameters()
        if name.startswith("readout") or name == "hidden_layers.1.delay.delay_steps"
    ]
    assert len(smooth) == 2 + (kind.get("readout") != "sum") + ("delays" in kind)

    def outputs(*parameters):
        return torch.func.functional_call(net, dict(zip(smooth, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(outputs, tuple(net.get_parameter(name) for name in smooth))


@pytest.mark.parametrize("delay_kind", ["axonal", "synaptic"])
def test_delays_as_long_as_the_input_warn_once_with_the_remedy(delay_kind):
    net = live_net(delays="frozen", delay_kind=delay_kind)
    with torch.no_grad():
        delays = net.get_parameter(
            "hidden_layers.1.delay.delay_steps" if delay_kind == "axonal" else "readout_linear.delay_steps"
        )
        delays.view(-1)[:3] = torch.tensor([4.9, 5.0, 7.0])
        others = [p for name, p in net.named_parameters() if "delay_steps" in name and p is not delays]
        others[0].zero_()
        delays.view(-1)[3:] = 0
    net(dense_spikes())
    message = rf"2 of {delays.numel()} delays are as long as the sequence of 5 steps.*0.04"
    with pytest.warns(UserWarning, match=message):
        net(dense_spikes()[:, :5])
    net(rows_of(dense_spikes()[:, :5]))  # no second warning: the tests' settings would make it an error


def test_export_sees_the_operations():
    net, x = live_net().eval(), dense_spikes()
    graph = torch.export.export(net, (x,)).module()
    assert {
        "beyondrate.spike_linear.default",
        "beyondrate.lif.default",
        "beyondrate.leaky_integrate.default",
    } <= {str(node.target) for node in graph.graph.nodes}
    torch.testing.assert_close(graph(x), net(x), rtol=0, atol=1e-12)


def test_the_seed_decides_the_weights_the_delays_and_the_dropout():
    options = {"delays": "learned", "dropout": 0.3}
    x = dense_spikes()
    assert torch.equal(live_net(1, **options)(x), live_net(1, **options)(x))
    one, other = live_net(1, **options).state_dict(), live_net(2, **options).state_dict()
    for name in (
        "hidden_layers.0.linear.weight",
        "hidden_layers.1.delay.delay_steps",
        "readout_linear.weight",
    ):
        assert not torch.equal(one[name], other[name])


def test_nets_of_one_seed_differ_in_their_delays_only():
    plain, frozen, learned = (
        SpikingNet(12, 4, dt_s=0.01, delays=delays, generator=seeded(3)).state_dict()
        for delays in (None, "frozen", "learned")
    )
    for name, value in plain.items():
        assert torch.equal(value, frozen[name])
    for name, value in frozen.items():
        assert torch.equal(value, learned[name])
    assert len(frozen) == len(plain) + 2
    synaptic = SpikingNet(12, 4, dt_s=0.01, delays="learned", delay_kind="synaptic", generator=seeded(3))
    for name, value in plain.items():
        assert torch.equal(value, synaptic.state_dict()[name])


def test_the_parameters_are_counted():
    plain = SpikingNet(700, 20, dt_s=0.01)
    weights = 700 * 128 + 128 + 128 * 128 + 128 + 128 * 20 + 20
    assert plain.n_parameters == weights + 3
    assert SpikingNet(700, 20, dt_s=0.01, delays="learned").n_parameters == weights + 3 + 256
    assert SpikingNet(700, 20, dt_s=0.01, delays="frozen").n_parameters == weights + 3
    synaptic = SpikingNet(700, 20, dt_s=0.01, delays="learned", delay_kind="synaptic")
    assert synaptic.n_parameters == weights + 3 + 128 * 128 + 128 * 20
    assert SpikingNet(700, 20, dt_s=0.01, readout="sum").n_parameters == weights + 2
    assert SpikingNet(700, 20, dt_s=0.01, tau_per_unit=True).n_parameters == weights + 256 + 1


def test_it_learns_an_order_that_counts_do_not_show():
    """Two groups of units fire one after the other; the class is which comes first."""
    labels = torch.arange(120) % 2
    x = torch.zeros(120, 30, 12)
    generator = seeded(5)
    for sample, label in enumerate(labels.tolist()):
        for group in range(2):
            start = 4 if (group == 0) == (label == 0) else 16
            steps = torch.randint(start, start + 8, (6,), generator=generator)
            x[sample, steps, torch.arange(6) + 6 * group] = 1
    assert torch.equal(x.sum(1)[0], x.sum(1)[1])
    net = SpikingNet(12, 2, dt_s=0.01, hidden=(32,), tau_s=0.05, generator=seeded(0))
    initialise_from_data(net, x[:60])
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    loss = MeanMembrane()
    for _ in range(60):
        optimiser.zero_grad()
        loss(net(x[:60]), labels[:60]).backward()
        optimiser.step()
    accuracy = (loss.scores(net(x[60:])).argmax(1) == labels[60:]).float().mean()
    assert accuracy > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delays": "some"}, "delays is 'some'"),
        ({"readout": "mean"}, "readout is 'mean'"),
        ({"delay_kind": "dendritic"}, "delay_kind is 'dendritic'"),
        ({"hidden": ()}, r"hidden is \(\)"),
        ({"hidden": (5, 0)}, r"hidden is \(5, 0\)"),
        ({"tau_s": -1.0}, "tau_s is -1.0"),
        ({"readout_tau_s": 0.0}, "tau_s is 0.0"),
        ({"dropout": 1.5}, "dropout is 1.5"),
        ({"surrogate": "box"}, "surrogate is 'box'"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        SpikingNet(5, 2, **{"dt_s": 0.01, **options})
