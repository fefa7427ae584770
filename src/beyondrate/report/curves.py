"""The figures that draw accuracy against the level of a perturbation and against the width of time bins."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go

from beyondrate import perturb
from beyondrate.report.entries import Entry, Results, by_key, clean, compared, series_of, variants
from beyondrate.report.marks import chance_of, interval_curve, top_of
from beyondrate.report.palette import LIGHT, Series, variant_style
from beyondrate.report.panels import Panels, accuracy_axis, legend_height, muted
from beyondrate.report.text import PERTURBATIONS, PROPERTIES, duration_ms, plain, significant


def perturbations(results: Results, narrow: bool) -> go.Figure | None:
    """Draw accuracy against the level of each perturbation, a row for each, a column for each variant."""
    lines = compared(results)
    tests, curves = clean(lines), by_key(s for s in lines if s["perturbation"] != "none")
    kinds = [kind for kind in PERTURBATIONS if any(s["perturbation"] == kind for s in lines)]
    if not kinds:
        return None
    axes = {
        kind: _LevelAxis(kind, [s["level"] for s in lines if s["perturbation"] == kind], narrow)
        for kind in kinds
    }
    shown = [s for s in series_of(results) if any((s.model, s.control) == key[1:] for key in curves)]
    names = variants(variant for variant, _, _ in curves)
    single = len(names) == 1
    grid = [(kind, variant) for kind in kinds for variant in names]
    columns = len(names) if not single else (1 if narrow else 3)
    legend = legend_height([series.label for series in shown], narrow=narrow) if len(shown) > 1 else 0
    panels = Panels(
        len(grid),
        columns,
        height=110 if narrow else 170,
        gap=104 if narrow else 108,
        margins=(60, 14, legend + 52, 50),
        spacing=0.05 if narrow else 0.035,
        narrow=narrow,
    )
    top = top_of(lines)
    in_legend: set[Series] = set()
    for i, (kind, variant) in enumerate(grid):
        axis = axes[kind]
        for series in shown:
            key = (variant, series.model, series.control)
            steps = [s for s in curves.get(key, ()) if s["perturbation"] == kind]
            if steps:
                entries = sorted([*([tests[key]] if key in tests else []), *steps], key=axis.at)
                x = [axis.at(entry) for entry in entries]
                interval_curve(panels, i, series, x, entries, legend=series not in in_legend)
                in_legend.add(series)
        chance = chance_of(entry for key, entry in tests.items() if key[0] == variant)
        if chance is not None:
            panels.line(i, y=chance, colour=LIGHT["ink"])
        panels.axes(
            i,
            x={
                **axis.layout(),
                "title": {"text": axis.title if single or i % columns == columns // 2 else None},
            },
            y=accuracy_axis(top, "accuracy", labels=panels.first_in_row(i)),
        )
        kept = ", ".join(p for p in PROPERTIES if p in perturb.PERTURBATIONS[kind].preserves) or "nothing"
        title, keeps = f"<b>{PERTURBATIONS[kind].title}</b>", muted(f"keeps {kept}")
        if single:
            panels.title(i, f"{title}<br>{keeps}")
        else:
            panels.title(i, plain(variant))
            if panels.first_in_row(i):
                panels.title(i, f"{title} {keeps}", up=26)
    return panels.done(showlegend=len(shown) > 1)


def decoding_curve(results: Results, narrow: bool) -> go.Figure | None:
    """Draw the linear probe's accuracy against the width of its time bins."""
    curve = results.get("curve") or ()
    if not curve:
        return None
    panels = Panels(
        1, 1, height=230 if narrow else 300, margins=(64, 16, 36, 60 if narrow else 76), narrow=narrow
    )
    for variant in variants(c["variant"] for c in curve):
        entries = sorted((c for c in curve if c["variant"] == variant), key=lambda c: c["bin_s"])
        style = variant_style(variant)
        series = Series("probe", "", plain(variant), style.colour, style.dash, style.symbol)
        interval_curve(panels, 0, series, [c["bin_s"] * 1e3 for c in entries], entries, legend=True)
    chance = chance_of(curve)
    top = top_of(curve)
    if chance is not None:
        panels.line(0, y=chance, colour=LIGHT["ink"])
        panels.note(
            0, "chance", x=0, y=chance, at_value=True, xanchor="left", yanchor="bottom", font={"size": 11}
        )
    widths = {c["bin_s"] * 1e3: c["n_bins"] for c in curve}
    ticks = sorted(widths)
    bins = ["1 bin" if widths[w] == 1 else f"{widths[w]} bins" for w in ticks]
    panels.axes(
        0,
        x={
            "type": "log",
            "range": [math.log10(min(ticks)) - 0.1, math.log10(max(ticks)) + 0.12],
            "tickvals": ticks,
            "ticktext": [
                significant(w) if narrow else f"{duration_ms(w)}<br>{b}"
                for w, b in zip(ticks, bins, strict=True)
            ],
            "title": {"text": "bin width (ms)" if narrow else "width of the time bins"},
        },
        y=accuracy_axis(top, "test accuracy"),
    )
    return panels.done(showlegend=True)


class _LevelAxis:
    """Where the levels of a perturbation lie: fractions as they are, jitters by their logarithm."""

    def __init__(self, kind: str, levels: Iterable[float], narrow: bool) -> None:
        self.kind, self.narrow = kind, narrow
        self.levels = sorted({level for level in levels if level > 0})
        self.jitters = kind.startswith("jitter")
        unit = {"reverse": ""}.get(kind, " (ms)" if self.jitters else " (%)")
        self.title = PERTURBATIONS[kind].level + (unit if narrow else "")

    def at(self, entry: Entry) -> float:
        """Return the place of a summary's entry; the clean one lies left of the smallest jitter."""
        if self.kind == "reverse":
            return 0.0 if entry["perturbation"] == "none" else 1.0
        if not self.jitters:
            return float(entry["level"])
        return math.log10(self.levels[0]) - 0.35 if entry["level"] == 0 else math.log10(entry["level"])

    def layout(self) -> dict[str, Any]:
        """Return the axis' ticks and range."""
        if self.kind == "reverse":
            words = ["fwd", "rev"] if self.narrow else ["forward", "reversed"]
            return {"range": [-0.25, 1.25], "tickvals": [0, 1], "ticktext": words}
        levels = [0.0, *self.levels]
        places = [self.at({"perturbation": self.kind, "level": level}) for level in levels]
        scale, unit = (1e3, " ms") if self.jitters else (1e2, " %")
        words = [significant(scale * level) for level in levels]
        if not self.narrow:
            words[-1] += unit
        kept = _spread(places, 3 if self.narrow else 7)
        reach = places[-1] - places[0]
        return {
            "range": [places[0] - 0.06 * reach, places[-1] + 0.1 * reach],
            "tickvals": [places[k] for k in kept],
            "ticktext": [words[k] for k in kept],
        }


def _spread(places: Sequence[float], most: int) -> list[int]:
    """Choose up to ``most`` of the ticks, the first and the last among them, that stand well apart."""
    apart = (places[-1] - places[0]) / most * 0.8
    kept = [0]
    for k in range(1, len(places) - 1):
        if places[k] - places[kept[-1]] >= apart and places[-1] - places[k] >= 1.5 * apart:
            kept.append(k)
    return [*kept, len(places) - 1] if len(places) > 1 else kept
