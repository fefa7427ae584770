from __future__ import annotations

import pytest
import torch

from beyondrate.nn import LastStep, SpikingNet, coincidence_net, isi_net
from beyondrate.tasks import coincidence, isi
from beyondrate.training import TrainingSettings, fit, predict

DT_S = 1e-3


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_hidden_units_of_the_isi_net_hear_one_input_each():
    weight = isi_net(generator=seeded(0)).hidden_layers[0].linear.weight.detach()
    own = torch.zeros(100, 10, dtype=torch.bool)
    own[torch.arange(100), torch.arange(100) % 10] = True
    assert 0.65 < weight[own].mean() < 0.85  # U(.5, 1) + N(0, .05): standard error .015
    assert weight[~own].mean().abs() < 0.01
    assert 0.045 < weight[~own].std() < 0.055


def test_weights_of_the_coincidence_net_have_the_stated_spread():
    net = coincidence_net(n_units=600, n_hidden=300, generator=seeded(0))
    first, second = net.hidden_layers[0].linear.weight, net.readout_linear.weight
    assert first.mean().item() == pytest.approx(0.08, abs=0.001)
    assert first.std().item() == pytest.approx(0.03, abs=0.001)
    assert second.std().item() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("build", [isi_net, coincidence_net])
def test_they_have_one_time_constant_and_are_built_again_from_their_config(build):
    net = build(generator=seeded(1))
    assert [name for name, _ in net.named_parameters()] == [
        "hidden_layers.0.linear.weight",
        "hidden_layers.0.lif.log_tau",
        "readout_linear.weight",
    ]
    assert net.hidden_layers[0].lif.log_tau.shape == ()
    again = SpikingNet.from_config(net.config)
    again.load_state_dict(net.state_dict())
    x = (torch.rand(3, 200, net.config["n_units"], generator=seeded(2)) < 0.1).float()
    assert net(x).abs().max() > 0
    assert torch.equal(again(x), net(x))
    assert torch.equal(build(generator=seeded(1))(x), net(x))


def accuracy(net, train, test, settings):
    fit(net, train, train[:100], dt_s=DT_S, loss=LastStep(), settings=settings)
    return (predict(net, test, dt_s=DT_S, loss=LastStep()).argmax(1) == test.labels).mean()


def test_the_coincidence_net_learns_which_group_is_odd():
    settings = TrainingSettings(
        epochs=4, batch_size=16, learning_rate=1e-2, learning_rates={"readout_linear.weight": 5e-2}
    )
    train, test = coincidence.generate(1000, seed=0), coincidence.generate(200, seed=1)
    assert accuracy(coincidence_net(generator=seeded(0)), train, test, settings) >= 0.9


def test_the_isi_net_learns_intervals_of_equally_many_pairs():
    settings = TrainingSettings(epochs=3, batch_size=16, learning_rate=1e-2)
    train, test = (isi.generate(n, seed=n, n_rates=1, duration_ms=250) for n in (600, 200))
    assert accuracy(isi_net(generator=seeded(0)), train, test, settings) >= 0.85
