"""The figures of SpikingGamma on speech, end to end with tiny networks; what is counted, what is claimed."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import beyondrate as br
from beyondrate.audit.outcomes import CLEAN, Answers, Outcomes
from beyondrate.datasets.split import one_group_out
from beyondrate.nn import CountMLP, SpikingGammaNet
from beyondrate.recipes import GAMMA
from beyondrate.reproduce.koopman2026 import speech_experiment, speech_figure, speech_sparsity
from beyondrate.reproduce.koopman2026.costs import Measured, spent
from beyondrate.reproduce.koopman2026.speech_arms import ARMS, build
from beyondrate.reproduce.koopman2026.speech_experiment import OTHER_DT, arm_at


def tiny(arm):
    """Return an arm with small layers, and with as few choices as tell choosing from none."""
    if arm.recipe is None:
        return arm
    recipe = arm.recipe.with_network(hidden=(12,))
    return replace(arm, recipe=recipe, taus_s=arm.taus_s[:2], choices=arm.choices[:2])


@pytest.fixture
def small(monkeypatch):
    """Make every training short."""
    monkeypatch.setattr(speech_experiment, "EPOCHS", {"quick": {"whole": 1, "norm": 1}})
    monkeypatch.setattr(speech_experiment, "ARMS", {name: tiny(arm) for name, arm in ARMS.items()})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Write samples of three classes that part and norm can be made of."""
    path = tmp_path_factory.mktemp("data") / "events.npz"
    br.save(br.tasks.coincidence.generate(160, seed=0), path)
    return path


@pytest.mark.usefixtures("small")
def test_the_figure_says_what_holds_and_nothing_is_done_twice(tmp_path, data):
    made = br.reproduce("koopman2026/shd", data=data, out=tmp_path, workers=0, seeds=1)
    assert "events" in made.title and "SHD" in made.title
    assert {row["model"] for row in made.rows if row["variant"] == "norm"} == set(speech_figure.ON_NORM)
    assert {row["model"] for row in made.rows if row["variant"] == "whole"} == set(speech_figure.ON_WHOLE)
    tested = {(row["model"], row["control"], row["perturbation"], row["level"]) for row in made.rows}
    for trained, levels in ((10, (0.005, 0.001)), (5, (0.01, 0.001))):
        assert {("gated", f"trained at {trained} ms", OTHER_DT, level) for level in levels} <= tested
    assert all(row["state_operations"] > 0 for row in made.rows if row["model"] != "rate")
    spiking = [row for row in made.rows if row["quanta_per_unit"]]
    assert len(spiking) > len(made.rows) / 2
    assert all(row["quanta_per_unit_s"] > row["quanta_per_unit"] for row in spiking)  # samples of 0.2 s
    assert not any(comparison.same_data for comparison in made.comparisons) and made.comparisons
    assert all(s.x and len(s.x) == len(s.y) for panel in made.panels for s in panel.series)
    with (tmp_path / "shd" / "results.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(made.rows)
    (folder,) = tmp_path.glob("speech-*")
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "jobs").iterdir()}
    again = br.reproduce("koopman2026/ssc", data=data, out=tmp_path, workers=0, seeds=1)
    assert before == {path.name: path.stat().st_mtime_ns for path in (folder / "jobs").iterdir()}
    assert again.rows == made.rows and "SSC" in again.title
    tuned = json.loads((folder / "jobs" / "norm_lif_10ms_0.json").read_text())["training"]
    assert tuned["validation_accuracy"] == max(tuned["validation_accuracies"])
    assert len(tuned["validation_accuracies"]) == 2


@pytest.mark.usefixtures("small")
def test_each_group_is_left_out_once(tmp_path, monkeypatch):
    monkeypatch.setattr(speech_sparsity, "GRADED", ("gated", "theta-3"))
    monkeypatch.setattr(speech_sparsity, "BINARY", ("binary",))
    monkeypatch.setattr(speech_sparsity, "LIF_NETS", ("lif-mixed",))
    trains = br.tasks.coincidence.generate(180, seed=0)
    groups = np.arange(180) % 3
    br.save(replace(trains, groups=groups), tmp_path / "grouped.npz")
    options = {"data": tmp_path / "grouped.npz", "protocol": "one-group-out", "workers": 0}
    made = br.reproduce("koopman2026/speech-sparsity", **options, out=tmp_path / "out")
    folder = next((tmp_path / "out").glob("speech-*/plan.json")).parent
    tested = [
        json.loads((folder / "data" / f"fold-{fold}" / "norm.json").read_text())["parts"]["test"]
        for fold in range(3)
    ]
    assert {row["n_test"] for row in made.rows} == {sum(map(len, tested))} and len(made.rows) == 4
    assert "left out once" in made.notes[0] and len(made.claims) == 2
    with pytest.raises(br.InputError, match="no single group"):
        br.reproduce("yu2025/fig5", **options, out=tmp_path / "out")
    with pytest.raises(br.InputError, match="one is to be left out"):
        br.save(trains, tmp_path / "alone.npz")
        br.reproduce("koopman2026/shd", **{**options, "data": tmp_path / "alone.npz"}, out=tmp_path / "out")


def test_groups_left_out_are_in_no_other_part_of_their_split():
    trains = replace(br.tasks.coincidence.generate(40, seed=0), groups=np.arange(40) % 4 * 10)
    splits = one_group_out(trains)
    assert len(splits) == 4
    parts = [[set(trains.groups[part]) for part in (s.test, s.validation, s.train)] for s in splits]
    assert [test for test, _, _ in parts] == [{0}, {10}, {20}, {30}]
    for (test, validation, training), split in zip(parts, splits, strict=True):
        assert not test & validation and not (test | validation) & training and len(training) == 2
        assert len(split.test) + len(split.validation) + len(split.train) == 40


def test_every_arm_changes_one_thing_and_is_no_larger_than_the_nets_it_is_compared_with():
    trains = br.tasks.coincidence.generate(160, seed=0)
    sizes = {}
    for name, arm in ARMS.items():
        network = build(arm, trains, dt_s=0.01, seed=0)[0].network
        sizes[name] = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert max(sizes.values()) < 1.15 * min(sizes.values())
    assert ARMS["binary"].recipe.network == {**ARMS["gated"].recipe.network, "n_max": 1}


def test_spikes_and_operations_are_those_of_the_samples():
    trains = br.tasks.coincidence.generate(32, seed=0)
    arm = build(replace(ARMS["gated"], recipe=GAMMA.with_network(hidden=(6, 5))), trains, dt_s=0.01, seed=0)
    net = arm[0].network.eval()
    found = spent(net, trains, 0.01)
    x = torch.from_numpy(trains.dense(0.01)).float()
    heights = net.hidden_spikes(x)
    events = [(x != 0).sum(), *((h > 0).sum() for h in heights)]
    by_hand = sum(int(n) * fan_out for n, fan_out in zip(events, (6, 5, trains.n_classes), strict=True)) / 32
    assert found["synaptic"] == pytest.approx(by_hand) and by_hand > 10
    assert found["a_second"] == pytest.approx(found["quanta"] / trains.duration_s)
    assert found["spikes"] <= found["quanta"]
    assert spent(CountMLP(4, 3, hidden=(5,)), trains, 0.01) == {"synaptic": 35.0, "state": 0.0}
    with pytest.raises(TypeError, match="Linear"):
        spent(torch.nn.Linear(1, 1), trains, 0.01)


def measured(**shares):
    """Return arms on norm that are right in the given shares of 1,000 samples."""
    labels = np.arange(1000) % 20
    answers, cost = [], {}
    for name, share in shares.items():
        arm = arm_at("norm", name.replace("_", "-"))
        for seed in range(5):
            known = np.random.default_rng([len(answers), seed]).random(1000) < share
            classes = np.where(known, labels, (labels + 1) % 20).astype(np.int32)
            answers.append(Answers(arm, seed, share, {CLEAN: classes}))
            cost.setdefault((arm, CLEAN), []).append({"spikes": 1.0, "quanta": 2.0})
    return Measured(Outcomes(answers, {"norm": labels}), cost)


@pytest.mark.parametrize(("gamma", "holds"), [(0.8, "holds"), (0.6, "does not hold"), (0.65, "not decided")])
def test_a_lead_is_judged_by_its_interval(gamma, holds):
    found = measured(gated=gamma, lif_mixed=0.5)
    claim = speech_figure._leads_by(found, arm_at("norm", "gated"), arm_at("norm", "lif-mixed"))
    assert claim.holds == holds


def test_every_net_of_a_claim_is_trained():
    shares = dict.fromkeys((name.replace("-", "_") for name in speech_figure.ON_NORM), 0.5)
    claims = speech_figure._claims(measured(**{**shares, "gated": 0.9, "lif_mixed": 0.6}))
    assert {claim.holds for claim in claims} >= {"holds", "not decided"}
    assert "mixed τ" in claims[0].measured  # the LIF net that is best on validation


def test_the_gamma_networks_learn_at_their_own_time_step():
    trains = br.tasks.coincidence.generate(160, seed=0)
    for name in ("gated", "exponential"):
        for ready in build(ARMS[name], trains, dt_s=0.005, seed=0):
            assert isinstance(ready.network, SpikingGammaNet) and ready.network.config["dt_s"] == 0.005
