from __future__ import annotations

import json

import torch

from beyondrate.nn import CountMLP, MeanMembrane, SpikeRows


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_it_sees_counts_and_nothing_else():
    net = CountMLP(6, 3, generator=seeded(0))
    x = (torch.rand(4, 20, 6, generator=seeded(1)) < 0.3).float()
    net.fit_scaling(x.sum(1))
    shuffled = x[:, torch.randperm(20, generator=seeded(2))]
    assert not torch.equal(shuffled, x)
    torch.testing.assert_close(net(shuffled), net(x))
    assert not torch.allclose(net(1 - x), net(x))


def test_rows_and_tensors_give_the_same():
    net = CountMLP(3, 2, generator=seeded(0))
    rows = SpikeRows(torch.tensor([0, 1, 3, 3, 4]), torch.tensor([1, 2, 2, 0], dtype=torch.int32), 2, 2, 3)
    torch.testing.assert_close(net(rows), net(rows.dense()))
    assert net(rows).shape == (2, 1, 2)


def test_counts_are_scaled_by_the_training_statistics():
    counts = torch.tensor([[1.0, 7.0, 0.0], [3.0, 7.0, 4.0], [5.0, 7.0, 2.0]])
    net = CountMLP(3, 2)
    net.fit_scaling(counts)
    torch.testing.assert_close(net.mean, torch.tensor([3.0, 7.0, 2.0]))
    torch.testing.assert_close(net.std, torch.tensor([(8 / 3) ** 0.5, 1.0, (8 / 3) ** 0.5]))
    other = CountMLP.from_config(json.loads(json.dumps(net.config)))
    other.load_state_dict(net.state_dict())
    torch.testing.assert_close(other(counts[:, None]), net(counts[:, None]))


def test_the_seed_decides_the_weights():
    one, same, other = (CountMLP(5, 2, dropout=0.2, generator=seeded(s)) for s in (1, 1, 2))
    x = torch.ones(3, 4, 5)
    assert torch.equal(one(x), same(x))
    assert not torch.equal(one.eval()(x), other.eval()(x))
    assert one.n_parameters == 5 * 128 + 128 + 128 * 128 + 128 + 128 * 2 + 2


def test_it_learns_classes_that_differ_in_counts():
    labels = torch.arange(200) % 2
    rate = 0.1 + 0.1 * labels[:, None, None]
    x = (torch.rand(200, 50, 8, generator=seeded(0)) < rate).float()
    net = CountMLP(8, 2, generator=seeded(1))
    net.fit_scaling(x[:100].sum(1))
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-4)
    loss = MeanMembrane()
    for _ in range(60):
        optimiser.zero_grad()
        loss(net(x[:100]), labels[:100]).backward()
        optimiser.step()
    accuracy = (loss.scores(net(x[100:])).argmax(1) == labels[100:]).float().mean()
    assert accuracy > 0.9
