"""Small multiples: a grid of equal panels whose axes every figure of the report shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from beyondrate.report.palette import FONT, LIGHT

_AXIS = {
    "showgrid": False,
    "zeroline": False,
    "showline": True,
    "linecolor": LIGHT["faint"],
    "ticks": "outside",
    "ticklen": 4,
    "tickcolor": LIGHT["faint"],
    "gridcolor": LIGHT["grid"],
    "tickangle": 0,
    "fixedrange": True,
    "automargin": False,
}


class Panels:
    """A plotly figure of panels in rows of the given number of columns; panel 0 is at the top left.

    Args:
        n: number of panels.
        columns: panels in a row.
        height: of a panel in pixels; the width follows the page.
        gap: between rows in pixels.
        margins: left, right, top and bottom in pixels.
        spacing: between columns as a share of the figure's width.
        narrow: smaller letters, for narrow screens.
    """

    def __init__(
        self,
        n: int,
        columns: int,
        *,
        height: int,
        gap: int = 56,
        margins: tuple[int, int, int, int] = (64, 12, 32, 48),
        spacing: float = 0.04,
        narrow: bool = False,
    ) -> None:
        self.columns = min(columns, n)
        rows = math.ceil(n / self.columns)
        inner = rows * height + (rows - 1) * gap
        left, right, top, bottom = margins
        self.figure = make_subplots(
            rows,
            self.columns,
            horizontal_spacing=spacing if self.columns > 1 else 0,
            vertical_spacing=gap / inner if rows > 1 else 0,
            specs=[
                [{} if r * self.columns + c < n else None for c in range(self.columns)] for r in range(rows)
            ],
        )
        size = 11 if narrow else 13
        axis = {**_AXIS, "title": {"standoff": 8, "font": {"color": LIGHT["muted"], "size": size}}}
        self.figure.update_layout(
            template=go.layout.Template(layout={"xaxis": axis, "yaxis": axis}),
            height=inner + top + bottom,
            margin={"l": left, "r": right, "t": top, "b": bottom},
            font={"family": FONT, "size": size, "color": LIGHT["ink"]},
            paper_bgcolor=LIGHT["paper"],
            plot_bgcolor=LIGHT["paper"],
            hoverlabel={
                "bgcolor": LIGHT["paper"],
                "bordercolor": LIGHT["faint"],
                "font": {"family": FONT, "color": LIGHT["ink"]},
            },
            hovermode="closest",
            dragmode=False,
            modebar={"bgcolor": LIGHT["paper"], "color": LIGHT["muted"], "activecolor": LIGHT["ink"]},
            showlegend=False,
            legend={
                "orientation": "v" if narrow else "h",
                "tracegroupgap": 0,
                "x": 0,
                "xanchor": "left",
                "y": 1,
                "yref": "container",
                "yanchor": "top",
                "itemwidth": 36,
                "bgcolor": LIGHT["paper"],
            },
        )
        self._traces: list[Any] = []
        self._shapes: list[dict[str, Any]] = []
        self._notes: list[dict[str, Any]] = []

    def first_in_row(self, i: int) -> bool:
        """Tell whether a panel stands at the left."""
        return i % self.columns == 0

    def axes(self, i: int, *, x: dict[str, Any], y: dict[str, Any]) -> None:
        """Set the axes of a panel."""
        self.figure.layout[f"xaxis{i + 1}"].update(x)
        self.figure.layout[f"yaxis{i + 1}"].update(y)

    def add(self, i: int, trace: go.Scatter | go.Bar) -> None:
        """Draw a trace in a panel."""
        trace.update(xaxis=_axis("x", i), yaxis=_axis("y", i))
        self._traces.append(trace)

    def band(
        self,
        i: int,
        x: Sequence[float],
        low: Sequence[float],
        high: Sequence[float],
        colour: str,
        **more: object,
    ) -> None:
        """Shade an interval along a curve."""
        self.add(
            i,
            go.Scatter(
                x=[*x, *reversed(x)],
                y=[*low, *reversed(high)],
                fill="toself",
                fillcolor=colour,
                opacity=0.13,
                mode="none",
                hoverinfo="skip",
                showlegend=False,
                **more,
            ),
        )

    def line(
        self, i: int, *, x: float | None = None, y: float | None = None, colour: str, dash: str = "dot"
    ) -> None:
        """Draw a line through a whole panel, at one x or one y."""
        across = {
            "x0": x,
            "x1": x,
            "y0": 0,
            "y1": 1,
            "xref": _axis("x", i),
            "yref": _axis("y", i) + " domain",
        }
        along = {"x0": 0, "x1": 1, "y0": y, "y1": y, "xref": _axis("x", i) + " domain", "yref": _axis("y", i)}
        line = {"color": colour, "width": 1.2, "dash": dash}
        self._shapes.append(
            {"type": "line", "layer": "above", "line": line, **(across if y is None else along)}
        )

    def strip(self, i: int, low: float, high: float, colour: str) -> None:
        """Shade a panel between two values of x."""
        self._shapes.append(
            {
                "type": "rect",
                "layer": "below",
                "line": {"width": 0},
                "fillcolor": colour,
                "opacity": 0.13,
                **{
                    "x0": low,
                    "x1": high,
                    "y0": 0,
                    "y1": 1,
                    "xref": _axis("x", i),
                    "yref": _axis("y", i) + " domain",
                },
            }
        )

    def path(self, i: int, path: str, colour: str, width: float) -> None:
        """Draw a path in a panel's coordinates."""
        line = {"color": colour, "width": width}
        at = {"xref": _axis("x", i), "yref": _axis("y", i)}
        self._shapes.append({"type": "path", "layer": "below", "path": path, "line": line, **at})

    def title(self, i: int, text: str, *, up: int = 6) -> None:
        """Write above a panel's left end, the given number of pixels up."""
        self.note(i, text, x=0, y=1, xanchor="left", yanchor="bottom", yshift=up)

    def note(self, i: int, text: str, *, at_value: bool = False, **where: object) -> None:
        """Write at a place given in shares of a panel's width and height; or at a value of y."""
        across, up = _axis("x", i) + " domain", _axis("y", i) + ("" if at_value else " domain")
        self._notes.append(
            {"text": text, "showarrow": False, "align": "left", "xref": across, "yref": up, **where}
        )

    def done(self, **layout: object) -> go.Figure:
        """Return the figure."""
        self.figure.add_traces(self._traces)
        self.figure.update_layout(shapes=self._shapes, annotations=self._notes, **layout)
        return self.figure


def _axis(letter: str, i: int) -> str:
    """Return plotly's name of a panel's axis: x, x2, x3, ..."""
    return letter if i == 0 else f"{letter}{i + 1}"


def legend_height(labels: Sequence[str], *, narrow: bool) -> int:
    """Return the pixels that a legend above the panels needs."""
    if narrow:
        return 20 * len(labels) + 10
    rows = math.ceil(sum(64 + 7.5 * len(label) for label in labels) / 900)
    return 22 * rows + 10


def muted(text: str) -> str:
    """Return text that steps back behind what stands beside it, in light and dark."""
    return f'<span style="fill-opacity:0.65;font-weight:400">{text}</span>'


def accuracy_axis(top: float, title: str, *, labels: bool = True) -> dict[str, Any]:
    """Return an axis for accuracies from 0 to ``top`` with ticks in percent."""
    step = 0.25 if top > 0.75 else 0.2 if top > 0.4 else 0.1
    values = [step * k for k in range(math.floor(min(top, 1) / step + 1e-9) + 1)]
    return {
        "range": [0, top],
        "tickvals": values,
        "ticktext": [f"{value * 100:.0f} %" for value in values] if labels else [""] * len(values),
        "title": {"text": title if labels else None},
        "showgrid": True,
    }
