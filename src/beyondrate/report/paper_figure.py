"""A reproduced figure drawn with matplotlib, for print (PNG, SVG) and for its page."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beyondrate.report.palette import LIGHT
from beyondrate.storage import atomic_path

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Panel = Mapping[str, Any]

# Okabe and Ito's colours, safe for the colour-blind; markers tell series apart without colour too.
COLOURS = ("#cc4e00", "#56b4e9", "#0072b2", "#b4bbc3", "#5b6470", "#a5508c", "#008463", "#8f6b00", "#4a4f9e")
# Nets that several figures show look alike in all of them; other series take the colours left, in order.
NETS = {
    "MLP on counts": LIGHT["rate"],
    "LIF": LIGHT["lif"],
    "LIF, τ tuned": "#56b4e9",
    "LIF, τ tuned, BPTT": LIGHT["lif"],
    "LIF + learned delays": LIGHT["delay"],
    "spiking net": LIGHT["lif"],
    "spiking net, learned delays": LIGHT["delay"],
    "SpikingGamma, gated": LIGHT["gamma"],
    "SpikingGamma, spatial": "#a5508c",
}
MARKERS = "DosvP^X<>"
COLUMNS = 3
PANEL_INCHES = (4.0, 2.9)
WIDE_PANEL_INCHES = (6.6, 2.9)  # beside a list of names of more than WIDE_NAME characters
WIDE_NAME = 30
LETTERS_AN_INCH = 9.5  # of the title
PANEL_LETTERS = 30  # of a panel's title in a line
WIDE_RANGE = 30  # times the least; bars without intervals beyond it are drawn on a logarithmic axis
FEW_ROWS = 5  # of a raster, each with its number
LONG_NAME = 12  # characters; groups with longer names are written beside the axis
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LIGHT["faint"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "text.color": LIGHT["ink"],
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "beyondrate",
}


def draw(panels: Sequence[Panel], title: str) -> Figure:
    """Return panels side by side in rows of two or three, with one legend for the series that they share."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        wide = any(len(name) > WIDE_NAME for panel in panels if _is_list(panel) for name in panel["groups"])
        columns = min(2 if wide or len(panels) == 4 else COLUMNS, len(panels))
        rows = math.ceil(len(panels) / columns)
        width, height = WIDE_PANEL_INCHES if wide else PANEL_INCHES
        size = (max(7.0, width * columns), _height(panels) * height * rows + 0.9)
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(
            textwrap.fill(title, int(LETTERS_AN_INCH * size[0])),
            x=0.01,
            ha="left",
            fontsize=12,
            fontweight="bold",
        )
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        look = _looks(panels)
        for axis, panel in zip(axes, panels, strict=False):
            _DRAW[panel["kind"]](axis, {**panel, "top": _top(panels, panel["y_label"])}, look)
            axis.set_title(textwrap.fill(panel["title"], PANEL_LETTERS))
            axis.set_xlabel(axis.get_xlabel() or panel["x_label"])
            axis.set_ylabel(axis.get_ylabel() or panel["y_label"])
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        _legend(figure, axes[: len(panels)])
    return figure


def save_pictures(figure: Figure, folder: Path) -> None:
    """Write figure.png and figure.svg."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        for suffix, options in (("png", {"dpi": 160}), ("svg", {"metadata": {"Date": None}})):
            with atomic_path(folder / f"figure.{suffix}") as unfinished:
                figure.savefig(unfinished, format=suffix, **options)


def _height(panels: Sequence[Panel]) -> float:
    """Return how tall a row is, in panels: lists of long names need room."""
    listed = [len(panel["groups"]) for panel in panels if _is_list(panel)]
    return max(1.0, 0.11 * max(listed, default=0) + 0.2)


def _is_list(panel: Panel) -> bool:
    return panel["kind"] == "bars" and any(len(name) > LONG_NAME for name in panel["groups"])


def _top(panels: Sequence[Panel], y_label: str) -> float:
    """Return where the axes of all lists of bars of one quantity end, so that they can be compared."""
    alike = [panel for panel in panels if _is_list(panel) and panel["y_label"] == y_label]
    ends = [max(s["high"] or s["y"]) for panel in alike for s in panel["series"]]
    return 1.08 * max(ends, default=1.0)


def _looks(panels: Sequence[Panel]) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each series, the same in every panel."""
    names = dict.fromkeys(s["name"] for panel in panels for s in panel["series"] if panel["kind"] != "raster")
    shown = {NETS.get(name) for name in names}
    left = cycle(colour for colour in COLOURS if colour not in shown)
    markers = cycle(MARKERS)
    return {name: (NETS.get(name) or next(left), next(markers)) for name in names}


def _lines(axis: Axes, panel: Panel, look: Mapping[str, tuple[str, str]]) -> None:
    from matplotlib.ticker import LogFormatter

    markers = all(len(series["x"]) <= 30 for series in panel["series"])
    for series in panel["series"]:
        colour, marker = look[series["name"]]
        x, y = np.asarray(series["x"]), np.asarray(series["y"])
        if series["low"] is not None:
            axis.fill_between(x, series["low"], series["high"], color=colour, alpha=0.16, linewidth=0)
        dashed = "--" if "retrained" in series["name"] else "-"
        axis.plot(
            x, y, dashed, color=colour, marker=marker if markers else "", ms=4.5, lw=1.5, label=series["name"]
        )
    if panel["groups"]:
        axis.set_xticks(range(len(panel["groups"])), panel["groups"])
    if panel["logarithmic"]:
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(LogFormatter())
        axis.xaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))
    if panel["series"] and panel["series"][0]["low"] is not None:
        axis.set_ylim(0, 1.03)
    else:
        axis.set_ylim(bottom=0)
    _references(axis, panel)


def _bars(axis: Axes, panel: Panel, look: Mapping[str, tuple[str, str]]) -> None:
    listed, many = _is_list(panel), len(panel["series"])
    for i, series in enumerate(panel["series"]):
        colour, marker = look[series["name"]]
        place = np.asarray(series["x"], float) + (i - (many - 1) / 2) * 0.8 / max(many, 1)
        y = np.asarray(series["y"])
        error = None if series["low"] is None else [y - series["low"], np.asarray(series["high"]) - y]
        style = {"fmt": marker, "color": colour, "ms": 6, "lw": 1.8, "label": series["name"]}
        if listed:
            axis.errorbar(y, place, xerr=error, **style)
        else:
            axis.errorbar(place, y, yerr=error, **style)
        for where, seeds in zip(place, series["seeds"] or (), strict=False):
            aside = np.full(len(seeds), where + 0.28 * (0.8 / max(many, 1)))
            points = (seeds, aside) if listed else (aside, seeds)
            axis.plot(*points, ".", color=colour, ms=3, alpha=0.6)
    if listed:
        axis.set_yticks(range(len(panel["groups"])), panel["groups"])
        axis.set_ylim(len(panel["groups"]) - 0.5, -0.5)
        axis.set_xlabel(panel["y_label"])
        axis.set_ylabel(" ")
        axis.set_xlim(0, panel["top"])
        for name, value in panel["references"].items():
            axis.axvline(value, color=LIGHT["ink"], lw=0.9, ls=":")
            axis.text(value, -0.45, f" {name}", va="top", fontsize=8, color=LIGHT["muted"])
    else:
        axis.set_xticks(range(len(panel["groups"])), panel["groups"])
        axis.set_xlim(-0.5, len(panel["groups"]) - 0.5)
        _end(axis, panel)
        _references(axis, panel)


def _end(axis: Axes, panel: Panel) -> None:
    """Set the ends of a vertical axis: of shares 0 and 1, of other values what holds them all."""
    if any(series["low"] is not None for series in panel["series"]):
        axis.set_ylim(0, 1.03)
        return
    values = np.concatenate([np.asarray(series["y"], float) for series in panel["series"]])
    if len(values) and values.min() > 0 and values.max() > WIDE_RANGE * values.min():
        axis.set_yscale("log")
    else:
        axis.set_ylim(0, 1.08 * values.max(initial=1e-9))


def _references(axis: Axes, panel: Panel) -> None:
    for name, value in panel["references"].items():
        axis.axhline(value, color=LIGHT["ink"], lw=0.9, ls=":")
        left = axis.get_xlim()[0]
        axis.text(left, value, f" {name}", va="bottom", fontsize=8, color=LIGHT["muted"])


def _raster(axis: Axes, panel: Panel, look: Mapping[str, tuple[str, str]]) -> None:
    for series in panel["series"]:
        axis.plot(series["x"], series["y"], "|", color=LIGHT["ink"], ms=2.5, mew=0.6, rasterized=True)
    left, right, bottom, top = panel["extent"]
    axis.set_xlim(left, right)
    axis.set_ylim(bottom - 0.5, top - 0.5)
    if top - bottom <= FEW_ROWS:
        axis.set_yticks(range(int(bottom), int(top)))


def _map(axis: Axes, panel: Panel, look: Mapping[str, tuple[str, str]]) -> None:
    from matplotlib.colors import ListedColormap

    left, right, bottom, top = panel["extent"]
    grid = np.asarray(panel["grid"])
    axis.imshow(
        grid,
        origin="lower",
        extent=(left, right, bottom, top),
        aspect="auto",
        cmap=ListedColormap(["#dfe6ee", "#f3c9a9", "#bfe3d6", "#e3d3ea"][: int(grid.max()) + 1]),
        interpolation="nearest",
    )


_DRAW = {"lines": _lines, "bars": _bars, "raster": _raster, "map": _map}


def _legend(figure: Figure, axes: Iterable[Axes]) -> None:
    """Draw one legend below the panels, of every series that has a name of its own."""
    found: dict[str, Artist] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if len(found) > 1:
        figure.legend(
            list(found.values()),
            list(found),
            loc="outside lower left",
            ncols=min(3, len(found)),
            fontsize=8.5,
        )
