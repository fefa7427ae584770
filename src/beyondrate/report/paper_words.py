"""What a picture says of its own marks: what points, bars and dots are, and which curves lie under others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Panel = Mapping[str, Any]
COVERED = 0.015  # of the axis: curves that are nowhere farther apart cannot be told apart


def caption(panels: Sequence[Panel]) -> str:
    """Return one line on what is drawn: of how many seeds points are means, what bars, bands and dots are.

    Example:
        >>> series = {"name": "net", "x": [0], "y": [0.5], "low": None, "high": None, "seeds": [[0.4, 0.6]]}
        >>> caption([{"kind": "bars", "series": [series]}])
        'Points: means of 2 seeds; small dots: single seeds.'
    """
    drawn = [
        (panel["kind"], s) for panel in panels if panel["kind"] in ("bars", "lines") for s in panel["series"]
    ]
    seeds = sorted({len(each) for _, series in drawn for each in series["seeds"] or ()})
    intervals = {kind for kind, series in drawn if series["low"] is not None}
    said = []
    if seeds:
        number = "one seed" if seeds == [1] else f"means of {' or '.join(map(str, seeds))} seeds"
        alone = any(series["seeds"] is None for _, series in drawn)
        said.append(f"points: {number}{', or single values' if alone else ''}")
    elif drawn:
        said.append("points: single values" + ("" if intervals else ", without intervals"))
    if intervals:
        marks = {"bars": "bars", "lines": "bands"}
        said.append(f"{' and '.join(marks[kind] for kind in marks if kind in intervals)}: 95 % intervals")
    if any(kind == "bars" and len(each) > 1 for kind, series in drawn for each in series["seeds"] or ()):
        said.append("small dots: single seeds")
    line = "; ".join(said)
    return f"{line[:1].upper()}{line[1:]}." if line else ""


def hidden(panel: Panel) -> str:
    """Return which curves of a panel lie under another one, or nothing where all can be seen.

    Example:
        >>> curve = {"x": [0, 1], "y": [0.5, 0.6]}
        >>> hidden({"series": [{"name": "a", **curve}, {"name": "b", **curve}]})
        'under “b”: “a”'
    """
    series = panel["series"]
    height = max((max(s["y"]) for s in series if len(s["y"])), default=0.0)
    under: dict[str, list[str]] = {}
    for i, lower in enumerate(series):
        over = [s["name"] for s in series[i + 1 :] if _lies_under(lower, s, COVERED * height)]
        if over:
            under.setdefault(over[-1], []).append(lower["name"])
    return "; ".join(
        f"under “{top}”: {', '.join(f'“{name}”' for name in names)}" for top, names in under.items()
    )


def _lies_under(lower: Mapping[str, Any], upper: Mapping[str, Any], near: float) -> bool:
    """Return whether every point of a curve has a point of the other one at its place, and as many."""
    if list(lower["x"]) != list(upper["x"]) or not len(lower["x"]):
        return False
    return bool(np.max(np.abs(np.subtract(lower["y"], upper["y"]))) <= near)
