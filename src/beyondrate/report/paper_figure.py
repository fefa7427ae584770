"""A reproduced figure drawn with matplotlib, for print (PNG, SVG) and for its page."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beyondrate.report.palette import LIGHT
from beyondrate.report.paper_words import caption, hidden
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
NOTE_LETTERS = 50  # of a note below a panel in a line
REFERENCE_LETTERS = 12  # of the name of a line beside a panel
WHOLE_STEPS = (1, 2, 5, 10)  # between the ticks of an axis of whole numbers
HEADROOM = 1.08  # axes that begin at 0 end so far above the largest value
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
    """Return panels side by side in rows of two or three, with one legend for the series that they share.

    Series of one panel alone are named in it. Below stands what points, bars and dots are.
    """
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
        axes = _places(figure, rows, columns, len(panels))
        shared = [panel for panel in panels if _shares(panel, panels)]
        together = _looks(shared)
        for axis, panel in zip(axes, panels, strict=False):
            alone = panel not in shared
            look = _looks([panel]) if alone else together
            _DRAW[panel["kind"]](axis, {**panel, "top": _top(panels, panel["y_label"])}, look)
            axis.set_title(textwrap.fill(panel["title"], PANEL_LETTERS))
            axis.set_xlabel(axis.get_xlabel() or panel["x_label"])
            axis.set_ylabel(axis.get_ylabel() or panel["y_label"])
            if alone and len(panel["series"]) > 1 and panel["kind"] != "raster":
                axis.legend(fontsize=7.5)
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        _legend(figure, axes, len(panels), together, caption(panels))
    return figure


def save_pictures(figure: Figure, folder: Path) -> None:
    """Write figure.png and figure.svg."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        for suffix, options in (("png", {"dpi": 160}), ("svg", {"metadata": {"Date": None}})):
            with atomic_path(folder / f"figure.{suffix}") as unfinished:
                figure.savefig(unfinished, format=suffix, **options)


def _places(figure: Figure, rows: int, columns: int, n_panels: int) -> list[Axes]:
    """Return the axes of panels in rows; of two columns a last one alone takes both."""
    grid = figure.add_gridspec(rows, columns)
    spots = [(i, slice(j, j + 1)) for i in range(rows) for j in range(columns)]
    if columns == 2 and n_panels % 2:
        spots[-2:] = [(rows - 1, slice(0, 2))]
    return [figure.add_subplot(grid[i, j]) for i, j in spots]


def _height(panels: Sequence[Panel]) -> float:
    """Return how tall a row is, in panels: lists of long names need room."""
    listed = [len(panel["groups"]) for panel in panels if _is_list(panel)]
    return max(1.0, 0.11 * max(listed, default=0) + 0.2)


def _is_list(panel: Panel) -> bool:
    lines = [line for name in panel["groups"] for line in name.splitlines()]
    return panel["kind"] == "bars" and any(len(line) > LONG_NAME for line in lines)


def _shares(panel: Panel, panels: Sequence[Panel]) -> bool:
    """Return whether a panel's series are in the figure's legend: others show them too, or none show any."""
    kinds = ("lines", "bars")
    others = [other for other in panels if other is not panel and other["kind"] in kinds]
    names = {s["name"] for s in panel["series"]}
    return panel["kind"] in kinds and (
        not others or any(names & {s["name"] for s in other["series"]} for other in others)
    )


def _largest(series: Mapping[str, Any]) -> float:
    """Return the largest value of a series that is drawn: means, ends of intervals and single seeds."""
    seeds = [value for each in series["seeds"] or () for value in each]
    return max([*series["y"], *(series["high"] or ()), *seeds], default=0.0)


def _top(panels: Sequence[Panel], y_label: str) -> float:
    """Return where the axes of all lists of bars of one quantity end, so that they can be compared."""
    alike = [panel for panel in panels if _is_list(panel) and panel["y_label"] == y_label]
    return HEADROOM * max((_largest(s) for panel in alike for s in panel["series"]), default=1.0)


def _looks(panels: Sequence[Panel]) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each series, the same in every panel."""
    names = dict.fromkeys(s["name"] for panel in panels for s in panel["series"] if panel["kind"] != "raster")
    shown = {NETS.get(name) for name in names}
    left = cycle(colour for colour in COLOURS if colour not in shown)
    markers = cycle(MARKERS)
    return {name: (NETS.get(name) or next(left), next(markers)) for name in names}


def _lines(axis: Axes, panel: Panel, look: Mapping[str, tuple[str, str]]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

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
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
    elif not panel["groups"] and all(
        float(x).is_integer() for series in panel["series"] for x in series["x"]
    ):
        axis.xaxis.set_major_locator(MaxNLocator(steps=WHOLE_STEPS, integer=True))
    if any(series["low"] is not None for series in panel["series"]):
        axis.set_ylim(0, 1.03)
    else:
        drawn = [*(float(np.max(series["y"])) for series in panel["series"]), *panel["references"].values()]
        axis.set_ylim(0, HEADROOM * max(drawn, default=1.0))
        _plain_numbers(axis)
    axis.set_xlabel("\n".join([panel["x_label"], *textwrap.wrap(hidden(panel), NOTE_LETTERS)]))
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
    means = np.concatenate([np.asarray(series["y"], float) for series in panel["series"]])
    seeds = [value for series in panel["series"] for each in series["seeds"] or () for value in each]
    values = np.concatenate([means, seeds])
    if len(values) and values.min() > 0 and means.max() > WIDE_RANGE * means.min():
        axis.set_yscale("log")  # which ends where all that is drawn lies within
    else:
        axis.set_ylim(0, HEADROOM * values.max(initial=1e-9))
        _plain_numbers(axis)


def _plain_numbers(axis: Axes) -> None:
    """Write thousands apart, and no power of ten away from the axis."""
    from matplotlib.ticker import StrMethodFormatter

    if axis.get_ylim()[1] >= 1000:
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _references(axis: Axes, panel: Panel) -> None:
    """Draw named lines, with their names to the right of all that is measured."""
    for name, value in panel["references"].items():
        axis.axhline(value, color=LIGHT["ink"], lw=0.9, ls=":", zorder=0.5)
        axis.annotate(
            textwrap.fill(name, REFERENCE_LETTERS),
            (1.01, value),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            color=LIGHT["muted"],
            annotation_clip=False,
        )


def _raster(axis: Axes, panel: Panel, look: Mapping[str, tuple[str, str]]) -> None:
    for series in panel["series"]:
        axis.plot(series["x"], series["y"], "|", color=LIGHT["ink"], ms=2.5, mew=0.6, rasterized=True)
    left, right, bottom, top = panel["extent"]
    axis.set_xlim(left, right)
    axis.set_ylim(bottom - 0.5, top - 0.5)
    if panel["groups"]:
        axis.set_yticks(range(len(panel["groups"])), panel["groups"])
    elif top - bottom <= FEW_ROWS:
        axis.set_yticks(range(int(bottom), int(top)))


def _map(axis: Axes, panel: Panel, look: Mapping[str, tuple[str, str]]) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.ticker import MaxNLocator

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
    axis.xaxis.set_major_locator(MaxNLocator(steps=WHOLE_STEPS, integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(steps=WHOLE_STEPS, integer=True))


_DRAW = {"lines": _lines, "bars": _bars, "raster": _raster, "map": _map}


def _legend(figure: Figure, axes: Sequence[Axes], n_panels: int, shared: Collection[str], words: str) -> None:
    """Write what marks are below all, and one legend of the series that panels share.

    The legend is in the first place without a panel, else below, with the words above it.
    """
    found: dict[str, Artist] = {}
    for axis in axes[:n_panels]:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            if label in shared:
                found.setdefault(label, handle)
    shown = (list(found.values()), list(found))
    if len(found) < 2 or n_panels < len(axes):
        figure.supxlabel(words, x=0.01, ha="left", fontsize=8, color=LIGHT["muted"])
        if len(found) > 1:
            axes[n_panels].legend(*shown, loc="center left", fontsize=8.5)
        return
    columns = min(3, len(found))
    legend = figure.legend(
        *shown, loc="outside lower left", ncols=columns, fontsize=8.5, title=words, alignment="left"
    )
    legend.get_title().set(fontsize=8, color=LIGHT["muted"])
