"""The figures: what they draw is what the results say, in both layouts."""

import json
import re

import numpy as np
import pytest
from example import CLASSES, full, minimal

from beyondrate.report import figures
from beyondrate.report.palette import LIGHT

NAMES = ["accuracy", "delays", "perturbations", "decoding-curve", "kinds", "rasters", "counts", "leak"]


@pytest.fixture(scope="module")
def drawn() -> dict:
    return {name: json.loads(figure.to_json()) for name, figure in figures(full()).items()}


@pytest.fixture(scope="module")
def slim() -> dict:
    return {name: json.loads(figure.to_json()) for name, figure in figures(full(), narrow=True).items()}


def panels(figure) -> dict[str, str]:
    """Return the x axis that each bold or plain panel title stands over."""
    return {note["xref"].split()[0]: note["text"] for note in figure["layout"]["annotations"]}


def summary(**wanted) -> list[dict]:
    return [s for s in full()["summary"] if all(s[key] == value for key, value in wanted.items())]


def test_figures_are_drawn_for_what_there_is(drawn):
    assert list(drawn) == NAMES
    assert list(figures(minimal())) == ["accuracy", "perturbations"]
    assert figures({"kind": "audit"}) == {}


@pytest.mark.parametrize("name", NAMES)
def test_both_layouts_show_the_same_panels(name, drawn, slim):
    assert drawn[name]["data"] == slim[name]["data"]
    axes = {key for key in drawn[name]["layout"] if key.startswith("xaxis")}
    assert axes == {key for key in slim[name]["layout"] if key.startswith("xaxis")}
    assert drawn[name]["layout"].get("shapes") == slim[name]["layout"].get("shapes")


def test_accuracy_shows_every_model_with_its_interval(drawn):
    points = [t for t in drawn["accuracy"]["data"] if "error_x" in t]
    assert len(points) == 21  # seven models and controls on three variants
    for variant, axis in zip(("whole", "part", "norm"), ("x", "x2", "x3"), strict=True):
        (lif,) = summary(variant=variant, model="lif", control="none", perturbation="none")
        (point,) = [t for t in points if t["xaxis"] == axis and t["hovertemplate"].startswith("LIF<br>")]
        assert point["x"] == [lif["accuracy"]]
        assert point["x"][0] + point["error_x"]["array"][0] == pytest.approx(lif["high"])
        assert point["x"][0] - point["error_x"]["arrayminus"][0] == pytest.approx(lif["low"])


def test_accuracy_marks_chance_and_the_rate_baseline_in_every_panel(drawn):
    lines = [s for s in drawn["accuracy"]["layout"]["shapes"] if s["type"] == "line"]
    for variant, axis in zip(("whole", "part", "norm"), ("x", "x2", "x3"), strict=True):
        (rate,) = summary(variant=variant, model="rate", perturbation="none")
        assert {s["x0"] for s in lines if s["xref"] == axis} == {rate["accuracy"], 0.05}


def test_delays_stand_side_by_side_with_their_controls(drawn):
    bars = [t for t in drawn["delays"]["data"] if t["type"] == "bar"]
    assert len(bars) == 12
    arms = [("lif", "none"), ("lif", "tau-tuned"), ("lif-delay", "frozen"), ("lif-delay", "learned")]
    shown = [bar["y"][0] for bar in bars if bar["xaxis"] == "x3"]
    assert shown == [
        s["accuracy"]
        for model, control in arms
        for s in summary(variant="norm", model=model, control=control, perturbation="none")
    ]
    assert drawn["delays"]["layout"]["xaxis"]["ticktext"] == ["none", "τ tuned", "frozen", "learned"]


@pytest.mark.parametrize(("kind", "row"), [("replace", 0), ("jitter", 1), ("delete", 4), ("reverse", 5)])
def test_perturbation_curves_start_clean_and_follow_the_levels(kind, row, drawn):
    axis = f"x{3 * row + 3}"  # norm is the third column
    (curve,) = [
        t
        for t in drawn["perturbations"]["data"]
        if t["xaxis"] == axis and t.get("name") == "LIF + learned delays"
    ]
    arm = {"variant": "norm", "model": "lif-delay", "control": "learned"}
    steps = sorted(summary(**arm, perturbation=kind), key=lambda s: s["level"])
    assert curve["y"] == [s["accuracy"] for s in [*summary(**arm, perturbation="none"), *steps]]
    assert curve["x"] == sorted(set(curve["x"]))
    if kind == "replace":
        assert curve["x"] == [0.0, *(s["level"] for s in steps)]
    if kind == "jitter":
        assert np.diff(curve["x"])[1:] == pytest.approx(np.diff(np.log10([s["level"] for s in steps])))
        ticks = drawn["perturbations"]["layout"]["xaxis6"]["ticktext"]
        assert (ticks[0], ticks[-1]) == ("0", "100 ms")


def test_legend_names_every_model_once_even_if_it_ran_on_norm_only():
    results = full()
    results["summary"] = [
        s for s in results["summary"] if s["variant"] == "norm" or s["model"] in ("rate", "lif")
    ]
    figure = json.loads(figures(results)["perturbations"].to_json())
    named = [t["name"] for t in figure["data"] if t.get("showlegend")]
    assert sorted(named) == sorted(set(named))
    assert {"LIF", "LIF + frozen delays", "LIF + learned delays", "rate (counts only)"} <= set(named)


def test_a_model_has_one_colour_in_every_figure(drawn):
    colours = {t["name"]: t["line"]["color"] for t in drawn["perturbations"]["data"] if "name" in t}
    assert len(colours) == 6
    for trace in drawn["accuracy"]["data"]:
        label = trace.get("hovertemplate", "").split("<br>")[0]
        if label in colours:
            assert trace["marker"]["color"] == colours[label]
    learned = [t for t in drawn["delays"]["data"] if t["type"] == "bar" and t["x"] == [3]]
    assert {t["marker"]["color"] for t in learned} == {colours["LIF + learned delays"]}


def test_one_probe_stands_for_all_the_one_that_was_perturbed(drawn):
    probes = {t["name"] for t in drawn["perturbations"]["data"] if "probe" in t.get("name", "")}
    assert probes == {"linear probe, 60 ms bins"}
    assert "linear probe, 60 ms bins" in drawn["accuracy"]["layout"]["yaxis"]["ticktext"]


def test_decoding_curve_is_drawn_against_bin_width_on_a_logarithmic_axis(drawn):
    figure = drawn["decoding-curve"]
    assert figure["layout"]["xaxis"]["type"] == "log"
    (norm,) = [t for t in figure["data"] if t.get("name") == "norm"]
    curve = sorted((c for c in full()["curve"] if c["variant"] == "norm"), key=lambda c: c["bin_s"])
    assert norm["x"] == pytest.approx([c["bin_s"] * 1e3 for c in curve])
    assert norm["y"] == [c["accuracy"] for c in curve]
    assert figure["layout"]["xaxis"]["ticktext"][0] == "12 ms<br>100 bins"
    assert figure["layout"]["xaxis"]["ticktext"][-1] == "1.2 s<br>1 bin"


def test_kinds_tell_claimed_from_not_claimed_by_shape(drawn):
    symbols = {
        t["hovertemplate"].split(",")[0]: t["marker"]["symbol"]
        for t in drawn["kinds"]["data"]
        if "error_x" in t
    }
    assert symbols == {
        "onset": "circle",
        "ISI": "circle-cross-open",
        "order": "circle",
        "synchrony": "circle-open-dot",
        "lag": "circle-open",
    }


def test_rasters_draw_every_spike_where_it_is(drawn):
    found = full()["figures"]["rasters"]
    paths = [s["path"] for s in drawn["rasters"]["layout"]["shapes"]]
    assert len(paths) == len(found["panels"]) == 6
    for path, panel in zip(paths, found["panels"], strict=True):
        marks = re.findall(r"M(-?[\d.]+),(\d+)H(-?[\d.]+)", path)
        assert len(marks) == len(panel["times_ms"])
        at = sorted((int(unit), (float(start) + float(end)) / 2) for start, unit, end in marks)
        expected = sorted(zip(panel["units"], panel["times_ms"], strict=True))
        assert np.allclose(at, expected, rtol=0, atol=0.11)


def test_rasters_of_few_units_are_upright_ticks():
    results = full()
    results["figures"]["rasters"] |= {
        "n_units": 3,
        "panels": [
            {"perturbation": "none", "level": 0.0, "title": "x", "times_ms": [12.5, 900.0], "units": [2, 0]}
        ],
    }
    (shape,) = figures(results)["rasters"].layout.shapes
    assert shape.path == "M900.0,-0.4V0.4M12.5,1.6V2.4"


def test_counts_show_each_sample_and_norm_as_one_line(drawn):
    traces = {t["xaxis"]: t for t in drawn["counts"]["data"]}
    assert [len(t["x"]) for t in traces.values()] == [20 * 60] * 3
    assert len(set(traces["x"]["x"])) > 100
    assert len(set(traces["x3"]["x"])) == 1
    rows = drawn["counts"]["layout"]["yaxis"]["ticktext"]
    assert sorted(rows) == sorted(CLASSES)
    whole = full()["figures"]["counts"]["whole"]
    medians = dict(zip(whole["classes"], map(np.median, whole["spikes_per_sample"]), strict=True))
    assert [medians[name] for name in rows] == sorted(medians.values())


def test_leak_histograms_count_every_unit_and_norm_leaks_nothing(drawn):
    for trace in drawn["leak"]["data"]:
        assert sum(trace["y"]) == pytest.approx(1)
        assert trace["marker"]["color"] == LIGHT["rate"]
    norm = drawn["leak"]["data"][2]
    assert norm["y"][0] == 1
    whole = np.array(full()["figures"]["counts"]["whole"]["unit_leak"])
    assert drawn["leak"]["data"][0]["y"][0] == pytest.approx((whole < 0.05).mean())
