"""Benchmarks: the ways do the same work, are timed in turns, and unknown names are refused."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
import torch

import beyondrate as br
from beyondrate.bench import networks, work
from beyondrate.bench.networks import PEERS, Size
from beyondrate.bench.timing import in_turns

SMALL = Size(batch=3, n_steps=7, n_units=11, hidden=(5, 4), n_classes=3, density=0.3)


@pytest.mark.parametrize(("long_s", "turn"), [(math.inf, ["a", "a", "b", "b"]), (0, ["a", "b"])])
def test_ways_are_timed_in_turns_after_one_round_that_does_not_count(long_s, turn, monkeypatch):
    """Short ones follow untimed runs of their own, one at least."""
    monkeypatch.setattr("beyondrate.bench.timing.LONG_S", long_s)
    monkeypatch.setattr("beyondrate.bench.timing.WARM_UP_S", 0)
    called = []
    timings = in_turns({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, rounds=2)
    assert called == ["a", "b", *turn, *turn]
    assert all(len(t.wall_s) == len(t.cpu_s) == 2 for t in timings.values())
    low, high = timings["a"].quartiles_s
    assert 0 <= low <= timings["a"].median_s <= high


def test_short_work_warms_up_for_as_long_as_it_says():
    called = []
    in_turns({"short": lambda: called.append(time.sleep(0.02))}, rounds=1)
    assert 4 <= len(called) <= 7  # one that does not count, those of a tenth of a second, the one timed


def test_random_rows_have_the_density_that_was_asked_for():
    size = Size(batch=20)
    rows = work.random_rows(size)
    assert len(rows.units) == pytest.approx(0.02 * 20 * 100 * 700, rel=0.05)
    assert rows.dense().max() == 1


def test_hidden_units_are_live_and_a_step_changes_every_weight():
    rows = work.random_rows(SMALL)
    network = work.live(networks.ours(SMALL), rows)
    assert all(spikes.mean() > 0 for spikes in network.hidden_spikes(rows))
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    work.training_step(network, rows, 3)()
    assert not [name for name, p in network.named_parameters() if torch.equal(p, before[name])]


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_computes_the_same_membranes(name):
    """With weights so small that nothing spikes, each peer's first layer is the same leaky integration."""
    pytest.importorskip(name)
    size = Size(batch=2, n_steps=6, n_units=4, hidden=(3,), n_classes=3, density=0.5)
    network = PEERS[name](size)
    readout = network.units[-1]
    current = torch.rand(size.n_steps, size.batch, 3, generator=torch.Generator().manual_seed(0))
    decay = np.exp(-networks.DT_S / networks.TAU_S)
    scale = 1 - decay if name == "norse" else 1.0  # norse's current is in units of its leak
    expected, membrane = [], torch.zeros(size.batch, 3)
    for step in current:
        membrane = decay * membrane + scale * step
        expected.append(membrane)
    torch.testing.assert_close(readout(current), torch.stack(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_learns(name):
    pytest.importorskip(name)
    network = PEERS[name](SMALL)
    x = work.random_rows(SMALL).dense()
    assert network(x).shape == (3, 7, 3)
    run = work.training_step(network, x, 3)
    before = network.maps[-1].bias.detach().clone()
    run()
    run()
    assert not torch.equal(network.maps[-1].bias, before)


def test_what_was_measured_is_kept(tmp_path):
    out = tmp_path / "bench.json"
    result = br.bench(["jitter"], rounds=1, memory=False, out=out)
    assert json.loads(out.read_text()) == result
    (row,) = result["rows"]
    assert row["way"] == "beyondrate" and row["median_s"] > 0


def test_memory_is_that_of_a_training_step():
    from beyondrate.bench.memory import peak_memory

    products = peak_memory("step", work.DENSE, (), 1)
    assert 6.5e6 < products < 2e9  # the first layer's currents alone: 128 samples, 100 steps, 128 units
    assert peak_memory("step", work.OURS, (), 1) < 1e9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"work": ["sleep"]}, "work"), ({"against": ["brian"]}, "peer"), ({"rounds": 0}, "rounds")],
)
def test_unknown_names_are_refused(arguments, words):
    with pytest.raises(br.InputError, match=words):
        br.bench(**arguments)


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_timed(tmp_path, monkeypatch):
    monkeypatch.setattr("beyondrate.bench.run.in_turns", lambda *_: pytest.fail("work was begun"))
    with pytest.raises(br.InputError, match="create the folder first"):
        br.bench(["jitter"], rounds=1, out=tmp_path / "none" / "bench.json")
