"""The figures about the spikes themselves: rasters, counts and what counts reveal of the class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from beyondrate.report.entries import Results, extracts, variants
from beyondrate.report.palette import LIGHT
from beyondrate.report.panels import Panels, muted
from beyondrate.report.text import finite, percent, plain, significant

MOST_NAMED_CLASSES = 40
LEAK_BINS = 20


def rasters(results: Results, narrow: bool) -> go.Figure | None:
    """Draw one sample before and after each perturbation, every spike a mark."""
    found = extracts(results).get("rasters") or {}
    shown = [panel for panel in found.get("panels", ()) if len(panel["times_ms"])]
    if not shown:
        return None
    n_units, end = int(found["n_units"]), float(found["duration_ms"])
    panels = Panels(
        len(shown),
        2 if narrow else 3,
        height=140 if narrow else 210,
        gap=64,
        margins=(52, 12, 28, 46),
        spacing=0.05 if narrow else 0.035,
        narrow=narrow,
    )
    ticks = _round_ticks(end, 2 if narrow else 4)
    stands_below = range(len(shown) - panels.columns, len(shown))
    for i, panel in enumerate(shown):
        path, width = _spike_path(panel["times_ms"], panel["units"], n_units, end)
        panels.path(i, path, LIGHT["ink"], width)
        panels.axes(
            i,
            x={
                "range": [0, end],
                "tickvals": ticks,
                "ticktext": [significant(tick) for tick in ticks],
                "title": {"text": "time (ms)" if i in stands_below else None},
            },
            y={
                "range": [-0.5, n_units - 0.5],
                "tickvals": [0, n_units - 1],
                "ticktext": [f"{u}" if panels.first_in_row(i) else "" for u in (0, n_units - 1)],
                "title": {"text": "unit" if panels.first_in_row(i) else None, "standoff": 0},
            },
        )
        words = plain(panel["title"], 30 if narrow else 44)
        panels.title(i, words if narrow else f"<b>{words}</b>")
    return panels.done()


def counts(results: Results, narrow: bool) -> go.Figure | None:
    """Draw the spikes of single samples, a line for each class, sorted by the first variant's medians."""
    found = _counts(results)
    if not found:
        return None
    first = next(iter(found.values()))
    medians = {name: np.median(totals) for name, totals in _by_class(first).items()}
    order = {name: i for i, name in enumerate(sorted(medians, key=lambda name: medians[name]))}
    panels = Panels(
        len(found),
        1 if narrow else 3,
        height=max(90, min(460, (13 if narrow else 16) * len(order))),
        gap=78,
        margins=(96 if narrow else 110, 14, 30, 48),
        spacing=0.03,
        narrow=narrow,
    )
    top = max(1, *(max(totals) for c in found.values() for totals in _by_class(c).values()))
    every = math.ceil(len(order) / MOST_NAMED_CLASSES)
    for i, (variant, entry) in enumerate(found.items()):
        marks = [
            (total, order[name])
            for name, totals in _by_class(entry).items()
            if name in order
            for total in totals
        ]
        panels.add(
            i,
            go.Scatter(
                x=[total for total, _ in marks],
                y=[place for _, place in marks],
                mode="markers",
                marker={
                    "symbol": "line-ns-open",
                    "size": 9,
                    "color": LIGHT["rate"],
                    "opacity": 0.45,
                    "line": {"width": 1.2},
                },
                hovertemplate="%{x:,} spikes<extra></extra>",
            ),
        )
        panels.axes(
            i,
            x={
                "range": [0, top * 1.05],
                "title": {"text": "spikes in a sample"},
                "nticks": 5,
                "tickformat": ",",
                "showgrid": True,
            },
            y={
                "range": [-0.8, len(order) - 0.2],
                "tickvals": list(order.values())[::every],
                "ticktext": [plain(n, 16) if panels.first_in_row(i) else "" for n in list(order)[::every]],
                "ticks": "",
                "showline": False,
            },
        )
        panels.title(i, f"<b>{plain(variant)}</b>")
    return panels.done()


def leak(results: Results, narrow: bool) -> go.Figure | None:
    """Draw how much of each unit's count variance the class explains, as a histogram over units."""
    found = {name: entry for name, entry in _counts(results).items() if len(entry["unit_leak"])}
    if not found:
        return None
    shares: dict[str, list[float]] = {}
    units: dict[str, int] = {}
    top = 0.05
    for variant, entry in found.items():
        values = [value for value in map(finite, entry["unit_leak"]) if value is not None]
        histogram, _ = np.histogram(values, bins=LEAK_BINS, range=(0.0, 1.0))
        units[variant] = len(values)
        shares[variant] = (histogram / max(1, len(values))).tolist()
        top = max(top, max((k + 1) / LEAK_BINS for k in range(LEAK_BINS) if histogram[k] or k == 0))
    top = math.ceil(top * 10 - 1e-9) / 10
    ticks = [0.1 * k for k in range(0, round(top * 10) + 1, 2 if top > 0.4 else 1)]
    panels = Panels(
        len(found),
        1 if narrow else 3,
        height=110 if narrow else 150,
        gap=78,
        margins=(64, 14, 30, 48),
        narrow=narrow,
    )
    centres = [(k + 0.5) / LEAK_BINS for k in range(LEAK_BINS)]
    for i, variant in enumerate(found):
        panels.add(
            i,
            go.Bar(
                x=centres,
                y=shares[variant],
                width=0.9 / LEAK_BINS,
                marker={"color": LIGHT["rate"], "line": {"width": 0}},
                hovertemplate="%{y:.0%} of the units<extra></extra>",
            ),
        )
        panels.axes(
            i,
            x={
                "range": [0, 1.08 * top],
                "tickvals": ticks,
                "ticktext": [percent(tick) for tick in ticks],
                "title": {"text": "count variance explained by the class"},
            },
            y={
                "range": [0, 1.05],
                "tickvals": [0, 0.5, 1],
                "ticktext": ["0 %", "50 %", "100 %"] if panels.first_in_row(i) else [""] * 3,
                "title": {"text": "share of units" if panels.first_in_row(i) else None},
                "showgrid": True,
            },
        )
        panels.title(i, f"<b>{plain(variant)}</b> {muted(f'{units[variant]:,} units')}")
    return panels.done()


def _spike_path(
    times_ms: Sequence[float], units: Sequence[int], n_units: int, end: float
) -> tuple[str, float]:
    """Return all spikes as one SVG path: upright ticks for few units, dots for many; and the line's width."""
    pairs = sorted(zip(units, times_ms, strict=True))
    if n_units <= 100:
        return "".join(f"M{t:.1f},{u - 0.4:.1f}V{u + 0.4:.1f}" for u, t in pairs), 1.2
    dot = end / 250
    return "".join(f"M{t - dot / 2:.1f},{u}H{t + dot / 2:.1f}" for u, t in pairs), 1.3


def _counts(results: Results) -> dict[str, Mapping[str, Any]]:
    found = extracts(results).get("counts") or {}
    return {name: found[name] for name in variants(found) if _by_class(found[name])}


def _by_class(entry: Mapping[str, Any]) -> dict[str, Sequence[int]]:
    pairs = zip(entry["classes"], entry["spikes_per_sample"], strict=True)
    return {str(name): totals for name, totals in pairs if len(totals)}


def _round_ticks(end: float, most: int) -> list[float]:
    """Return round times from 0 on, no more than ``most`` steps, whose labels end before the panel does."""
    rough = end / most
    power = 10 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough - 1e-9)
    return [step * k for k in range(math.floor(0.93 * end / step) + 1)]
