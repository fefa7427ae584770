"""The figures of SpikingGamma, end to end with tiny networks; their tasks, their measures, their claims."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch

import beyondrate as br
from beyondrate import tasks
from beyondrate.audit.outcomes import CLEAN, Answers, Outcomes
from beyondrate.jobs.results import write_json, write_result
from beyondrate.nn import EveryStep, SpikingNet
from beyondrate.reproduce.koopman2026 import (
    coding,
    delay,
    online,
    sparsity,
    timing_arms,
    timing_experiment,
    timing_training,
)
from beyondrate.reproduce.koopman2026.costs import Measured, spent
from beyondrate.reproduce.koopman2026.timing_arms import ARMS, first_spikes
from beyondrate.reproduce.koopman2026.timing_experiment import arm_at
from beyondrate.reproduce.koopman2026.timing_figures import not_below, same_nets, tries_notes
from beyondrate.reproduce.koopman2026.timing_tasks import TwoHeads, on_grid, timing_task
from beyondrate.reproduce.run import FIGURES

NAMES = [
    name
    for name, figure in FIGURES.items()
    if name.startswith("koopman2026/") and not figure.experiment.takes_data
]


@pytest.fixture
def small(monkeypatch):
    """Make every training a few updates and every test a few samples."""
    monkeypatch.setattr(timing_experiment, "UPDATES", {"quick": dict.fromkeys(("delay", "fine", "echo"), 1)})
    monkeypatch.setattr(timing_experiment, "TRY_UPDATES", timing_experiment.UPDATES)
    for name, n in (("N_VALIDATION", 16), ("N_TEST", 40), ("N_SIMULATED", 20)):
        monkeypatch.setattr(timing_experiment, name, {"quick": n})
    monkeypatch.setattr(timing_experiment, "FINER_DTS_MS", (2.5,))
    for module in (timing_experiment, delay):
        monkeypatch.setattr(module, "DTS_MS", (5.0, 1.0))
    monkeypatch.setattr(timing_arms, "BATCH", 8)
    monkeypatch.setattr(timing_experiment, "BATCH", 8)
    monkeypatch.setattr(coding, "DTS_MS", (10.0, 1.0))
    monkeypatch.setattr(online, "LENGTHS", (16, 64))
    monkeypatch.setattr(coding, "N_SIGNALS", {"quick": 2})


def test_every_figure_is_there():
    assert {name.partition("/")[2] for name in NAMES} == {
        "coding", "dt-invariance", "delay", "sparsity", "echo", "online", "ablation"
    }  # fmt: skip


@pytest.mark.usefixtures("small")
def test_every_figure_says_what_holds_and_trainings_are_shared(tmp_path):
    done = {}
    for name in NAMES:
        made = br.reproduce(name, out=tmp_path, workers=0, seeds=1)
        assert made.claims and made.panels and made.rows and made.notes
        assert all(series.x and len(series.x) == len(series.y) for p in made.panels for series in p.series)
        folder = tmp_path / name.partition("/")[2]
        with (folder / "results.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == len(made.rows)
        assert json.loads((folder / "results.json").read_text())["record"]["seconds"] > 0
        done[name] = made
    assert len(list(tmp_path.glob("timing-*"))) == 1
    (gated,) = tmp_path.glob("timing-*/jobs/delay_gated_5ms_0.json")
    before = gated.stat().st_mtime_ns
    again = br.reproduce("koopman2026/ablation", out=tmp_path, workers=0, seeds=1)
    assert gated.stat().st_mtime_ns == before
    assert again.rows == done["koopman2026/ablation"].rows
    variants = {row["variant"] for row in done["koopman2026/echo"].rows}
    assert variants == {"echo: distance", "echo: azimuth"}
    tested = {(row["perturbation"], row["level"]) for row in done["koopman2026/dt-invariance"].rows}
    assert {CLEAN, ("dt", 0.001), ("dt", 0.0025), (timing_experiment.SAME_EVENTS, 0.001)} <= tested
    assert all(row["spikes_per_unit"] <= row["quanta_per_unit"] for row in done["koopman2026/delay"].rows)
    assert all(row["state_operations"] > 100 for row in done["koopman2026/delay"].rows)
    assert any("Tries of LIF, e-prop, an update every 8 steps" in n for n in done["koopman2026/online"].notes)


def test_the_code_is_the_same_at_any_time_step_and_one_spike_a_step_is_not():
    errors = {}
    for code in ("sum", "sum, one spike a step"):
        for dt_s in (0.01, 0.0005):
            x = coding.signals(8, 2.0, dt_s, 4.0, seed=0)
            assert np.sqrt(np.mean(x**2)) == pytest.approx(1.0, abs=0.05)
            said, sent = coding.coded(x, coding.CODES[code], dt_s)
            assert sent.sum() > 300
            errors[code, dt_s] = np.sqrt(np.mean((said - np.maximum(x, 0)) ** 2))
    assert errors["sum", 0.01] == pytest.approx(errors["sum", 0.0005], rel=0.05)
    assert errors["sum, one spike a step", 0.01] > 1.2 * errors["sum, one spike a step", 0.0005]


def test_buckets_are_those_of_the_continuous_chain_and_the_cascade_s_are_not():
    assert coding.cascade_error(0.01, "exact") < 1e-10
    assert coding.cascade_error(0.01, "cascade") == pytest.approx(8.1, abs=0.1)
    areas = coding.responses(0.0005, 4000).sum(0) * 0.0005
    assert areas.numpy() == pytest.approx(np.ones(8), abs=0.15)  # sums over a grid, of the steepest too


def test_events_on_a_grid_are_the_same_at_any_finer_step():
    trains = tasks.delay.generate(60, seed=0)
    moved = on_grid(trains, 0.005)
    assert np.array_equal(moved.dense(0.005), trains.dense(0.005))
    fine = moved.dense(0.001)
    assert np.array_equal(fine[:, ::5], moved.dense(0.005))
    assert fine.sum() == trains.n_spikes


def test_two_heads_are_two_losses_and_the_best_pair_is_the_best_of_each():
    output = torch.randn(6, 9, 11, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 7, 29, 3, 11, 16])
    heads = output[..., :6], output[..., 6:]
    both = TwoHeads(EveryStep())
    separate = EveryStep()(heads[0], labels // 5) + EveryStep()(heads[1], labels % 5)
    torch.testing.assert_close(both(output, labels), separate)
    distance, azimuth = tasks.echo.distance_and_azimuth(both.scores(output).argmax(1).numpy())
    assert np.array_equal(distance, EveryStep().scores(heads[0]).argmax(1).numpy())
    assert np.array_equal(azimuth, EveryStep().scores(heads[1]).argmax(1).numpy())


def test_a_lif_net_below_threshold_does_not_depend_on_the_time_step():
    net = SpikingNet(2, 3, dt_s=0.004, hidden=(5,), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        net.hidden_layers[0].linear.weight.zero_()
        net.hidden_layers[0].linear.bias.fill_(0.001)
        net.readout_linear.weight.fill_(0.3)
    fine = timing_training.at(net, 0.001)
    membranes = [n.hidden_layers[0].linear.bias / (1 - np.exp(-n.config["dt_s"] / 0.1)) for n in (net, fine)]
    torch.testing.assert_close(*membranes)  # of the constant current
    events = torch.zeros(1, 10, 5), torch.zeros(1, 40, 5)
    events[0][0, 0], events[1][0, 3] = 1.0, 1.0  # the end of the first coarse step
    coarse_out, fine_out = (
        n.readout(n.readout_linear(x))[0] for n, x in zip((net, fine), events, strict=True)
    )
    torch.testing.assert_close(coarse_out, fine_out[:, 3::4], rtol=1e-4, atol=1e-6)
    assert coarse_out.abs().min() > 1e-3


def test_the_memory_of_learning_online_does_not_grow_with_time():
    assert online.online_bytes(8) == online.online_bytes(200) > 1000
    assert online.trial_bytes(200) > 2 * online.trial_bytes(50)


def test_first_spikes_tell_the_delay_and_nothing_else_is_told():
    trains = tasks.delay.generate(200, seed=3)
    first, second = first_spikes(trains, 0.001).counts().T
    assert np.abs((second - first) - 10 * trains.labels).max() <= 3
    training, validation = (timing_task("delay").generate(n, seed) for seed, n in enumerate((12_800, 300)))
    _, accuracy = timing_training.train(
        ARMS["latency"], timing_task("delay"), training, validation, dt_s=0.005, seed=0
    )
    assert accuracy > 0.8


def test_delays_are_learned_and_the_answer_stands_at_another_time_step():
    task = timing_task("delay")
    training, validation, test = (task.generate(n, seed) for seed, n in enumerate((150 * 64, 200, 400)))
    ready, _ = timing_training.train(ARMS["gated"], task, training, validation, dt_s=0.005, seed=0)
    test = on_grid(test, 0.005)
    own, finer = (timing_training.answers(ready, ARMS["gated"], test, dt_s) for dt_s in (0.005, 0.001))
    assert (own == test.labels).mean() > 0.8
    assert (own == finer).mean() > 0.9
    cost = spent(ready.network, test, 0.005)
    assert 0.2 < cost["spikes"] < cost["quanta"] < 40


@pytest.mark.parametrize(
    "arm", ["gated", "spatial-every-8", "exponential", "lif", "eprop-every-8", "ottt", "first-spike"]
)
def test_training_is_decided_by_its_seed(arm):
    task = timing_task("delay")
    parts = task.generate(128, 0), task.generate(32, 1)
    first, second, other = (
        timing_training.train(ARMS[arm], task, *parts, dt_s=0.005, seed=seed)[0].network.state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_every_arm_is_tried_nine_times_or_takes_what_such_an_arm_takes():
    for arm in ARMS.values():
        tried = arm if arm.tuned_with is None else ARMS[arm.tuned_with]
        assert tried.tuned_with is None
        assert tried.model == arm.model
        assert len({repr(each) for each in tried.tries}) == 9


def test_the_first_of_tries_as_good_as_the_best_is_taken(tmp_path):
    job = timing_experiment.TimingJob("delay", "theta-1", 5.0, 3)
    tried = timing_experiment.tries_of(job)
    assert (tried.arm, tried.key) == ("gated", "delay_gated_5ms_tries")
    tries = [
        {"rate": rate, "network": {"memory_times": 1.0}, "validation_accuracy": accuracy}
        for rate, accuracy in ((0.1, 0.5), (0.2, 0.79), (0.3, 0.8))
    ]
    write_result(tmp_path, tried.key, {"tries": tries})
    for n_samples, taken in ((1000, 0.2), (4000, 0.3)):  # a standard error of 1.3 and of 0.6 points
        write_json(tmp_path / "plan.json", {"validation": n_samples})
        assert timing_experiment.chosen(tmp_path, job) == (taken, {"memory_times": 1.0})
    (_, said) = tries_notes(tmp_path, {"tries": {"delay": 7}}, [job])
    assert "delay at 5 ms: 50 79 80 (taken: 0.3, memory_times 1)" in said


def measured(spikes, **shares):
    """Return gated-like arms on the delay task that are right in the given shares of 2,000 samples."""
    labels = np.arange(2000) % 8
    answers, spent = [], {}
    for name, share in shares.items():
        arm = arm_at("delay", name.replace("_", "-"), 5.0)
        for seed in range(5):
            known = np.random.default_rng([len(answers), seed]).random(2000) < share
            shown = {CLEAN: np.where(known, labels, (labels + 1) % 8).astype(np.int32)}
            shown["dt", 0.001] = np.where(np.arange(2000) < 10, labels, shown[CLEAN]).astype(np.int32)
            answers.append(Answers(arm, seed, share, shown))
            spent.setdefault((arm, CLEAN), []).append({"spikes": spikes / 2, "quanta": spikes})
    return Measured(Outcomes(answers, {"delay": labels}), spent)


def test_claims_follow_from_what_was_measured():
    found = measured(1.5, gated=0.92, spatial=0.95)
    gated, spatial = arm_at("delay", "gated", 5.0), arm_at("delay", "spatial", 5.0)
    assert not_below(found, "", spatial, gated, 0.02).holds == "holds"
    assert not_below(found, "", gated, spatial, 0.01).holds == "does not hold"
    assert same_nets(found, "", gated, (("dt", 0.001), CLEAN), 0.02).holds == "holds"
    assert same_nets(found, "", gated, (CLEAN, CLEAN), 0.002).holds == "holds"
    assert same_nets(found, "", gated, (CLEAN, CLEAN), 0.001).holds == "not decided"  # 1 in 500 is unseen


@pytest.mark.parametrize(
    ("spikes", "share", "holds"),
    [(1.5, 0.92, "holds"), (1.5, 0.5, "does not hold"), (3.0, 0.95, "does not hold")],
)
def test_few_spikes_count_only_where_the_accuracy_is_kept(spikes, share, holds, monkeypatch):
    monkeypatch.setattr(sparsity, "GRADED", ("gated",))
    monkeypatch.setattr(sparsity, "BINARY", ("gated",))
    assert {claim.holds for claim in sparsity._claims(measured(spikes, gated=share))} == {holds}


def test_hidden_layers_are_of_one_size():
    task = timing_task("delay")
    training = task.generate(64, 0)
    for arm in ARMS.values():
        network = timing_arms.build(arm, task, training, arm.tries[0], dt_s=0.005, seed=0).network
        hidden = network.config["hidden"]
        assert list(hidden) == [timing_arms.HIDDEN]
