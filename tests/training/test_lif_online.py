"""E-prop and OTTT against back-propagation through time, and the streams that they learn from."""

from __future__ import annotations

import gc

import pytest
import torch

from beyondrate import tasks
from beyondrate.errors import InputError
from beyondrate.nn import EveryStep, LastStep, SpikingGammaNet, SpikingNet, initialise_from_data
from beyondrate.training import TrainingSettings, fit
from beyondrate.training.online import OnlineTrainer

LABELS = torch.tensor([0, 1, 2])


def spikes(n_steps=24):
    return (torch.rand(3, n_steps, 6, generator=torch.Generator().manual_seed(5)) < 0.3).double()


def live_net(**options):
    """Return a network in float64 that spikes, and not always."""
    options = {"dt_s": 0.004, "hidden": (10,), "tau_s": 0.02, "readout_tau_s": 0.03, **options}
    net = SpikingNet(6, 4, generator=torch.Generator().manual_seed(0), **options).double()
    initialise_from_data(net, spikes(), membrane_spread=2.0)
    assert all(0.02 < layer.detach().mean().item() < 0.6 for layer in net.hidden_spikes(spikes()))
    return net


class Recorder(torch.optim.SGD):
    """Keeps the gradients that it is given and changes nothing."""

    def __init__(self, net):
        super().__init__(net.parameters(), lr=0.0)
        self.net, self.seen = net, []

    def step(self):
        self.seen.append(
            {name: p.grad.clone() for name, p in self.net.named_parameters() if p.grad is not None}
        )


def online_gradient(net, rule, *, update_every=None, loss=None):
    recorder = Recorder(net)
    trainer = OnlineTrainer(net, recorder, lif_rule=rule, loss=loss, update_every=update_every, clip=1e9)
    value = trainer.trial(spikes(), LABELS)
    return value, recorder.seen


def gradient_through_time(net, loss):
    value = loss(net(spikes()), LABELS)
    value.backward()
    found = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    net.zero_grad(set_to_none=True)
    return value.item(), found


@pytest.mark.parametrize("loss", [EveryStep(), LastStep()])
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("tau", [{}, {"tau_per_unit": True, "tau_spread": 2.0}, {"learn_tau": False}])
def test_eprop_is_bptt_with_one_hidden_layer(loss, reset, tau):
    net = live_net(reset=reset, **tau)
    value, wanted = gradient_through_time(net, loss)
    found, (gradients,) = online_gradient(net, "eprop", loss=loss)
    assert found == pytest.approx(value, abs=1e-12)
    assert gradients.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert gradient.abs().max() > 1e-6, name
        torch.testing.assert_close(gradients[name], gradient, rtol=0, atol=1e-10, msg=name)


def test_eprop_is_bptt_in_the_upper_layers_of_a_deeper_net():
    net = live_net(hidden=(10, 8))
    _, wanted = gradient_through_time(net, EveryStep())
    _, (gradients,) = online_gradient(net, "eprop")
    for name in ("hidden_layers.1.linear.weight", "hidden_layers.1.lif.log_tau", "readout_linear.weight"):
        torch.testing.assert_close(gradients[name], wanted[name], rtol=0, atol=1e-10, msg=name)
    lower, exact = (g["hidden_layers.0.linear.weight"].flatten() for g in (gradients, wanted))
    assert torch.cosine_similarity(lower, exact, dim=0) > 0.5
    assert (lower - exact).abs().max() > 1e-6


def test_ottt_is_eprop_where_neither_the_readout_nor_the_reset_remembers():
    # hardly any memory in the readout, κ = exp(-1000), and a reset that leaves dv[t]/dv[t-1] as it is
    net = live_net(reset="soft", readout_tau_s=4e-6, learn_tau=True, hidden=(10, 8))
    _, (eprop,) = online_gradient(net, "eprop")
    _, (ottt,) = online_gradient(net, "ottt")
    for name, gradient in eprop.items():
        if name != "readout.log_tau":
            assert gradient.abs().max() > 1e-6, name
        torch.testing.assert_close(ottt[name], gradient, rtol=0, atol=1e-12, msg=name)


@pytest.mark.parametrize("options", [{"reset": "hard", "readout_tau_s": 4e-6}, {"reset": "soft"}])
def test_ottt_leaves_out_the_reset_and_the_readout_s_memory(options):
    net = live_net(**options)
    _, (eprop,) = online_gradient(net, "eprop")
    _, (ottt,) = online_gradient(net, "ottt")
    difference = eprop["hidden_layers.0.linear.weight"] - ottt["hidden_layers.0.linear.weight"]
    assert difference.abs().max() > 1e-4


def test_ottt_is_the_presynaptic_trace_times_the_error_of_the_step():
    net = live_net()
    x, (layer,) = spikes(), net.hidden_layers
    with torch.no_grad():
        decay, kappa = layer.lif.params().decay, torch.exp(-torch.tensor(0.004 / 0.03, dtype=torch.float64))
        membrane, total, trace = torch.zeros(3, 10).double(), torch.zeros(10, 6).double(), 0
        out = torch.softmax(net(x), -1) - torch.nn.functional.one_hot(LABELS, 4)[:, None]
        for t in range(x.shape[1]):
            trace = decay * trace + x[:, t]
            membrane = decay * membrane + layer.linear(x[:, t])
            slope = 1 / (5 * (membrane - 1).abs() + 1) ** 2
            error = (1 - kappa) * out[:, t] @ net.readout_linear.weight * slope
            total += error.T @ trace / (3 * x.shape[1])
            membrane = membrane * (membrane < 1)
    _, (gradients,) = online_gradient(net, "ottt")
    found = gradients["hidden_layers.0.linear.weight"]
    assert found.abs().max() > 1e-4
    torch.testing.assert_close(found, total, rtol=0, atol=1e-9)  # κ is kept as the log of a float32 τ


@pytest.mark.parametrize("rule", ["eprop", "ottt"])
def test_updates_share_out_the_trial(rule):
    net = live_net(hidden=(10, 8), dropout=0.3).eval()
    gradients = {}
    for every, n_updates in ((1, 24), (7, 4), (None, 1)):
        _, seen = online_gradient(net, rule, update_every=every)
        assert len(seen) == n_updates
        steps = [min(every or 24, 24 - (every or 24) * index) for index in range(n_updates)]
        gradients[every] = sum(
            n / 24 * each["hidden_layers.0.linear.weight"] for n, each in zip(steps, seen, strict=True)
        )
    torch.testing.assert_close(gradients[1], gradients[None], rtol=0, atol=1e-12)
    torch.testing.assert_close(gradients[7], gradients[None], rtol=0, atol=1e-12)


def test_dropout_silences_units_for_a_whole_trial():
    net = live_net(dropout=0.5)
    drawn = net.hidden_layers[0].dropout.get_extra_state()
    _, (gradients,) = online_gradient(net, "eprop")
    net.hidden_layers[0].dropout.set_extra_state(drawn)
    _, wanted = gradient_through_time(net, EveryStep())
    for name, gradient in wanted.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=0, atol=1e-10, msg=name)


@pytest.mark.parametrize("rule", ["eprop", "ottt"])
def test_memory_does_not_grow_with_the_stream(rule):
    net = live_net()
    trainer = OnlineTrainer(net, torch.optim.Adam(net.parameters(), 1e-3), lif_rule=rule)
    x, numbers = spikes(120), []
    for t in range(120):
        trainer.step(x[:, t], LABELS)
        if t in (10, 60, 119):
            gc.collect()
            alive = (each for each in gc.get_objects() if issubclass(type(each), torch.Tensor))
            numbers.append(sorted(each.numel() for each in alive))
    assert numbers[0] == numbers[1] == numbers[2]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"delays": "learned"}, "delays"),
        ({"tau_syn_s": 0.01}, "a current filter"),
        ({"readout": "spikes"}, "readout 'spikes'"),
        ({"detach_reset": False}, "the reset in its gradient"),
    ],
)
def test_what_has_no_traces_is_refused(options, named):
    net = SpikingNet(6, 4, dt_s=0.004, hidden=(5,), **options)
    optimiser = torch.optim.SGD(net.parameters(), 0.1)
    with pytest.raises(InputError, match=f"no traces for .*{named}"):
        OnlineTrainer(net, optimiser, lif_rule="eprop")


def test_rules_are_for_the_nets_that_they_are_of():
    lif, gamma = SpikingNet(6, 4, dt_s=0.004), SpikingGammaNet(6, 4, dt_s=0.004, rule="spatial")
    optimiser = torch.optim.SGD(lif.parameters(), 0.1)
    with pytest.raises(InputError, match="rule is 'rtrl'"):
        OnlineTrainer(lif, optimiser, lif_rule="rtrl")
    with pytest.raises(InputError, match=r"no online rule.*eprop"):
        OnlineTrainer(lif, optimiser)
    with pytest.raises(InputError, match="'ottt' is for LIF"):
        OnlineTrainer(gamma, optimiser, lif_rule="ottt")


@pytest.mark.parametrize("update_every", [None, 8])
def test_fit_learns_by_eprop(update_every):
    parts = [tasks.delay.generate(n, seed=n, n_classes=2, spacing_ms=40) for n in (640, 200)]
    net = SpikingNet(2, 2, dt_s=0.005, hidden=(20,), generator=torch.Generator().manual_seed(0))
    initialise_from_data(net, torch.from_numpy(parts[0].dense(0.005)).float())
    settings = TrainingSettings(epochs=3, learning_rate=3e-2, batch_size=32)
    made = fit(
        net,
        *parts,
        dt_s=0.005,
        loss=EveryStep(),
        settings=settings,
        lif_rule="eprop",
        update_every=update_every,
    )
    assert made.validation_accuracy > 0.8
