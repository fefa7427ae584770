"""The pictures of papers' figures."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from beyondrate.report.paper_figure import NETS, draw
from beyondrate.report.paper_words import caption
from beyondrate.reproduce.figure import Panel, Series
from beyondrate.reproduce.koopman2026.timing_arms import ARMS
from beyondrate.reproduce.yu2025 import speech_figures, task_figures


def listed(y_label: str, *heights: float) -> dict:
    """Return a panel of bars whose names are so long that they are written beside the axis."""
    groups = [f"a network with a long name, {i}" for i in range(len(heights))]
    series = [Series("all", list(range(len(heights))), list(heights))]
    return asdict(Panel("", "bars", y_label=y_label, groups=groups, series=series))


def test_lists_of_bars_share_an_axis_where_they_show_one_quantity():
    panels = [listed("accuracy", 0.5, 0.2), listed("accuracy", 0.1), listed("spikes", 400.0)]
    axes = draw(panels, "a title").axes
    ends = [axis.get_xlim()[1] for axis in axes]
    assert ends == pytest.approx([0.54, 0.54, 432.0])
    assert [axis.get_xlabel() for axis in axes] == ["accuracy", "accuracy", "spikes"]


def bars(*seeds: list[float]) -> dict:
    """Return a panel of upright bars without intervals: means of these seeds."""
    means = [sum(each) / len(each) for each in seeds]
    series = [Series("net", list(range(len(seeds))), means, seeds=seeds)]
    return asdict(Panel("", "bars", y_label="spikes", groups=["a"] * len(seeds), series=series))


@pytest.mark.parametrize("panel", [bars([1, 2, 9], [4, 5, 6]), bars([1, 2, 900], [5, 5, 5])])
def test_single_seeds_are_inside_the_axis(panel):
    (axis,) = draw([panel], "a title").axes
    low, high = axis.get_ylim()
    seeds = [value for each in panel["series"][0]["seeds"] for value in each]
    assert low < min(seeds) and max(seeds) < high


def test_single_seeds_are_inside_the_axis_of_a_list():
    panel = listed("spikes", 400.0, 2.0)
    panel["series"][0]["seeds"] = [[200.0, 600.0], [1.0, 3.0]]
    (axis,) = draw([panel], "a title").axes
    assert axis.get_xlim() == pytest.approx((0, 648))


def curves(title: str, *names: str, seeds: int = 2) -> dict:
    """Return a panel of curves, each higher than the one before, of so many seeds."""
    series = [
        Series(name, [1, 2], [i + 0.2, i + 0.3], seeds=[[i + 0.2] * seeds, [i + 0.3] * seeds])
        for i, name in enumerate(names)
    ]
    return asdict(Panel(title, "lines", series=series))


def test_series_of_one_panel_alone_are_named_in_it_and_take_colours_anew():
    figure = draw([curves("a", "x", "y"), curves("b", "x", "y"), curves("c", "z", "w")], "a title")
    first, second, third = figure.axes
    assert first.get_legend() is None and second.get_legend() is None
    assert [text.get_text() for text in third.get_legend().get_texts()] == ["z", "w"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["x", "y"]
    assert [line.get_color() for line in third.lines] == [line.get_color() for line in first.lines]


def test_the_picture_says_what_points_bars_and_dots_are():
    interval = Series("net", [0], [0.5], [0.4], [0.6], [[0.45, 0.5, 0.55]])
    with_interval = asdict(Panel("", "bars", groups=["a"], series=[interval]))
    assert draw([with_interval], "a title").get_supxlabel() == (
        "Points: means of 3 seeds; bars: 95 % intervals; small dots: single seeds."
    )
    assert caption([curves("", "x", seeds=5)]) == "Points: means of 5 seeds."
    assert caption([asdict(Panel("", "lines", series=[Series("x", [0], [1])]))]) == (
        "Points: single values, without intervals."
    )
    assert caption([asdict(Panel("", "raster"))]) == ""


def test_curves_under_others_are_named():
    (axis,) = draw([curves("", "x", "y")], "a title").axes
    assert axis.get_xlabel() == ""
    same = asdict(Panel("", "lines", x_label="t", series=[Series(n, [0, 1], [3, 5]) for n in "abc"]))
    (axis,) = draw([same], "a title").axes
    assert axis.get_xlabel() == "t\nunder “c”: “a”, “b”"


def test_logarithmic_axes_and_whole_numbers_are_written_plainly():
    series = [Series("x", [0.1, 1, 10], [1, 2, 3])]
    (axis,) = draw([asdict(Panel("", "lines", series=series, logarithmic=True))], "a title").axes
    axis.figure.canvas.draw()
    shown = [label.get_text() for label in axis.get_xticklabels()]
    assert {"0.1", "1", "10"} <= set(shown)
    (axis,) = draw([curves("", "x")], "a title").axes
    axis.figure.canvas.draw()
    assert all(float(tick).is_integer() for tick in axis.get_xticks())


def colours(*names: str) -> dict[str, str]:
    """Return the colours in which a figure shows curves of these names."""
    curves = [Series(name, [0, 1], [0.2, 0.3]) for name in names]
    (axis,) = draw([asdict(Panel("", "lines", series=curves))], "a title").axes
    return {line.get_label(): line.get_color() for line in axis.lines}


def test_a_net_has_one_colour_in_all_figures_and_no_other_series_has_it_there():
    first = colours("another", "MLP on counts", "LIF", "SpikingGamma, gated")
    second = colours("SpikingGamma, gated", "LIF", "one more", "LIF + learned delays", "a third")
    assert len(set(first.values())) == 4 and len(set(second.values())) == 5
    assert {name for name in first if first[name] == second.get(name)} == {"LIF", "SpikingGamma, gated"}


def test_the_nets_of_one_colour_are_those_that_figures_show():
    shown = {arm.shown for arm in ARMS.values()}
    assert set(NETS) <= shown | {*speech_figures.NAMES.values()} | {*task_figures.NAMES.values()}
