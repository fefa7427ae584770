"""The pictures of papers' figures."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from beyondrate.report.paper_figure import draw
from beyondrate.reproduce.figure import Panel, Series


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
