"""The speech figures, end to end on small data: shared trainings, resumption, protocols, refusals."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest

import beyondrate as br
from beyondrate.reproduce import speech_recipes
from beyondrate.reproduce.run import FIGURES
from beyondrate.reproduce.yu2025 import delay_controls, fig6, speech, speech_arms
from beyondrate.reproduce.yu2025.speech_figures import COMPARED


@pytest.fixture
def small(monkeypatch):
    """Make every training short and every list of tests small."""
    few = {"quick": {"jitter": (0.025,), "jitter-unit": (0.025,), "delete": (0.5,), "reverse": (0.0,)}}
    monkeypatch.setattr(speech, "TESTS", few)
    monkeypatch.setattr(speech, "TAU_GRID_S", {"quick": (0.05, 0.1)})
    recipes = {
        name: replace(
            recipe.with_network(hidden=(16,)), settings=replace(recipe.settings, epochs=1, patience=1)
        )
        for name, recipe in speech_arms.RECIPES.items()
    }
    monkeypatch.setattr(speech, "RECIPES", recipes)
    best = {
        name: replace(
            recipe.with_network(hidden=(16,)), settings=replace(recipe.settings, epochs=1, patience=1)
        )
        for name, recipe in speech_recipes.BEST_RECIPES.items()
    }
    monkeypatch.setattr(speech, "BEST_RECIPES", best)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Write 240 samples of three classes that part and norm can be made of."""
    trains = br.tasks.coincidence.generate(240, seed=0)
    path = tmp_path_factory.mktemp("data") / "events.npz"
    br.save(trains, path)
    return path


def made(figure, data, out, **options):
    return br.reproduce(figure, data=data, out=out, workers=0, seeds=1, **options)


@pytest.mark.usefixtures("small")
def test_figures_share_their_trainings_and_nothing_is_done_twice(tmp_path, data, monkeypatch):
    first = made("yu2025/fig5", data, tmp_path)
    (folder,) = tmp_path.glob("speech-*")
    results = {path.name: path.stat().st_mtime_ns for path in (folder / "jobs").iterdir()}
    assert {(row["model"], row["control"]) for row in first.rows} == set(COMPARED)
    assert {row["variant"] for row in first.rows} == {"whole", "part", "norm"}
    again = made("yu2025/fig5", data, tmp_path)
    assert again.rows == first.rows and again.claims == first.claims
    made("yu2025/fig7", data, tmp_path, resume=True)
    after = {path.name: path.stat().st_mtime_ns for path in (folder / "jobs").iterdir()}
    assert results.items() <= after.items()
    assert {name for name in after if name not in results} == {
        "norm_lif_tau-tuned_0_reverse-0.json",
        "norm_lif_learned_0_reverse-0.json",
    }


@pytest.mark.usefixtures("small")
def test_to_go_on_is_not_to_begin_a_run_of_other_settings(tmp_path, data):
    made("yu2025/fig3", data, tmp_path, resume=True)  # nothing else was begun: as without it
    (folder,) = tmp_path.glob("speech-*")
    with pytest.raises(br.InputError, match="with these settings"):
        made("yu2025/fig3", data, tmp_path, resume=True, protocol="yu2025")
    assert [*tmp_path.glob("speech-*")] == [folder]
    made("yu2025/fig3", data, tmp_path, protocol="yu2025")
    assert len([*tmp_path.glob("speech-*")]) == 2


@pytest.mark.usefixtures("small")
def test_every_speech_figure_says_what_holds(tmp_path, data):
    for name in ("fig3", "fig6", "delay-controls", "best-norm"):
        figure = made(f"yu2025/{name}", data, tmp_path)
        assert figure.claims and figure.panels and figure.rows
        assert "events" in figure.title
        with (tmp_path / name / "results.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == len(figure.rows)
        assert json.loads((tmp_path / name / "results.json").read_text())["record"]["seconds"] > 0
    retrained = {row["control"] for row in made("yu2025/fig6", data, tmp_path).rows}
    assert {f"{control}, retrained" for _, control in fig6.RETRAINED} <= retrained


@pytest.mark.usefixtures("small")
def test_the_published_protocol_takes_thresholds_from_all_samples_and_says_so(tmp_path, data):
    figure = made("yu2025/fig3", data, tmp_path, protocol="yu2025")
    assert any("flaws" in note for note in figure.notes)
    (folder,) = tmp_path.glob("speech-*")
    facts = json.loads((folder / "data" / "norm.json").read_text())["facts"]
    assert facts["report"]["split"] == "pooled" and facts["report"]["bin_s"] == pytest.approx(
        0.2 / 99, abs=1e-6
    )


def test_every_delay_has_its_four_controls():
    plan = {"seeds": [0], "tau_grid_s": [0.1], "preset": "paper"}
    arms = {(job.model, job.control) for job in delay_controls.stages(plan)[1]}
    for base in delay_controls.FILTERS:
        assert {(base, "none"), (base, "tau-tuned")} <= arms
        for place in delay_controls.PLACES:
            assert {(base + place, "frozen"), (base + place, "learned")} <= arms


def test_unknown_names_are_refused_before_any_work(tmp_path):
    for options, words in (
        ({"figure": "yu2025/fig99"}, "figure"),
        ({"figure": "yu2025/fig5", "preset": "slow"}, "preset"),
        ({"figure": "yu2025/fig5", "protocol": "other"}, "protocol"),
        ({"figure": "yu2025/fig1c", "data": "spoken-digits"}, "its own samples"),
        ({"figure": "yu2025/fig5", "data": "no-such-set"}, "neither a data set"),
    ):
        with pytest.raises(br.InputError, match=words):
            br.reproduce(**options, out=tmp_path)
    assert not any(tmp_path.iterdir())


def test_every_figure_has_a_line_for_the_list():
    assert {"yu2025/fig1c", "yu2025/fig2c", "yu2025/fig3", "yu2025/fig5", "yu2025/fig6"} <= set(FIGURES)
    assert all(figure.shows and figure.name == name for name, figure in FIGURES.items())
