"""Units that fire once: the closed form against integration in time, and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from beyondrate.errors import InputError
from beyondrate.nn import FirstSpikeNet, MeanMembrane
from beyondrate.nn.first_spike import NEVER, first_spike


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(n_in=5, n_out=40, n_samples=6):
    z = torch.exp(3 * torch.rand(n_samples, n_in, generator=seeded(1), dtype=torch.float64))
    weight = torch.empty(n_out, n_in, dtype=torch.float64).uniform_(-0.6, 1.2, generator=seeded(2))
    return z, weight


def test_the_closed_form_is_when_the_integrated_current_reaches_one():
    z, weight = drawn()
    found = first_spike(z, weight)
    at = np.linspace(0, 12, 240_001)  # in units of τ
    times = z.log().numpy()
    fired = 0
    for sample in range(len(z)):
        grown = np.where(at > times[sample][:, None], 1 - np.exp(-(at - times[sample][:, None])), 0)
        membrane = weight.numpy() @ grown
        for unit, course in enumerate(membrane):
            above = np.flatnonzero(course >= 1)
            if len(above) == 0:
                assert found[sample, unit] == NEVER or found[sample, unit].log() > at[-1]
                continue
            fired += 1
            assert found[sample, unit].log().item() == pytest.approx(at[above[0]], abs=1e-4)
    assert 50 < fired < 6 * 40  # some fire, others never


def test_gradients_are_those_of_finite_differences():
    z, weight = drawn()
    fires = first_spike(z, weight) < 1e3
    z.requires_grad_()
    weight.requires_grad_()
    assert fires.sum() > 50
    assert torch.autograd.gradcheck(lambda *x: first_spike(*x)[fires].log(), (z, weight), eps=1e-7, atol=1e-5)


def test_a_shift_in_time_changes_nothing_but_the_bins():
    net = FirstSpikeNet(3, 4, dt_s=0.005, hidden=(20,), generator=seeded())
    x = torch.zeros(1, 40, 3)
    x[0, [2, 9, 14], [0, 1, 2]] = 1.0
    assert torch.equal(net(x), net(x.roll(5, 1)))
    assert not torch.equal(net(x), net(x.flip(2)))
    later = x.clone()
    later[0, 30, 0] = 1.0  # only a unit's first spike counts
    assert torch.equal(net(later), net(x))


def test_units_fire_when_all_their_inputs_have():
    net = FirstSpikeNet(3, 4, dt_s=0.005, hidden=(20,), generator=seeded())
    with torch.no_grad():
        for weight in net.weights:
            weight -= 0.7
    x = torch.zeros(1, 40, 3)
    x[0, [2, 9, 14], [0, 1, 2]] = 1.0
    assert (net.spike_times(x)[1] == NEVER).any()
    net.constrain()
    assert all((weight.sum(1) > 1.2 - 1e-5).all() for weight in net.weights)
    assert all((z < NEVER).all() for z in net.spike_times(x))
    silent = net.spike_times(torch.zeros(2, 40, 3))
    assert all((z == NEVER).all() for z in silent)


def test_it_learns_which_of_two_inputs_comes_first():
    rng = np.random.default_rng(0)
    net = FirstSpikeNet(2, 2, dt_s=0.005, hidden=(20,), generator=seeded())
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(150):
        x, bins = torch.zeros(64, 40, 2), torch.from_numpy(rng.integers(0, 40, (64, 2)))
        x.scatter_(1, bins[:, None], 1.0)
        labels = (bins[:, 0] > bins[:, 1]).long()
        optimiser.zero_grad()
        MeanMembrane()(net(x), labels).backward()
        optimiser.step()
        net.constrain()
    assert (net(x)[:, 0].argmax(1) == labels).float().mean() > 0.9


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="least_sum"):
        FirstSpikeNet(2, 2, dt_s=0.005, least_sum=1.0)
    with pytest.raises(InputError, match="tau_s is 0"):
        FirstSpikeNet(2, 2, dt_s=0.005, tau_s=0.0)
    net = FirstSpikeNet(2, 3, dt_s=0.005, hidden=(4, 5))
    assert FirstSpikeNet.from_config(net.config).n_parameters == net.n_parameters == 2 * 4 + 4 * 5 + 5 * 3
