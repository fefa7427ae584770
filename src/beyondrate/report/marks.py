"""What figures about accuracy are drawn with: dots, curves, intervals, reference lines, and their words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go

from beyondrate.report.entries import Entry
from beyondrate.report.palette import LIGHT, Series
from beyondrate.report.panels import Panels
from beyondrate.report.text import duration_ms, finite, percent


def top_of(entries: Iterable[Entry]) -> float:
    """Return the upper end of an axis that shows all intervals."""
    highest = max((finite(e["high"]) or finite(e["accuracy"]) or 0.0 for e in entries), default=1.0)
    return min(1.06, math.ceil(highest * 10 + 0.4) / 10)


def chance_of(entries: Iterable[Entry | None]) -> float | None:
    """Return chance as the first entry that there is knows it."""
    return next((finite(entry["chance"]) for entry in entries if entry is not None), None)


def references(panels: Panels, i: int, entries: Sequence[Entry | None], rate: Entry | None) -> None:
    """Draw the rate baseline with its interval, and chance, as upright lines."""
    chance = chance_of(entries)
    if rate is not None:
        low, high = ends(rate)
        panels.strip(i, low, high, LIGHT["rate"])
        panels.line(i, x=rate["accuracy"], colour=LIGHT["rate"], dash="dash")
    if chance is not None:
        panels.line(i, x=chance, colour=LIGHT["ink"])
        panels.add(i, written(chance, -0.62, " chance", "middle right"))


def dot(panels: Panels, i: int, series: Series, entry: Entry, position: int, each: Sequence[float]) -> None:
    """Draw an accuracy with its interval, the seeds as small dots below it and its number beside it."""
    if len(each) > 1:
        panels.add(
            i,
            go.Scatter(
                x=list(each),
                y=[position + 0.3] * len(each),
                mode="markers",
                marker={"size": 4, "color": series.colour, "opacity": 0.6},
                hovertemplate=f"{series.label}<br>one seed: %{{x:.1%}}<extra></extra>",
            ),
        )
    panels.add(
        i,
        go.Scatter(
            x=[entry["accuracy"]],
            y=[position],
            mode="markers",
            marker={
                "size": 9,
                "color": series.colour,
                "symbol": series.symbol,
                "line": {"width": 2, "color": series.colour},
            },
            error_x=whiskers(entry, series.colour, width=0, thickness=2.4),
            hovertemplate=hover(series.label, entry),
            cliponaxis=False,
        ),
    )
    panels.add(
        i, written(ends(entry)[1], position, f"\N{EN SPACE}{percent(entry['accuracy'])}", "middle right")
    )


def interval_curve(
    panels: Panels, i: int, series: Series, x: Sequence[float], entries: Sequence[Entry], *, legend: bool
) -> None:
    """Draw accuracies along an axis with their intervals as a band."""
    lows, highs = zip(*map(ends, entries), strict=True)
    panels.band(i, x, lows, highs, series.colour, legendgroup=series.label)
    panels.add(
        i,
        go.Scatter(
            x=list(x),
            y=[entry["accuracy"] for entry in entries],
            mode="lines+markers",
            name=series.label,
            legendgroup=series.label,
            showlegend=legend,
            line={"color": series.colour, "width": 1.8, "dash": series.dash},
            marker={
                "size": 6,
                "color": series.colour,
                "symbol": series.symbol,
                "line": {"width": 1.4, "color": series.colour},
            },
            text=[describe(entry) for entry in entries],
            hovertemplate=f"{series.label}<br>%{{text}}<extra></extra>",
        ),
    )


def written(x: float, y: float, text: str, where: str) -> go.Scatter:
    """Return text beside a point."""
    return go.Scatter(
        x=[x],
        y=[y],
        mode="text",
        text=[text],
        textposition=where,
        textfont={"size": 11},
        hoverinfo="skip",
        cliponaxis=False,
    )


def ends(entry: Entry) -> tuple[float, float]:
    """Return an interval's ends; where there is none, both are the accuracy itself."""
    low, high = finite(entry["low"]), finite(entry["high"])
    return (entry["accuracy"] if low is None else low, entry["accuracy"] if high is None else high)


def whiskers(entry: Entry, colour: str, *, width: float, thickness: float = 1.4) -> dict[str, Any]:
    """Return an entry's interval as plotly's error bar."""
    low, high = ends(entry)
    return {
        "type": "data",
        "array": [high - entry["accuracy"]],
        "arrayminus": [entry["accuracy"] - low],
        "color": colour,
        "thickness": thickness,
        "width": width,
    }


def describe(entry: Entry) -> str:
    """Return an entry's accuracy, interval and level in words."""
    low, high = ends(entry)
    words = f"{percent(entry['accuracy'], 1)} ({percent(low, 1)} to {percent(high, 1)})"
    kind, level = entry.get("perturbation", "none"), finite(entry.get("level"))
    if "bin_s" in entry:
        return f"{words}<br>{duration_ms(entry['bin_s'] * 1e3)} bins"
    if kind == "none" or level is None:
        return words
    if kind == "reverse":
        return f"{words}<br>reversed"
    return f"{words}<br>{duration_ms(level * 1e3) if kind.startswith('jitter') else percent(level)}"


def hover(label: str, entry: Entry) -> str:
    """Return what is shown under the pointer."""
    return f"{label}<br>{describe(entry)}<extra></extra>"
