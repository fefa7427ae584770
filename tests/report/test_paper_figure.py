"""The pictures of papers' figures."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from beyondrate.report.paper_figure import NETS, draw
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
