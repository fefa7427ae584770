"""Networks trained by name: what is kept, what is tested, what is refused."""

from __future__ import annotations

import csv
import json
import os

import pytest
from typer.testing import CliRunner

import beyondrate as br
from beyondrate.cli import app
from beyondrate.runs import testing, training


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
    delays = "frozen" if model == "lif-delay" else None
    br.train(trains, out=tmp_path / "run", model=model, delays=delays, epochs=1)
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
        ({"model": "lif-delay", "delays": "fixed"}, "unknown delays 'fixed'; choose from learned, frozen"),
        ({"model": "lif", "delays": "frozen"}, "lif has no delays; .* lif-delay"),
        ({"model": "gamma", "delays": "learned"}, "gamma has no delays"),
        ({"model": "rate", "delays": "learned"}, "rate has no delays"),
        ({"model": "rate", "dt_s": 0.01}, "rate has no time step"),
        ({"model": "rate", "update_every": 1}, "cannot learn online"),
        ({"model": "lif-delay", "rule": "eprop"}, "lif-delay has no rule"),
        ({"model": "lif-delay", "update_every": 1}, "cannot learn online"),
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


def refused_before_work(monkeypatch, work, *names):
    """Let what would be work fail."""
    for name in names:
        monkeypatch.setattr(work, name, lambda *_, **__: pytest.fail("work was begun"))


def test_a_place_that_cannot_be_written_to_is_refused_before_training(trains, tmp_path, monkeypatch):
    refused_before_work(monkeypatch, training, "fit", "make_split")
    (tmp_path / "file").write_text("")
    with pytest.raises(br.InputError, match=r"file: is no folder; give a folder"):
        br.train(trains, out=tmp_path / "file" / "run")
    (tmp_path / "locked").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path / "locked")
    for out in (tmp_path / "locked", tmp_path / "locked" / "a" / "run"):
        with pytest.raises(br.InputError, match=r"locked: cannot be written to; choose a folder"):
            br.train(trains, out=out)


def test_a_run_that_cannot_be_added_to_is_refused_before_testing(trains, gamma, monkeypatch):
    refused_before_work(monkeypatch, testing, "predict")
    monkeypatch.setattr(os, "access", lambda path, mode: path != gamma)
    with pytest.raises(br.InputError, match="gamma: cannot be written to"):
        br.test(gamma, trains)


@pytest.mark.parametrize(
    ("perturbations", "said"),
    [
        (["jitter"], "jitter needs a level; give one, such as jitter=0.025"),
        (["replace="], "replace needs a level"),
        (["delete"], "delete needs a level"),
        (["jitter=0.01", "jitter=0.02"], "jitter is given twice"),
        (["jitter=much"], "'much' is no level"),
        (["smear=1"], "unknown perturbation 'smear'"),
    ],
)
def test_the_command_refuses_perturbations_without_one_level(gamma, perturbations, said):
    before = (gamma / "results.csv").read_text()
    words = [word for text in perturbations for word in ("--perturb", text)]
    done = CliRunner().invoke(app, ["test", str(gamma), "nothing", *words])
    assert isinstance(done.exception, br.InputError) and said in str(done.exception)
    assert (gamma / "results.csv").read_text() == before


def test_the_command_takes_reverse_without_a_level(trains, gamma, tmp_path):
    br.save(trains, tmp_path / "x.h5")
    words = ["--perturb", "jitter=0.05", "--perturb", "reverse"]
    done = CliRunner().invoke(app, ["test", str(gamma), str(tmp_path / "x.h5"), *words])
    assert done.exit_code == 0, done.output
    assert "jitter 0.05" in done.output and "reverse" in done.output
