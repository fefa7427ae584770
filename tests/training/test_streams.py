"""Streams show every sample whole and in its order; learning on them is decided by its seed and learns."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import beyondrate as br
from beyondrate import tasks
from beyondrate.nn import SpikingGammaNet
from beyondrate.training import TrainingSettings
from beyondrate.training.streams import Streams, _begun, fit_on_streams

DT_S = 0.005


def delay_net(**options):
    generator = torch.Generator().manual_seed(0)
    return SpikingGammaNet(
        2, 8, dt_s=DT_S, hidden=(32,), **{"rule": "spatial", "generator": generator, **options}
    )


def test_every_stream_shows_whole_samples_one_after_another():
    trains = tasks.delay.generate(12, seed=0)
    dense, n_streams = torch.from_numpy(trains.dense(DT_S)), 5
    streams = Streams(trains, DT_S, n_streams, np.random.default_rng(0))
    n_steps = trains.n_steps(DT_S)
    steps = [streams.step() for _ in range(6 * n_steps)]
    begins = torch.stack([step.begins for step in steps])
    seen = []
    for stream in range(n_streams):
        starts = begins[:, stream].nonzero().flatten().tolist()
        assert len({b - a for a, b in itertools.pairwise(starts[1:])}) == 1
        for start in starts[1:-1]:
            shown = torch.stack([step.x[stream] for step in steps[start : start + n_steps]])
            alike = (dense == shown).flatten(1).all(1).nonzero().flatten().tolist()
            assert int(steps[start].labels[stream]) in trains.labels[alike]
            seen += alike
    assert set(seen) == set(range(12))
    assert len({int(column.nonzero().flatten()[1]) for column in begins.T}) > 1  # they do not begin together


def test_a_stream_that_begins_is_at_rest_and_the_others_go_on():
    net = delay_net(dropout=0.3).train()
    x = torch.ones(3, 2)
    _, state = net.step(x, None, cut=True)
    begun = _begun(net, state, torch.tensor([True, False, False]))
    assert all(not memory[0].any() and torch.equal(memory[1:], before[1:].detach())
               for memory, before in zip(begun.memories, state.memories, strict=True))  # fmt: skip
    assert begun.memories[0][1:].any() and torch.equal(begun.kept[0][1:], state.kept[0][1:])
    fresh = net.step(x, begun)[0][0]
    alone = net.eval().step(x[:1], None)[0][0]
    assert fresh.shape == alone.shape


def test_learning_on_streams_learns_the_delays():
    training, validation = tasks.delay.generate(1500, seed=0), tasks.delay.generate(200, seed=1)
    settings = TrainingSettings(epochs=3, batch_size=64, learning_rate=3e-3)
    course = fit_on_streams(delay_net(), training, validation, dt_s=DT_S, settings=settings, seed=3)
    assert course.validation_accuracy > 0.4 and course.train_loss[-1] < course.train_loss[0]


def test_learning_on_streams_is_decided_by_its_seed():
    trains = tasks.delay.generate(40, seed=0)
    settings = TrainingSettings(epochs=2, batch_size=8, learning_rate=1e-3)
    nets = [delay_net(dropout=0.2) for _ in range(3)]
    for net, seed in zip(nets, (0, 0, 1), strict=True):
        fit_on_streams(net, trains, trains, dt_s=DT_S, settings=settings, seed=seed, update_every=3)
    first, second, other = ([p.detach() for p in net.parameters()] for net in nets)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], other[0])


def test_what_cannot_be_learned_on_streams_is_refused():
    trains = tasks.delay.generate(20, seed=0)
    settings = TrainingSettings(epochs=1, batch_size=4)
    refused = ({"rule": "gated"}, "streams"), ({"learn_tau": True}, "learn_tau"), ({}, "update_every")
    for options, words in refused:
        with pytest.raises(br.InputError, match=words):
            fit_on_streams(delay_net(**options), trains, trains, dt_s=DT_S, settings=settings, update_every=0)


def test_samples_drawn_anew_keep_their_labels():
    trains, other = tasks.delay.generate(20, seed=0), tasks.delay.generate(20, seed=5)
    settings = TrainingSettings(epochs=2, batch_size=4)
    course = fit_on_streams(
        delay_net(), trains, trains, dt_s=DT_S, settings=settings, redraw=lambda rng: trains
    )
    assert course.epochs == 2
    with pytest.raises(br.InputError, match="changed the labels"):
        fit_on_streams(delay_net(), trains, trains, dt_s=DT_S, settings=settings, redraw=lambda rng: other)


def test_what_is_no_number_changes_no_weight():
    trains, net = tasks.delay.generate(20, seed=0), delay_net()
    with torch.no_grad():
        net.synapses[0].weight[0, 0] = float("nan")
    before = [parameter.detach().clone() for parameter in net.parameters()]
    with pytest.raises(br.InputError, match="training loss became nan"):
        fit_on_streams(net, trains, trains, dt_s=DT_S, settings=TrainingSettings(epochs=1, batch_size=4))
    for parameter, old in zip(net.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.detach(), old, rtol=0, atol=0, equal_nan=True)
