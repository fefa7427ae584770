"""Networks trained by name: what is kept, what is tested, what is refused."""

from __future__ import annotations

import csv
import json

import pytest

import beyondrate as br


@pytest.fixture(scope="module")
def trains():
    return br.tasks.temporal_order.generate(200, seed=0)


@pytest.fixture(scope="module")
def gamma(trains, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "gamma"
    br.train(trains, out=folder, model="gamma", epochs=4)
    return folder


def test_a_network_is_kept_with_its_accuracies(trains, gamma):
    results = json.loads((gamma / "results.json").read_text())
    with (gamma / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["split"] for row in rows[:2]] == ["validation", "test"]
    assert results["rows"][1]["low"] > results["rows"][1]["chance"]
    assert len(results["course"]["train_loss"]) == 4
    assert (gamma / "network.safetensors").is_file()


def test_the_test_part_is_tested_alone_and_other_data_whole(trains, gamma):
    n_test = len(json.loads((gamma / "results.json").read_text())["test_samples"])
    (clean,) = br.test(gamma, trains)
    recorded = json.loads((gamma / "results.json").read_text())["rows"][1]
    assert (clean["split"], clean["n_test"]) == ("test", n_test)
    assert clean["accuracy"] == recorded["accuracy"]
    (other,) = br.test(gamma, br.tasks.temporal_order.generate(50, seed=9))
    assert (other["split"], other["n_test"]) == ("other data", 50)
    rows = br.test(gamma, trains, perturbations={"jitter": 0.05, "reverse": 0.0})
    assert [row["perturbation"] for row in rows] == ["jitter", "reverse"]
    assert rows[1]["accuracy"] < clean["accuracy"]
    with (gamma / "results.csv").open(newline="") as file:
        assert [row["perturbation"] for row in csv.DictReader(file)][-2:] == ["jitter", "reverse"]


def test_spikes_are_replaced_where_trains_have_few(gamma):
    """Of fewer than four spikes a quarter, rounded down, is none: then every seed would give the same."""
    trains = br.tasks.temporal_order.generate(200, seed=9, n_pairs=3)
    assert trains.counts().max() < 4
    accuracies = {
        br.test(gamma, trains, perturbations={"replace": 0.25}, seed=seed)[0]["accuracy"] for seed in range(4)
    }
    assert len(accuracies) > 1


def test_gamma_is_tested_at_another_time_step_and_lif_is_not(trains, gamma, tmp_path):
    (finer,) = br.test(gamma, trains, dt_s=0.005)
    assert finer["dt_s"] == 0.005 and finer["low"] > finer["chance"]
    br.train(trains, out=tmp_path / "lif", model="lif", epochs=1)
    with pytest.raises(br.InputError, match="trained at dt"):
        br.test(tmp_path / "lif", trains, dt_s=0.005)


@pytest.mark.parametrize("model", ["rate", "lif-delay"])
def test_every_model_trains_and_is_read_back(trains, tmp_path, model):
    br.train(trains, out=tmp_path / "run", model=model, delays="frozen", epochs=1)
    (line,) = br.test(tmp_path / "run", trains)
    assert line["control"] == ("frozen" if model == "lif-delay" else "none")


def test_gamma_learns_online(trains, tmp_path):
    results = br.train(trains, out=tmp_path / "run", model="gamma", rule="spatial", update_every=10, epochs=1)
    assert results["settings"]["update_every"] == 10


@pytest.mark.parametrize(("rule", "update_every"), [("eprop", None), ("ottt", 20)])
def test_lif_learns_forward_in_time(trains, tmp_path, rule, update_every):
    results = br.train(
        trains, out=tmp_path / "run", model="lif", rule=rule, update_every=update_every, epochs=1
    )
    assert results["settings"]["rule"] == rule
    assert results["settings"]["loss"] == "EveryStep()"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "lstm"}, "unknown model"),
        ({"model": "gamma", "rule": "hebb"}, "no rule"),
        ({"model": "rate", "rule": "gated"}, "no rule"),
        ({"model": "gamma", "update_every": 1}, "cannot learn online"),
        ({"model": "lif", "update_every": 1}, "cannot learn online"),
        ({"dt_s": -1.0}, "positive"),
    ],
)
def test_what_cannot_be_is_refused_before_training(trains, tmp_path, options, words):
    with pytest.raises(br.InputError, match=words):
        br.train(trains, out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_used_folders_and_foreign_data_are_refused(trains, gamma, tmp_path):
    with pytest.raises(br.InputError, match="not an empty folder"):
        br.train(trains, out=gamma)
    with pytest.raises(br.InputError, match="no trained network"):
        br.test(tmp_path, trains)
    with pytest.raises(br.InputError, match="units"):
        br.test(gamma, br.tasks.coincidence.generate(20, seed=0))
