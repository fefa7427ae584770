"""The figures that compare accuracies: models and controls, the four arms of delays, kinds of timing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from beyondrate.report.entries import Entry, Results, by_key, clean, compared, series_of, variants
from beyondrate.report.marks import chance_of, dot, ends, hover, references, top_of, whiskers, written
from beyondrate.report.palette import DELAY_CONTROLS, LIGHT, Series
from beyondrate.report.panels import Panels, accuracy_axis, muted
from beyondrate.report.text import KINDS, finite, p_value, percent, plain

ROOM = 0.06  # right of an accuracy's interval for its number


def accuracy(results: Results, narrow: bool) -> go.Figure | None:
    """Draw the clean test accuracy of every model and control on each variant."""
    shown, tests = series_of(results), clean(compared(results))
    if not tests:
        return None
    names = variants(variant for variant, _, _ in tests)
    panels = Panels(
        len(names),
        1 if narrow else 3,
        height=27 * len(shown) + 24,
        gap=78,
        margins=(158 if narrow else 190, 16, 34, 50),
        spacing=0.03,
        narrow=narrow,
    )
    rows = [
        row for row in compared(results, "rows") if row["perturbation"] == "none" and row["split"] == "test"
    ]
    seeds = by_key(rows)
    top = top_of(tests.values()) + ROOM
    for i, variant in enumerate(names):
        entries = [tests.get((variant, series.model, series.control)) for series in shown]
        references(panels, i, entries, tests.get((variant, "rate", "none")))
        for position, (series, entry) in enumerate(zip(shown, entries, strict=True)):
            if entry is not None:
                each = [row["accuracy"] for row in seeds.get((variant, series.model, series.control), ())]
                dot(panels, i, series, entry, position, each)
        named = panels.first_in_row(i)
        panels.axes(
            i,
            x=accuracy_axis(top, "test accuracy"),
            y=_rows([series.label for series in shown] if named else [""] * len(shown)),
        )
        panels.title(i, f"<b>{plain(variant)}</b> {muted(_tested(entries))}")
    return panels.done()


def delays(results: Results, narrow: bool) -> go.Figure | None:
    """Draw the four arms of the question whether delays, and learning them, help."""
    tests = clean(compared(results))
    names = variants(variant for variant, model, _ in tests if model == "lif-delay")
    if not names:
        return None
    looks = {(series.model, series.control): series for series in series_of(results)}
    panels = Panels(
        len(names),
        1 if narrow else 3,
        height=150 if narrow else 220,
        gap=84,
        margins=(64, 12, 34, 50),
        narrow=narrow,
    )
    top = top_of(tests.values())
    for i, variant in enumerate(names):
        entries = [tests.get((variant, model, control)) for model, control, _ in DELAY_CONTROLS]
        for position, entry in enumerate(entries):
            if entry is None:
                continue
            look = looks[entry["model"], entry["control"]]
            trained = look.dash == "solid"
            panels.add(
                i,
                go.Bar(
                    x=[position],
                    y=[entry["accuracy"]],
                    width=0.62,
                    marker={
                        "color": look.colour if trained else LIGHT["paper"],
                        "line": {"color": look.colour, "width": 1.5},
                    },
                    error_y=whiskers(entry, LIGHT["ink"], width=3),
                    hovertemplate=hover(look.label, entry),
                ),
            )
            high = ends(entry)[1]
            panels.add(i, written(position, high, percent(entry["accuracy"]), "top center"))
        chance = chance_of(entries)
        if chance is not None:
            panels.line(i, y=chance, colour=LIGHT["ink"])
            panels.note(
                i,
                "chance",
                x=1,
                y=chance,
                at_value=True,
                xanchor="right",
                yanchor="bottom",
                font={"size": 11},
            )
        panels.axes(
            i,
            x={
                "range": [-0.6, 4.3],
                "tickvals": list(range(4)),
                "ticktext": [name for _, _, name in DELAY_CONTROLS],
                "ticks": "",
                "title": {"text": "delays"},
            },
            y=accuracy_axis(top, "test accuracy", labels=panels.first_in_row(i)),
        )
        panels.title(i, f"<b>{plain(variant)}</b>")
    return panels.done()


def kinds(results: Results, narrow: bool) -> go.Figure | None:
    """Draw how well single kinds of timing tell the classes apart."""
    found = results.get("kinds") or ()
    if not found:
        return None
    names = variants(k["variant"] for k in found)
    shown = [kind for kind in KINDS if any(k["kind"] == kind for k in found)]
    panels = Panels(
        len(names),
        1 if narrow else 3,
        height=30 * len(shown) + 20,
        gap=84,
        margins=(86, 92, 34, 50),
        spacing=0.12,
        narrow=narrow,
    )
    top = top_of(found) + ROOM
    for i, variant in enumerate(names):
        entries = [
            next((k for k in found if (k["variant"], k["kind"]) == (variant, kind)), None) for kind in shown
        ]
        references(panels, i, entries, None)
        for position, entry in enumerate(entries):
            if entry is not None:
                words, symbol = _standing(entry)
                profile = finite(entry.get("from_profile"))
                if profile is not None and entry["kind"] != "onset":
                    panels.add(i, _profile_tick(profile, position))
                dot(panels, i, Series("", "", words, LIGHT["ink"], symbol=symbol), entry, position, [])
                panels.note(i, muted(p_value(entry.get("p"))), x=1, xanchor="left", y=position, at_value=True)
        panels.axes(
            i,
            x=accuracy_axis(top, "test accuracy"),
            y=_rows(shown if panels.first_in_row(i) else [""] * len(shown)),
        )
        panels.title(i, f"<b>{plain(variant)}</b>")
    return panels.done()


def _standing(kind: Entry) -> tuple[str, str]:
    """Return what is claimed of a kind of timing, and its symbol."""
    if not kind["claimed"]:
        return f"{kind['kind']}, not claimed", "circle-open"
    if kind.get("origin") == "onset":
        return f"{kind['kind']}, follows from onset", "circle-open-dot"
    if kind.get("origin") == "not decided":
        return f"{kind['kind']}, claimed, not decided whether it follows from onset", "circle-cross-open"
    return f"{kind['kind']}, claimed", "circle"


def _profile_tick(accuracy: float, position: int) -> go.Scatter:
    """Return the mark of what a kind of timing tells when only counts and the time course are left."""
    return go.Scatter(
        x=[accuracy],
        y=[position],
        mode="markers",
        marker={
            "symbol": "line-ns-open",
            "size": 14,
            "color": LIGHT["muted"],
            "line": {"width": 2, "color": LIGHT["muted"]},
        },
        hovertemplate=f"from counts and time course alone: {percent(accuracy, 1)}<extra></extra>",
        cliponaxis=False,
    )


def _tested(entries: Sequence[Entry | None]) -> str:
    tested = {e["n_test"] for e in entries if e is not None}
    return f"n = {tested.pop():,}" if len(tested) == 1 else ""


def _rows(labels: Sequence[str]) -> dict[str, Any]:
    """Return an axis with a row for each label, the first at the top, and room for chance's name above."""
    return {
        "range": [len(labels) - 0.4, -0.75],
        "tickvals": list(range(len(labels))),
        "ticktext": list(labels),
        "ticks": "",
        "showline": False,
    }
